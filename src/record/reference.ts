/**
 * What decisions have in common is in a segment once. A decision that is the same as an earlier one of its segment, but for its head, its
 * parameters and perhaps its text, is stored as a reference to that one:
 *
 * ```
 * {"id":…,"type":"decision","seq":…,"at":…,"session":…,"start":…,"sequence":…,"as":[41,188,1215],"parameters":[…]}
 * {"id":…,"type":"decision","seq":…,"at":…,"session":…,"start":…,"sequence":…,"as":[41,188,1215,"text"],"text":"…"}
 * ```
 *
 * `as` is the other's position, where its line begins in the segment's file, and its length without the line feed; `"text"` where the
 * text is the record's own. Parameters always are. The other is stored whole, so nothing has to be followed further.
 *
 * A reader is given the line whole: `as` stays where it is, and all that the other has after its head follows. The stored line is cut
 * out of that again by {@link storedLine}, so the chain (block.ts) can be checked wherever the lines went.
 */
import { headOf, type RecordHead } from './head.ts'
import { skipString, skipValue } from './skip.ts'

export interface Reference {
  /** Of the decision that is stored whole. */
  readonly seq: number
  /** Where its line is in the segment's file. */
  readonly offset: number
  readonly length: number
  /** The record has a text of its own. */
  readonly text: boolean
  /** Where `as` ends in the line that refers. */
  readonly end: number
}

/** No longer line is referred to: it bounds what a reader keeps, and what a short line can stand for. */
export const REFERRED_MAX = 32 * 1024

/** Of a decision, what follows the keys of every record. */
const AS = /^,"start":\d+,"sequence":\d+(?:,"as":\[(\d+),(\d+),(\d+)(,"text")?\])?/
/** Longer than that. */
const AS_BYTES = 160

const INPUT = Buffer.from(',"input":{"command":{"protocol":')
const ACTION = Buffer.from(',"action":')
const TEXT = Buffer.from(',"text":')
const CUT = Buffer.from(',"truncated":')
const DETAIL = Buffer.from(',"detail":')
const VARYING = Buffer.from(',"varying":{')
const PARAMETERS = Buffer.from(',"parameters":')
const EMPTY = '[]'
const CLOSE = Buffer.from('}')
const BRACE = 0x7d
const COMMA = 0x2c

/** What a decision's line, as it is stored or as it is read, refers to; null where it refers to nothing, or is no decision's. */
export function referenceOf(line: Buffer, head: RecordHead): Reference | null {
  const match = head.type === 'decision' ? matchOf(line, head) : null
  const [all, seq, offset, length, text] = match ?? []
  if (all === undefined || seq === undefined) return null
  const end = head.length + all.length
  return { seq: Number(seq), offset: Number(offset), length: Number(length), text: text !== undefined, end }
}

function matchOf(line: Buffer, { length }: RecordHead): RegExpExecArray | null {
  return AS.exec(line.toString('latin1', length, length + AS_BYTES))
}

/** Where the parts begin and end that a decision which refers to this one has of its own, each its JSON. */
export interface Parts {
  /** All before is the head. */
  readonly input: number
  readonly text: number
  readonly textEnd: number
  /** Both 0 where there are none. */
  readonly parameters: number
  readonly parametersEnd: number
}

/** Of a decision's line that is stored whole. Throws for any other. */
export function partsOf(line: Buffer, head: RecordHead): Parts {
  const match = head.type === 'decision' ? matchOf(line, head) : null
  if (match === null || match[1] !== undefined) throw new Error('no decision is stored whole there')
  return partsFrom(line, head.length + match[0].length)
}

function partsFrom(line: Buffer, input: number): Parts {
  let at = skipString(line, after(line, input, INPUT))
  at = skipString(line, after(line, at, ACTION))
  const text = after(line, at, TEXT)
  const textEnd = skipString(line, text)
  at = begins(line, textEnd, CUT) ? skipValue(line, textEnd + CUT.length) : textEnd
  at = skipValue(line, after(line, at, DETAIL))
  const [parameters, parametersEnd] = begins(line, at, VARYING) ? parametersFrom(line, at + VARYING.length) : [0, 0]
  return { input, text, textEnd, parameters, parametersEnd }
}

/** Among the members that begin at `at`. An empty list of them is one of the facts that executions have in common. */
function parametersFrom(line: Buffer, first: number): readonly [number, number] {
  for (let at = first; at < line.length && line[at] !== BRACE;) {
    const value = skipString(line, at) + 1
    const end = skipValue(line, value)
    const named = line.toString('latin1', at, value) === '"parameters":'
    if (named && line.toString('latin1', value, end) !== EMPTY) return [value, end]
    at = line[end] === COMMA ? end + 1 : end
  }
  return [0, 0]
}

/** A line that refers to another, made whole. Throws for what does not fit the other. */
export function expand(line: Buffer, { end, text: ownText }: Reference, other: Buffer, parts: Parts): Buffer {
  const last = line.length - 1
  const text = ownText ? after(line, end, TEXT) : end
  const textEnd = ownText ? skipString(line, text) : end
  const open = parts.parameters > 0
  const parameters = open ? after(line, textEnd, PARAMETERS) : textEnd
  if (line[last] !== BRACE || (open ? parameters >= last : textEnd !== last)) throw odd()
  const whole = Buffer.allocUnsafe(line.length + other.length - parts.input)
  let at = line.copy(whole, 0, 0, end)
  at += other.copy(whole, at, parts.input, ownText ? parts.text : parts.textEnd)
  at += line.copy(whole, at, text, textEnd)
  at += other.copy(whole, at, parts.textEnd, open ? parts.parameters : other.length)
  if (open) {
    at += line.copy(whole, at, parameters, last)
    at += other.copy(whole, at, parts.parametersEnd)
  }
  return whole.subarray(0, at)
}

/** The stored line of one that was read, which is its own where it refers to nothing. */
export function storedLine(line: Buffer): Buffer {
  const reference = referenceOf(line, headOf(line))
  if (reference === null || !begins(line, reference.end, INPUT)) return line
  const { text, textEnd, parameters, parametersEnd } = partsFrom(line, reference.end)
  const pieces = [line.subarray(0, reference.end)]
  if (reference.text) pieces.push(TEXT, line.subarray(text, textEnd))
  if (parameters > 0) pieces.push(PARAMETERS, line.subarray(parameters, parametersEnd))
  return Buffer.concat([...pieces, CLOSE])
}

function begins(line: Buffer, at: number, what: Buffer): boolean {
  return at <= line.length && what.compare(line, at, Math.min(at + what.length, line.length)) === 0
}

function after(line: Buffer, at: number, what: Buffer): number {
  if (!begins(line, at, what)) throw odd()
  return at + what.length
}

function odd(): Error {
  return new Error('a decision is not laid out as decisions are')
}
