/**
 * Joins a channel of the agent's leg to one of the upstream's: data, end of data and close go on as they come, in order.
 *
 * Each side's window is given back only when the other has taken what it sent, so that a slow side slows the other and nothing
 * piles up in between. When both have ended their data, or one has closed, both are closed once what waits has gone.
 */
import type { Channel } from '../channels/channel.ts'

export type Side = 'agent' | 'upstream'

export interface SpliceTerms {
  /** Says how much of a chunk may go on; with less than all of it, both sides are closed after that. */
  pass(from: Side, bytes: Buffer): Buffer
  /** Both channels are over. Once, and last. */
  closed(): void
}

const OTHER = { agent: 'upstream', upstream: 'agent' } as const satisfies Record<Side, Side>

export class Splice {
  readonly #channels: Readonly<Record<Side, Channel>>
  readonly #terms: SpliceTerms
  /** Bytes of a side that the other has not taken yet. */
  readonly #owed: Record<Side, number> = { agent: 0, upstream: 0 }
  readonly #open = new Set<Side>(['agent', 'upstream'])
  readonly #sending = new Set<Side>(['agent', 'upstream'])

  constructor(agent: Channel, upstream: Channel, terms: SpliceTerms) {
    this.#channels = { agent, upstream }
    this.#terms = terms
    this.#listen('agent')
    this.#listen('upstream')
  }

  /** The agent has closed, and what it sent waits for the upstream's window. */
  get stuck(): boolean {
    return !this.#open.has('agent') && this.#open.has('upstream') && this.#channels.upstream.full
  }

  /** Ends both sides at once; what waits is dropped. */
  abort(): void {
    this.#channels.agent.abort()
    this.#channels.upstream.abort()
  }

  #listen(side: Side): void {
    const from = this.#channels[side]
    const to = this.#channels[OTHER[side]]
    from.events = {
      // A standard error, which these channels do not have, is owed nothing: its window closes.
      data: (bytes, stream) => {
        if (stream === 'data') this.#forward(side, bytes)
      },
      eof: () => {
        to.eof()
        this.#sending.delete(side)
        if (this.#sending.size === 0) this.#close()
      },
      request: ({ wantReply }) => {
        if (wantReply) from.reply(false)
      },
      writable: () => this.#credit(OTHER[side]),
      closed: () => {
        this.#open.delete(side)
        if (this.#open.size === 0) this.#terms.closed()
        else to.close()
      },
    }
  }

  #forward(side: Side, bytes: Buffer): void {
    const to = this.#channels[OTHER[side]]
    const passed = this.#terms.pass(side, bytes)
    to.write(passed)
    this.#owed[side] += bytes.length
    if (passed.length < bytes.length) this.#close()
    else if (!to.full) this.#credit(side)
  }

  #credit(side: Side): void {
    const owed = this.#owed[side]
    if (owed === 0) return
    this.#owed[side] = 0
    this.#channels[side].credit(owed)
  }

  #close(): void {
    this.#channels.agent.close()
    this.#channels.upstream.close()
  }
}
