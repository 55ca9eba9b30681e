/**
 * Does what the inspector of one `sftp` channel says: asks the gate, and sends. What is permitted leaves when its decision is on
 * record, and everything leaves in its order; the transport only has to hand bytes in and take bytes away.
 */
import type { Gate, Permit, Verdict } from '../../../gate/gate.ts'
import type { Session } from '../../../gate/session.ts'
import { honourFiles } from '../obligations.ts'
import type { Settings } from './exchange.ts'
import type { OpenFile } from './handles.ts'
import { SftpInspector } from './inspector.ts'
import type { Origination } from './origination.ts'
import type { ProtocolViolation } from './packets/violation.ts'
import type { Judge, Step } from './steps.ts'
import type { Transfer } from './transfer.ts'

export interface Transport {
  toServer(bytes: Uint8Array): void
  toAgent(bytes: Uint8Array): void
  /** An entry of the transcript of what was opened under the permit. */
  transferred(transfer: Transfer, permit: Permit): void
  /** The channel has to end. Nothing more is sent. */
  violated(by: 'agent' | 'server', violation: ProtocolViolation): void
  /** The journal failed, or Sidegate did: the connection has to end. Nothing more is sent. */
  failed(error: unknown): void
}

type Item =
  | { readonly permit: Permit; readonly streamed: Buffer | null }
  | { readonly permit: null; readonly origination: Origination }

/** Packets up to this size go out together: each write is a packet of SSH, with its padding and its digest. */
const TOGETHER = 16 * 1024

export class SftpRelay {
  readonly #gate: Gate
  readonly #session: Session
  readonly #transport: Transport
  readonly #inspector: SftpInspector
  readonly #leaving = new AbortController()
  #items: Item[] = []
  #answers: Uint8Array[] = []
  /** Batches whose records are on their way to the disk. */
  #batches = 0

  constructor(gate: Gate, session: Session, settings: Settings, transport: Transport) {
    this.#gate = gate
    this.#session = session
    this.#transport = transport
    this.#inspector = new SftpInspector(settings)
  }

  /** Bytes of the agent's that wait: while they are many, it should not be read from. */
  get buffered(): number {
    return this.#inspector.buffered
  }

  /** All that the agent has sent has gone to the server, or was answered. */
  get idle(): boolean {
    return this.#inspector.idle && this.#items.length === 0 && this.#batches === 0
  }

  /** The open files by their handles' bytes (latin1). */
  get files(): ReadonlyMap<string, OpenFile> {
    return this.#inspector.files
  }

  /** A chunk that nobody writes to any more. */
  fromAgent(chunk: Buffer): void {
    if (!this.#over) this.#run(this.#inspector.fromAgent(chunk))
  }

  fromServer(chunk: Buffer): void {
    if (!this.#over) this.#run(this.#inspector.fromServer(chunk))
  }

  /** The channel is over: what runs is settled, what waits for people is withdrawn. */
  end(): void {
    if (this.#over) return
    this.#leaving.abort()
    this.#items = []
    this.#run(this.#inspector.ended())
  }

  get #over(): boolean {
    return this.#leaving.signal.aborted
  }

  #run(first: Step[]): void {
    let steps = first
    while (steps.length > 0) {
      let next: Step[] = []
      for (const step of steps) {
        if (step.kind !== 'judge') this.#do(step)
        else {
          const verdict = this.#judge(step)
          if (verdict instanceof Promise) void this.#ruleLate(verdict)
          else next = this.#inspector.ruled(verdict)
        }
      }
      steps = next
    }
    this.#flush()
  }

  #judge(judge: Judge): Verdict | Promise<Verdict> {
    const { command, bytes } = judge
    return this.#gate.rule(this.#session, {
      commands: [command],
      bytes,
      honour: honourFiles,
      signal: this.#leaving.signal,
      ...(judge.streams ? { revoked: (because) => this.#inspector.revoked(judge, because) } : {}),
    })
  }

  async #ruleLate(verdict: Promise<Verdict>): Promise<void> {
    try {
      this.#run(this.#inspector.ruled(await verdict))
    } catch (error) {
      this.#fail(error)
    }
  }

  #do(step: Exclude<Step, Judge>): void {
    switch (step.kind) {
      case 'forward':
        this.#items.push({ permit: step.permit, streamed: null })
        break
      case 'stream':
        this.#items.push({ permit: step.permit, streamed: step.bytes })
        break
      case 'originate':
        this.#items.push({ permit: null, origination: step.bytes })
        break
      case 'answer':
        this.#answers.push(step.bytes)
        break
      case 'refuse':
        this.#gate.refuse(this.#session, step.command, step.because)
        break
      case 'settle':
        this.#gate.settle(step.permit, 0, step.outcome)
        break
      case 'transfer':
        this.#transport.transferred(step.transfer, step.permit)
        break
      case 'violation':
        this.#leaving.abort()
        this.#items = []
        this.#answer()
        this.#transport.violated(step.by, step.violation)
        break
    }
  }

  #answer(): void {
    const answers = this.#answers
    this.#answers = []
    gather(answers, (bytes) => this.#transport.toAgent(bytes))
  }

  #flush(): void {
    this.#answer()
    if (this.#items.length === 0) return
    const batch = this.#items
    this.#items = []
    // What needs no new record need not wait for one, unless it is behind something that does.
    if (this.#batches === 0 && batch.every((item) => item.permit === null || item.streamed !== null)) {
      return this.#send(batch)
    }
    this.#batches++
    this.#gate.whenRecorded((error) => {
      this.#batches--
      if (this.#over) return
      if (error !== null) return this.#fail(error)
      try {
        this.#send(batch)
      } catch (misuse) {
        this.#fail(misuse)
      }
    })
  }

  #send(batch: readonly Item[]): void {
    const parts: Uint8Array[] = []
    const late: Step[] = []
    for (const item of batch) {
      if (item.permit === null) parts.push(item.origination)
      else if (item.streamed === null) parts.push(item.permit.take())
      else if (item.permit.streaming) parts.push(item.permit.pass(item.streamed))
      else late.push(...this.#inspector.undelivered(item.streamed))
    }
    gather(parts, (bytes) => this.#transport.toServer(bytes))
    if (late.length > 0) this.#run(late)
  }

  #fail(error: unknown): void {
    if (this.#over) return
    this.end()
    this.#transport.failed(error)
  }
}

/** Writes the parts in order, small neighbours together. */
function gather(parts: readonly Uint8Array[], write: (bytes: Uint8Array) => void): void {
  let waiting: Uint8Array[] = []
  let size = 0
  const flush = (): void => {
    if (waiting.length > 0) write(waiting.length === 1 ? (waiting[0] as Uint8Array) : Buffer.concat(waiting, size))
    waiting = []
    size = 0
  }
  for (const part of parts) {
    if (size + part.length > TOGETHER) flush()
    waiting.push(part)
    size += part.length
  }
  flush()
}
