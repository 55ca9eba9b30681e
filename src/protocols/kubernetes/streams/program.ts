/**
 * exec and attach over WebSocket: the agent's end and the API server's, each spoken by itself, and the streams between them.
 *
 * A refusal is told in the streams' own form, behind a 101: kubectl shows it once and exits with 126, where a refused handshake
 * would be tried again over SPDY. Who waits for people is answered at once for the same reason, and because kubectl gives up on a
 * server that is silent for a minute: its pings are answered meanwhile, and it reads on its standard error what it waits for.
 */
import type { Duplex } from 'node:stream'
import type { Decision } from '../../../gate/decision.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { RequestFacts } from '../request/facts.ts'
import { relayAnswer } from './answer.ts'
import { AgentChannels, CHANNEL, UpstreamChannels, type Version, writeSize } from './channels.ts'
import type { Answered, Switched } from './dial.ts'
import { WebSocketEnd } from './end.ts'
import { ExitReader, refusedExit, tellOf } from './exit.ts'
import { CLOSE } from './frames.ts'
import { acceptOf, type Handshake, switchedTo, switching } from './handshake.ts'
import type { AgentEnd, Stream } from './stream.ts'
import { Waiting } from './waiting.ts'

const EMPTY = Buffer.alloc(0)

export interface ProgramOf {
  readonly socket: Duplex
  readonly handshake: Handshake
  /** The key of our own handshake with the API server. */
  readonly key: string
  readonly facts: RequestFacts
  readonly inFlight: number
  /** The agent is gone. */
  left(): void
}

export class ProgramEnd implements AgentEnd {
  readonly #of: ProgramOf
  readonly #waiting: Waiting
  readonly #exit = new ExitReader()
  #agent: WebSocketEnd | null = null
  #upstream: WebSocketEnd | null = null
  #stream: Stream | null = null
  #version: Version | null = null
  #input: AgentChannels | null = null
  /** What the agent sent before there was anybody to take it. */
  #early: (() => void)[] = []
  #earlyBytes = 0

  constructor(of: ProgramOf) {
    this.#of = of
    this.#waiting = new Waiting(of.socket, () => of.left())
  }

  held(demands: Decision['approvals']): void {
    this.#accept(this.#of.handshake.protocols[0] as Version)
    this.#tell(`sidegate: waiting for an approval (${demands.map(({ code }) => code).join(', ')})`)
  }

  refuse(because: Refusal): void {
    this.#accept(this.#of.handshake.protocols[0] as Version)
    const told = this.#tell(tellOf(because, this.#of.facts))
    this.#agent?.send(refusedExit(because, this.#of.facts, told), [CHANNEL.ERROR])
    this.#agent?.close()
    this.#upstream?.destroy()
  }

  answer(answered: Answered): void {
    if (this.#agent === null) {
      this.#waiting.release()
      relayAnswer(this.#of.socket, answered)
    } else if (isStatus(answered.body)) {
      this.#agent.send(answered.body, [CHANNEL.ERROR])
      this.#agent.close()
    } else this.refuse(refusal('upstream.rejected', `the API server answered ${answered.status}`))
  }

  join({ socket, head, headers }: Switched, stream: Stream): boolean {
    const { handshake, key, inFlight } = this.#of
    const version = switchedTo(headers, key, this.#version === null ? handshake.protocols : [this.#version])
    if (version === null) return false
    this.#stream = stream
    this.#accept(version as Version)
    const output = new UpstreamChannels({
      output: (bytes) => this.#output(bytes, 'output'),
      error: (bytes) => this.#output(bytes, 'error'),
      status: (bytes) => this.#status(bytes),
    })
    const events = {
      data: (bytes: Buffer, last: boolean) => output.push(bytes, last),
      drained: () => this.#agent?.resume(),
      gone: (how: 'closed' | 'violation' | 'lost') => this.#upstreamGone(how),
    }
    this.#upstream = new WebSocketEnd(socket, 'client', inFlight, events, head)
    for (const send of this.#early.splice(0)) send()
    if (!this.#upstream.full) this.#agent?.resume()
    return true
  }

  left(): void {
    this.#upstream?.close(CLOSE.GOING_AWAY)
  }

  /** The agent's connection becomes a WebSocket. Once. */
  #accept(version: Version): void {
    if (this.#agent !== null) return
    const { socket, handshake, inFlight } = this.#of
    this.#waiting.release()
    this.#version = version
    socket.write(
      switching({
        Upgrade: 'websocket',
        'Sec-WebSocket-Accept': acceptOf(handshake.key),
        'Sec-WebSocket-Protocol': version,
      }),
    )
    this.#input = new AgentChannels(version, {
      input: (bytes) => this.#later(bytes.length, () => this.#send(bytes)),
      inputEnds: () => this.#later(0, () => this.#upstream?.send(Buffer.of(CHANNEL.STDIN), [CHANNEL.CLOSE])),
      resized: (columns, rows) => this.#later(0, () => this.#resize(columns, rows)),
    })
    const events = {
      data: (bytes: Buffer, last: boolean) => this.#input?.push(bytes, last),
      drained: () => this.#upstream?.resume(),
      gone: (how: 'closed' | 'violation' | 'lost') => this.#agentGone(how),
    }
    this.#agent = new WebSocketEnd(socket, 'server', inFlight, events, null)
  }

  /** At once where the API server is there, else when it will be. */
  #later(bytes: number, send: () => void): void {
    if (this.#upstream !== null) return send()
    this.#early.push(send)
    this.#earlyBytes += bytes + EARLY_COST
    if (this.#earlyBytes > this.#of.inFlight) this.#agent?.pause()
  }

  #send(bytes: Buffer): void {
    if (this.#stream === null || this.#of.facts.exec?.stdin !== true) return
    const part = this.#stream.input(bytes)
    if (part.length > 0) this.#upstream?.send(part, [CHANNEL.STDIN])
    if (this.#upstream?.full === true) this.#agent?.pause()
    this.#stream.passed(bytes, part)
  }

  #resize(columns: number, rows: number): void {
    if (this.#of.facts.exec?.tty !== true) return
    this.#stream?.resized(columns, rows)
    this.#upstream?.send(writeSize(columns, rows), [CHANNEL.RESIZE])
  }

  #output(bytes: Buffer, as: 'output' | 'error'): void {
    const part = this.#stream?.output(bytes, as) ?? EMPTY
    if (this.#stream?.over === true) return
    this.#agent?.send(part, [as === 'output' ? CHANNEL.STDOUT : CHANNEL.STDERR])
    if (this.#agent?.full === true) this.#upstream?.pause()
    this.#stream?.passed(bytes, part)
  }

  #status(bytes: Buffer): void {
    if (this.#stream?.over === true) return
    this.#exit.push(bytes)
    this.#agent?.send(bytes, [CHANNEL.ERROR])
  }

  #upstreamGone(how: 'closed' | 'violation' | 'lost'): void {
    const stream = this.#stream
    if (stream === null || stream.over) return
    if (!this.#exit.told && how !== 'closed') {
      return stream.stop(refusal('upstream.unavailable', 'the connection to the API server was lost'), 'lost')
    }
    stream.finished(this.#exit.read())
    this.#agent?.close()
  }

  /** A client that has read how it ended leaves at once. */
  #agentGone(how: 'closed' | 'violation' | 'lost'): void {
    if (this.#stream !== null && this.#exit.told) this.#stream.finished(this.#exit.read())
    else if (this.#stream !== null && how === 'violation') this.#stream.left('protocol.violation')
    else this.#of.left()
    this.#upstream?.close(CLOSE.GOING_AWAY)
  }

  /** On a stream that the agent asked for; false where it asked for none that a person reads. */
  #tell(text: string): boolean {
    const exec = this.#of.facts.exec
    // A terminal has one stream, and is in raw mode.
    if (exec?.tty === true && exec.stdout) this.#agent?.send(Buffer.from(`${text}\r\n`), [CHANNEL.STDOUT])
    else if (exec?.stderr === true) this.#agent?.send(Buffer.from(`${text}\n`), [CHANNEL.STDERR])
    else return false
    return true
  }
}

/** What a message that waits costs besides its bytes: endless empty ones must not fill the memory. */
const EARLY_COST = 64

function isStatus(body: Buffer): boolean {
  try {
    const status: unknown = JSON.parse(body.toString())
    return typeof status === 'object' && status !== null && 'kind' in status && status.kind === 'Status'
  } catch {
    return false
  }
}
