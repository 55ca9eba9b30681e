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

const HEAD = /^\{"id":"[^"]+","type":"decision","seq":\d+,"at":\d+,"session":"[^"]+","start":\d+,"sequence":\d+/
const AS = new RegExp(`${HEAD.source},"as":\\[(\\d+),(\\d+),(\\d+)(,"text")?\\]`)
/** Longer than any head of a decision with a reference. */
const HEAD_BYTES = 384

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

/** What a decision's line, as it is stored or as it is read, refers to; null where it refers to nothing. */
export function referenceOf(line: Buffer): Reference | null {
  const match = AS.exec(line.toString('latin1', 0, HEAD_BYTES))
  if (match === null) return null
  const [all, seq, offset, length, text] = match
  return { seq: Number(seq), offset: Number(offset), length: Number(length), text: text !== undefined, end: all.length }
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
export function partsOf(line: Buffer): Parts {
  const head = HEAD.exec(line.toString('latin1', 0, HEAD_BYTES))
  if (head === null) throw new Error('no decision begins there')
  return partsFrom(line, head[0].length)
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
  const pieces = [line.subarray(0, end)]
  const last = line.length - 1
  let at = end
  let from = parts.input
  if (ownText) {
    const text = after(line, at, TEXT)
    at = skipString(line, text)
    pieces.push(other.subarray(from, parts.text), line.subarray(text, at))
    from = parts.textEnd
  }
  if (parts.parameters > 0) {
    const parameters = after(line, at, PARAMETERS)
    at = skipValue(line, parameters)
    pieces.push(other.subarray(from, parts.parameters), line.subarray(parameters, at))
    from = parts.parametersEnd
  }
  if (at !== last || line[last] !== BRACE) throw new Error('a decision does not fit the one that it refers to')
  pieces.push(other.subarray(from))
  return Buffer.concat(pieces)
}

/** The stored line of one that was read, which is its own where it refers to nothing. */
export function storedLine(line: Buffer): Buffer {
  const reference = referenceOf(line)
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
  if (!begins(line, at, what)) throw new Error('a decision is not laid out as decisions are')
  return at + what.length
}
