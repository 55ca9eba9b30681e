import fc from 'fast-check'
import t from 'tap'
import { Channel } from '../../../../src/protocols/ssh/channels/channel.ts'
import { MESSAGE } from '../../../../src/protocols/ssh/channels/messages.ts'
import type { Transport } from '../../../../src/protocols/ssh/channels/transport.ts'
import { Splice } from '../../../../src/protocols/ssh/forwards/splice.ts'

const WINDOW = 64

/** Who is at the other end of a leg, and keeps to the protocol. */
class Peer {
  readonly channel: Channel
  readonly sent: number[] = []
  readonly got: number[] = []
  /** What it may still send, and what it still lets come. */
  credit = WINDOW
  window: number
  ended = false
  closed = false
  sawEnd = false
  sawClose = false
  released = false
  readonly #state = { congested: false }
  /** The end of data came, and then more. */
  wrong = false

  constructor(window: number) {
    this.window = window
    const state = this.#state
    const transport: Pick<Transport, 'send' | 'data' | 'congested'> = {
      send: (message) => this.#message(message),
      data: (_, bytes) => {
        this.got.push(...bytes)
        this.window -= bytes.length
        if (this.sawEnd || this.sawClose || this.window < 0) this.wrong = true
      },
      get congested() {
        return state.congested
      },
    }
    const events = { data() {}, eof() {}, request() {}, writable() {}, closed() {} }
    const opening = { local: 0, remote: 0, window, packet: 16 }
    this.channel = new Channel(transport as Transport, opening, WINDOW, () => (this.released = true), events)
  }

  #message(message: Buffer): void {
    if (message[0] === MESSAGE.WINDOW_ADJUST) this.credit += message.readUInt32BE(5)
    if (message[0] === MESSAGE.EOF) this.sawEnd = true
    if (message[0] === MESSAGE.CLOSE) {
      this.sawClose = true
      this.close()
    }
    if (this.credit > WINDOW) this.wrong = true
  }

  send(bytes: readonly number[]): void {
    if (this.ended || this.closed) return
    const some = bytes.slice(0, this.credit)
    if (some.length === 0) return
    this.credit -= some.length
    this.sent.push(...some)
    this.channel.received.data(Buffer.from(some), 'data')
  }

  end(): void {
    if (this.ended || this.closed) return
    this.ended = true
    this.channel.received.eof()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.channel.received.close()
  }

  widen(bytes: number): void {
    if (this.closed) return
    this.window += bytes
    this.channel.received.adjust(bytes)
  }

  congest(congested: boolean): void {
    this.#state.congested = congested
    if (!congested) this.channel.drained()
  }
}

type Step = { readonly who: 'agent' | 'upstream'; readonly does: (peer: Peer) => void; readonly what: string }

const who = fc.constantFrom('agent' as const, 'upstream' as const)
const step = (what: string, does: fc.Arbitrary<(peer: Peer) => void>): fc.Arbitrary<Step> =>
  fc.record({ who, does, what: fc.constant(what) })
const send = step(
  'send',
  fc.array(fc.nat(255), { minLength: 1, maxLength: 80, size: 'max' }).map((bytes) => (peer) => peer.send(bytes)),
)
const widen = step(
  'widen',
  fc.nat(100).map((bytes) => (peer) => peer.widen(bytes)),
)
const congest = step(
  'congest',
  fc.boolean().map((congested) => (peer) => peer.congest(congested)),
)
const end = step(
  'end',
  fc.constant((peer) => peer.end()),
)
const close = step(
  'close',
  fc.constant((peer) => peer.close()),
)

interface Stage {
  readonly agent: Peer
  readonly upstream: Peer
  closed: number
}

function stageOf(windows: readonly [number, number], most = Number.POSITIVE_INFINITY): Stage {
  const stage: Stage = { agent: new Peer(windows[0]), upstream: new Peer(windows[1]), closed: 0 }
  let left = most
  const pass = (_: unknown, bytes: Buffer) => {
    const part = bytes.subarray(0, Math.min(left, bytes.length))
    left -= part.length
    return part
  }
  // It lives by the channels' events.
  void new Splice(stage.agent.channel, stage.upstream.channel, { pass, closed: () => stage.closed++ })
  return stage
}

const windows = fc.tuple(fc.nat(100), fc.nat(100))
const isPrefix = (part: readonly number[], whole: readonly number[]) =>
  part.every((byte, index) => whole[index] === byte)
const same = (left: readonly number[], right: readonly number[]) =>
  left.length === right.length && isPrefix(left, right)

/** Both sides take all that they are given. */
function openUp(...peers: Peer[]): void {
  for (let round = 0; round < 100; round++) {
    for (const peer of peers) {
      peer.congest(false)
      peer.widen(1000)
    }
  }
}

t.test(
  'whatever the order, data arrive whole and in order before their end, and nobody is sent more than he takes',
  async (t) => {
    fc.assert(
      fc.property(
        windows,
        fc.array(fc.oneof({ arbitrary: send, weight: 5 }, widen, congest, end), { maxLength: 60, size: 'max' }),
        (sizes, steps) => {
          const stage = stageOf(sizes)
          const { agent, upstream } = stage
          for (const { who: name, does } of steps) {
            does(stage[name])
            if (!isPrefix(upstream.got, agent.sent) || !isPrefix(agent.got, upstream.sent)) return false
            // What waits in between is never more than a window.
            if (agent.sent.length - upstream.got.length > WINDOW) return false
            if (upstream.sent.length - agent.got.length > WINDOW) return false
          }
          openUp(agent, upstream)
          // What was taken may be sent anew: only a part of the window is given back later.
          for (const peer of [agent, upstream])
            if (!peer.ended && !peer.sawClose && peer.credit <= WINDOW / 2) return false
          if (agent.ended !== upstream.sawEnd && !upstream.sawClose) return false
          if (upstream.ended !== agent.sawEnd && !agent.sawClose) return false
          if (!same(upstream.got, agent.sent) || !same(agent.got, upstream.sent)) return false
          const both = agent.ended && upstream.ended
          return !agent.wrong && !upstream.wrong && stage.closed === (both ? 1 : 0) && agent.released === both
        },
      ),
      { numRuns: 500 },
    )
    t.pass()
  },
)

t.test('whoever closes and when, both sides are closed once, and what was sent before a close arrives', async (t) => {
  const steps = fc.array(fc.oneof({ arbitrary: send, weight: 5 }, widen, congest, end, close), {
    maxLength: 60,
    size: 'max',
  })
  fc.assert(
    fc.property(windows, steps, who, (sizes, all, closer) => {
      const stage = stageOf(sizes)
      const { agent, upstream } = stage
      for (const { who: name, does } of all) does(stage[name])
      stage[closer].close()
      openUp(agent, upstream)
      const first = closer === 'agent' ? [upstream.got, agent.sent] : [agent.got, upstream.sent]
      const early = all.some(({ what }) => what === 'close')
      const whole = early || same(first[0] ?? [], first[1] ?? [])
      const parts = isPrefix(upstream.got, agent.sent) && isPrefix(agent.got, upstream.sent)
      const over = stage.closed === 1 && agent.released && upstream.released && agent.sawClose && upstream.sawClose
      return whole && parts && over && !agent.wrong && !upstream.wrong
    }),
    { numRuns: 500 },
  )
  t.pass()
})

t.test('with a limit, exactly as many bytes arrive, and then both sides are closed', async (t) => {
  fc.assert(
    fc.property(
      windows,
      fc.array(fc.oneof({ arbitrary: send, weight: 5 }, widen, congest), { maxLength: 60, size: 'max' }),
      fc.nat(200),
      (sizes, steps, most) => {
        const stage = stageOf(sizes, most)
        const { agent, upstream } = stage
        for (const { who: name, does } of steps) does(stage[name])
        openUp(agent, upstream)
        const sent = agent.sent.length + upstream.sent.length
        const got = agent.got.length + upstream.got.length
        return sent > most ? got === most && stage.closed === 1 : got === sent && stage.closed === 0
      },
    ),
    { numRuns: 500 },
  )
  t.pass()
})

t.test('a leg that is lost ends both sides, also while data wait', async (t) => {
  const stage = stageOf([0, 0])
  stage.agent.send([1, 2, 3])
  stage.upstream.channel.cut()
  t.ok(stage.agent.sawClose)
  t.equal(stage.closed, 1)
})
