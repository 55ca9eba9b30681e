/** What a shell writes to its agent: with a terminal all of it in one stream, with the returns that terminals need. */
import type { Refusal } from '../../../gate/refusal.ts'
import { refusalLines } from '../refusal.ts'
import type { ShellHost } from './host.ts'

const LINE_FEED = 0x0a
const RETURN_AND_FEED = Buffer.from('\r\n')

export class Outlet {
  readonly #host: ShellHost
  readonly #terminal: boolean
  /** The last thing that was written ended its row. */
  #fresh = true
  /** The agent does not read. */
  full = false

  constructor(host: ShellHost, terminal: boolean) {
    this.#host = host
    this.#terminal = terminal
  }

  /** What a command writes. False: it has to wait. */
  readonly output = (bytes: Buffer): boolean => {
    if (!this.#terminal) return this.#sent(this.#host.output(bytes))
    if (bytes.length > 0) this.#fresh = bytes.at(-1) === LINE_FEED
    return this.#sent(this.#host.output(withReturns(bytes)))
  }

  readonly error = (bytes: Buffer): boolean =>
    this.#terminal ? this.output(bytes) : this.#sent(this.#host.error(bytes))

  /** What an editor makes: a terminal's bytes already. */
  drawn(text: string): void {
    if (text === '' || !this.#terminal) return
    this.#fresh = text.endsWith('\n')
    this.#sent(this.#host.output(Buffer.from(text)))
  }

  /** What is written next begins a row. */
  ownRow(): void {
    if (!this.#fresh) this.drawn('\r\n')
  }

  /** The line was entered, and the cursor stands on the row below. */
  entered(): void {
    this.#fresh = true
  }

  /** An answer of the shell's own. */
  say(lines: readonly string[]): void {
    if (lines.length > 0) this.output(Buffer.from(`${lines.join('\n')}\n`))
  }

  /** About the shell, and no answer. */
  tell(lines: readonly string[]): void {
    this.error(Buffer.from(`${lines.join('\n')}\n`))
  }

  refuse(because: Refusal): void {
    this.ownRow()
    this.error(refusalLines(because, false))
  }

  #sent(more: boolean): boolean {
    if (!more) this.full = true
    return more
  }
}

/** As a terminal does of what programs write (ONLCR). */
function withReturns(bytes: Buffer): Buffer {
  if (!bytes.includes(LINE_FEED)) return bytes
  const parts: Buffer[] = []
  let from = 0
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, from)) {
    parts.push(bytes.subarray(from, at), RETURN_AND_FEED)
    from = at + 1
  }
  parts.push(bytes.subarray(from))
  return Buffer.concat(parts)
}
