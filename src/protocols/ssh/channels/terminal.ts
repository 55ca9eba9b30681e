/** `pty-req` and `window-change`: RFC 4254, sections 6.2, 6.7 and 8. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { ChannelViolation, fields, Reader } from './messages.ts'
import type { Size } from './program.ts'

export interface PtyRequest {
  readonly name: string
  readonly size: Size
  /** As they are: echo and line editing differ by them. */
  readonly modes: Buffer
}

/** What terminals are called, in terminfo and in kernels. */
const TERMINAL_NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/
/** What a kernel keeps of a size (`struct winsize`). */
const LARGEST_SIZE = 0xffff
/** Opcodes from here on have no form that is known (RFC 4254, section 8), and end the list. */
const FIRST_UNKNOWN_MODE = 160
const MODE_BYTES = 5
/** All the opcodes that there are, once each. */
const MOST_MODES = FIRST_UNKNOWN_MODE * MODE_BYTES + 1

export function isTerminalName(name: string): boolean {
  return TERMINAL_NAME.test(name)
}

export function readPty(body: Buffer): PtyRequest | Refusal {
  const reader = new Reader(body)
  const name = reader.string().toString('latin1')
  const size = readSize(reader)
  const modes = reader.string()
  if (reader.rest().length > 0) throw new ChannelViolation('more follows a pty-req than belongs to it')
  // Some clients have no terminal of their own, and name none.
  if (name !== '' && !isTerminalName(name)) return refusal('command.unsupported', 'there is no terminal of that name')
  if (!areModes(modes)) return refusal('command.unparsable', 'the modes of the terminal cannot be read')
  return { name, size, modes }
}

export function writePty({ name, size, modes }: PtyRequest): Buffer {
  return Buffer.concat([fields(name), writeSize(size), fields(modes)])
}

export function readWindowChange(body: Buffer): Size {
  return readSize(new Reader(body))
}

export function writeSize({ columns, rows, width, height }: Size): Buffer {
  return fields(columns, rows, width, height)
}

function readSize(reader: Reader): Size {
  const next = () => Math.min(reader.uint32(), LARGEST_SIZE)
  return { columns: next(), rows: next(), width: next(), height: next() }
}

/** Opcodes of five bytes each, ended by 0 or by the end. */
function areModes(modes: Buffer): boolean {
  if (modes.length > MOST_MODES) return false
  for (let at = 0; at < modes.length; at += MODE_BYTES) {
    const opcode = modes[at] ?? 0
    if (opcode === 0) return at === modes.length - 1
    if (opcode >= FIRST_UNKNOWN_MODE || at + MODE_BYTES > modes.length) return false
  }
  return true
}
