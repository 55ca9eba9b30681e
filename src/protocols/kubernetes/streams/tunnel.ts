/**
 * port-forward over WebSocket. What it carries is opaque: SPDY inside of messages, or channels that are connections to ports.
 * Its frames are spoken at each end as those of programs are; of its bytes, the number is recorded.
 */
import type { Duplex } from 'node:stream'
import type { Refusal } from '../../../gate/refusal.ts'
import type { RequestFacts } from '../request/facts.ts'
import { answerUpgrade } from '../transport/answer.ts'
import { relayAnswer } from './answer.ts'
import type { Answered, Switched } from './dial.ts'
import { WebSocketEnd } from './end.ts'
import { CLOSE, FrameViolation } from './frames.ts'
import { acceptOf, type Handshake, switchedTo, switching } from './handshake.ts'
import type { AgentEnd, Stream } from './stream.ts'
import { Traffic } from './traffic.ts'
import { Waiting } from './waiting.ts'

export interface TunnelOf {
  readonly socket: Duplex
  readonly handshake: Handshake
  readonly key: string
  readonly facts: RequestFacts
  readonly inFlight: number
  /** The agent is gone. */
  left(): void
}

type Side = 'agent' | 'upstream'
const OTHER = { agent: 'upstream', upstream: 'agent' } as const satisfies Record<Side, Side>

export class TunnelEnd implements AgentEnd {
  readonly #of: TunnelOf
  readonly #waiting: Waiting
  #ends: Readonly<Record<Side, WebSocketEnd>> | null = null
  #traffic: Traffic | null = null

  constructor(of: TunnelOf) {
    this.#of = of
    this.#waiting = new Waiting(of.socket, () => of.left())
  }

  /** Nothing can be said before the connection has switched, and it must not before the API server's has. */
  held(): void {}

  refuse(because: Refusal): void {
    if (this.#ends === null) {
      this.#waiting.release()
      return answerUpgrade(this.#of.socket, because, this.#of.facts)
    }
    this.#ends.agent.close(CLOSE.POLICY)
    this.#ends.upstream.destroy()
  }

  answer(answered: Answered): void {
    this.#waiting.release()
    relayAnswer(this.#of.socket, answered)
  }

  join({ socket, head, headers }: Switched, stream: Stream): boolean {
    const { handshake, key, inFlight } = this.#of
    const protocol = switchedTo(headers, key, handshake.protocols)
    if (protocol === null) return false
    this.#traffic = new Traffic(stream, `opaque: ${protocol}`)
    if (stream.over) return true
    this.#waiting.release()
    this.#of.socket.write(
      switching({
        Upgrade: 'websocket',
        'Sec-WebSocket-Accept': acceptOf(handshake.key),
        'Sec-WebSocket-Protocol': protocol,
      }),
    )
    // Of channels, a message's first byte says whose it is: they stay whole.
    const whole = protocol.startsWith('SPDY/') ? null : inFlight
    this.#ends = {
      agent: new WebSocketEnd(this.#of.socket, 'server', inFlight, this.#events('agent', whole), null),
      upstream: new WebSocketEnd(socket, 'client', inFlight, this.#events('upstream', whole), head),
    }
    return true
  }

  /** That is how a tunnel ends, be it with a word or without: kubectl that is interrupted may reset its connection. */
  left(): void {
    this.#traffic?.ended()
    this.#ends?.upstream.close(CLOSE.GOING_AWAY)
  }

  #events(side: Side, whole: number | null) {
    const gathered = whole === null ? null : new Gathered(whole)
    return {
      data: (bytes: Buffer, last: boolean) => {
        const message = gathered === null ? bytes : gathered.push(bytes, last)
        if (message !== null) this.#forward(side, message)
      },
      drained: () => this.#ends?.[OTHER[side]].resume(),
      gone: (how: 'closed' | 'violation' | 'lost') => this.#gone(side, how),
    }
  }

  #forward(side: Side, bytes: Buffer): void {
    const to = this.#ends?.[OTHER[side]]
    const part = this.#traffic?.pass(side, bytes)
    if (to === undefined || part === undefined) return
    if (part.length > 0) to.send(part)
    if (to.full) this.#ends?.[side].pause()
    this.#traffic?.passed(bytes, part)
  }

  #gone(side: Side, how: 'closed' | 'violation' | 'lost'): void {
    this.#traffic?.ended(side === 'agent' && how === 'violation' ? how : 'well')
    this.#ends?.[OTHER[side]].close(side === 'agent' ? CLOSE.GOING_AWAY : CLOSE.NORMAL)
  }
}

/** Messages that must not be taken apart. */
class Gathered {
  readonly #largest: number
  #pieces: Buffer[] = []
  #length = 0

  constructor(largest: number) {
    this.#largest = largest
  }

  /** The whole message with its last piece, else null. */
  push(bytes: Buffer, last: boolean): Buffer | null {
    this.#length += bytes.length
    if (this.#length > this.#largest) throw new FrameViolation('a message is too long', CLOSE.TOO_LARGE)
    this.#pieces.push(bytes)
    if (!last) return null
    const whole = Buffer.concat(this.#pieces, this.#length)
    this.#pieces = []
    this.#length = 0
    return whole
  }
}
