/** SPDY, where policy permits what nobody can inspect: two connections joined byte by byte, and only their number recorded. */
import type { Duplex } from 'node:stream'
import type { Refusal } from '../../../gate/refusal.ts'
import type { RequestFacts } from '../request/facts.ts'
import { answerUpgrade } from '../transport/answer.ts'
import { relayAnswer } from './answer.ts'
import type { Answered, Switched } from './dial.ts'
import { SPDY, switching } from './handshake.ts'
import type { AgentEnd, Stream } from './stream.ts'
import { Traffic } from './traffic.ts'
import { Waiting } from './waiting.ts'

/** How long an API server may take what its agent left behind. */
const LEAVING_MS = 5_000

export interface SpliceOf {
  readonly socket: Duplex
  /** The versions of streams that the agent offered. */
  readonly versions: readonly string[]
  readonly facts: RequestFacts
  /** The agent is gone. */
  left(): void
}

export class SpliceEnd implements AgentEnd {
  readonly #of: SpliceOf
  readonly #waiting: Waiting
  #upstream: Duplex | null = null
  #traffic: Traffic | null = null

  constructor(of: SpliceOf) {
    this.#of = of
    this.#waiting = new Waiting(of.socket, () => of.left())
  }

  held(): void {}

  refuse(because: Refusal): void {
    if (this.#upstream !== null) {
      this.#of.socket.destroy()
      this.#upstream.destroy()
      return
    }
    this.#waiting.release()
    answerUpgrade(this.#of.socket, aboutSpdy(because), this.#of.facts)
  }

  answer(answered: Answered): void {
    this.#waiting.release()
    relayAnswer(this.#of.socket, answered)
  }

  join({ socket, head, headers }: Switched, stream: Stream): boolean {
    const { versions } = this.#of
    const version = headers['x-stream-protocol-version']
    const known = version === undefined ? versions.length === 0 : versions.includes(String(version))
    if (!known || headers.upgrade?.toLowerCase() !== SPDY.toLowerCase()) return false
    this.#upstream = socket
    this.#traffic = new Traffic(stream, `opaque: ${SPDY}`)
    if (stream.over) return true
    this.#waiting.release()
    const agent = this.#of.socket
    agent.write(
      switching({ Upgrade: SPDY, ...(version === undefined ? {} : { 'X-Stream-Protocol-Version': String(version) }) }),
    )
    this.#listen('agent', agent, socket)
    this.#listen('upstream', socket, agent)
    if (head.length > 0) socket.unshift(head)
    agent.resume()
    socket.resume()
    return true
  }

  left(): void {
    const upstream = this.#upstream
    this.#traffic?.ended()
    if (upstream === null || upstream.destroyed) return
    upstream.end()
    const timer = setTimeout(() => upstream.destroy(), LEAVING_MS)
    timer.unref()
    upstream.once('close', () => clearTimeout(timer))
  }

  #listen(side: 'agent' | 'upstream', from: Duplex, to: Duplex): void {
    from.on('data', (bytes: Buffer) => {
      const part = this.#traffic?.pass(side, bytes) ?? bytes.subarray(0, 0)
      if (part.length > 0 && !to.write(part)) from.pause()
      this.#traffic?.passed(bytes, part)
    })
    to.on('drain', () => from.resume())
    from.once('end', () => to.end())
    from.once('close', () => {
      this.#traffic?.ended()
      to.end()
    })
  }
}

/** What policy said, and what would have been permitted instead. */
function aboutSpdy({ remedy, ...because }: Refusal): Refusal {
  const advice = 'SPDY cannot be inspected: use a client that speaks WebSocket, such as kubectl 1.31 or newer'
  return { ...because, remedy: remedy === '' ? advice : `${remedy}; ${advice}` }
}
