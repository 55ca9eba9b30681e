/** A line of a line-gated shell as the agent's side of a program: the shell's streams in the place of a channel. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { LineEnd, Running } from '../lines/host.ts'
import type { AgentEnd } from './agent-end.ts'
import { type Exit, readExit } from './exit.ts'
import type { Stream } from './outgoing.ts'
import type { UpstreamProgram } from './upstream-program.ts'

export class LineAgent implements AgentEnd {
  readonly recorded = 'nothing'
  /** How the line ended. */
  readonly ended: Promise<LineEnd>
  readonly #running: Running
  readonly #resolve: (end: LineEnd) => void
  #exit: Exit | null = null
  #program: UpstreamProgram | null = null
  #begun = false
  /** Bytes of the input that wait upstream; while there are any, no more is read. */
  #owed = 0

  constructor(running: Running) {
    const { promise, resolve } = Promise.withResolvers<LineEnd>()
    this.ended = promise
    this.#resolve = resolve
    this.#running = running
  }

  /** Joins the shell's streams to the program, and starts it. */
  run(program: UpstreamProgram): void {
    this.#program = program
    const { input, output, error, signal } = this.#running
    const writable = () => {
      if (!this.full) program.writable()
    }
    output.on('drain', writable)
    error.on('drain', writable)
    input.on('readable', () => this.#read())
    input.once('end', () => program.eof())
    this.#running.onSignal((name) => void program.signalled(name))
    const left = () => {
      program.left()
      const withdrawn = refusal('approval.withdrawn', 'the line was interrupted before it ran')
      this.#resolve(this.#begun ? { signal: 'KILL' } : { refused: withdrawn })
    }
    if (signal.aborted) return left()
    signal.addEventListener('abort', left, { once: true })
    program.start()
  }

  get full(): boolean {
    const { output, error } = this.#running
    return output.writableNeedDrain || error.writableNeedDrain
  }

  write(bytes: Buffer, stream: Stream): void {
    const to = stream === 'data' ? this.#running.output : this.#running.error
    if (to.writable) to.write(bytes)
  }

  credit(bytes: number): void {
    this.#owed -= bytes
    this.#read()
  }

  #read(): void {
    const { input } = this.#running
    while (this.#owed === 0) {
      const chunk = input.read() as Buffer | null
      if (chunk === null) return
      this.#owed += chunk.length
      this.#program?.data(chunk)
    }
  }

  eof(): void {}

  request(name: string, body: Buffer): void {
    this.#exit = readExit(name, body)
  }

  close(): void {
    this.#resolve(this.#exit ?? { refused: refusal('upstream.unavailable', 'the target did not say how it ended') })
  }

  refuse(because: Refusal): void {
    this.#resolve({ refused: because })
  }

  begun(): void {
    this.#begun = true
    this.#running.begun()
  }
}
