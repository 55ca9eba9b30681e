/** The words for what happens beside a program's own output: one line each, without anything that acts on a terminal. */
import type { FrameKind } from '../../gate/ports.ts'
import type { DecisionRecord } from '../records.ts'

/** Enough to recognise a command by. */
const LABEL_LENGTH = 200

/** A decision: what was asked, and what was answered. */
export function labelOf({ input, custom }: DecisionRecord): string {
  const { action, text } = input.command
  const what = oneLine(text === '' || text === action ? action : `${action} ${text}`)
  if (custom.refusal !== undefined) return `refused [${custom.refusal.code}] ${what}`
  return custom.grant === undefined ? what : `approved by ${oneLine(custom.grant.by.join(', '))}: ${what}`
}

/** A frame that is no output. */
export function markerOf(kind: FrameKind, data: string): string {
  if (kind === 'signal') return `signal ${oneLine(data)}`
  const facts = parsed(data)
  if (facts === null) return oneLine(data)
  if (kind === 'exit')
    return 'signal' in facts ? `ended by signal ${word(facts['signal'])}` : `exit ${word(facts['status'])}`
  if (kind === 'transfer') return transferOf(facts)
  const { streams } = facts
  return kind === 'marker' && isObject(streams) ? volumesOf(streams) : oneLine(data)
}

/** A file: what moved, and its digest. */
function transferOf(facts: Readonly<Record<string, unknown>>): string {
  const { path, bytesRead, bytesWritten, sha256, note } = facts
  const moved = [
    ...(typeof bytesRead === 'number' && bytesRead > 0 ? [`read ${bytesRead} bytes`] : []),
    ...(typeof bytesWritten === 'number' && bytesWritten > 0 ? [`wrote ${bytesWritten} bytes`] : []),
  ]
  const proof = typeof sha256 === 'string' ? `sha256 ${word(sha256)}` : word(note ?? '')
  return [oneLine(word(path)), moved.join(', ') || 'nothing moved', proof].filter((part) => part !== '').join('  ')
}

/** Streams of which not all was recorded. */
function volumesOf(streams: Readonly<Record<string, unknown>>): string {
  return Object.entries(streams)
    .flatMap(([name, facts]) =>
      isObject(facts) ? [`${oneLine(name)} ${word(facts['bytes'])} bytes sha256 ${word(facts['sha256'])}`] : [],
    )
    .join(', ')
}

function parsed(data: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(data)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function word(value: unknown): string {
  return typeof value === 'string' ? oneLine(value) : typeof value === 'number' ? String(value) : ''
}

function oneLine(text: string): string {
  const line = text.replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  return line.length > LABEL_LENGTH ? `${line.slice(0, LABEL_LENGTH).toWellFormed()}…` : line
}
