/** One connection's way to a login: what the agent offers, one attempt after the other, until one proves who it is. */
import type { AuthContext, ClientInfo, Connection as Client } from 'ssh2'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Connection } from '../../../net/connection.ts'
import { NetError } from '../../../net/errors.ts'
import { deadline } from '../../../net/timers.ts'
import type { AcceptedAgent, Proven } from '../legs.ts'
import { attemptOf, isLoginName } from './attempt.ts'
import { type Authenticator, type Judgement, rejected } from './judgement.ts'
import {
  acceptQuestion,
  announceSignatures,
  disconnect,
  DISCONNECT,
  guardChannels,
  guardRequests,
  rekeyAfter,
  sendBanner,
} from './ssh2.ts'
import { holdAhead } from './ssh2/ahead.ts'

/** What a login costs may be more than its attempts: questions whether a key would do, and `none`. */
const REQUESTS_PER_ATTEMPT = 4
/** Reasons that are told before the login is over; who offers many wrong keys is not buried in lines. */
const BANNERS = 3
/** From our last word to the end of the socket: an agent that does not close must not keep it. */
const LINGER = 1_000

export interface LoginLimits {
  readonly handshake: number
  readonly attempts: number
  readonly rekey: number
}

type Ended = Extract<AcceptedAgent, { kind: 'refused' | 'lost' }>

export class Login {
  readonly #connection: Connection
  readonly #limits: LoginLimits
  readonly #authenticator: Authenticator
  readonly #settle: (accepted: AcceptedAgent) => void
  readonly #told = new Set<string>()
  #client: Client | null = null
  #software = ''
  /** The attempt that is under way; ssh2 hears no answer to one that the agent gave up for another. */
  #current: AuthContext | null = null
  #requests = 0
  #failures = 0
  #refusal: Refusal | null = null
  #error: Error | null = null
  #over = false
  #callOff = () => {}

  constructor(
    connection: Connection,
    limits: LoginLimits,
    authenticator: Authenticator,
    settle: (accepted: AcceptedAgent) => void,
  ) {
    this.#connection = connection
    this.#limits = limits
    this.#authenticator = authenticator
    this.#settle = settle
  }

  /** Before the first byte is read. */
  begin(): void {
    const { socket, signal } = this.#connection
    const stop = deadline(this.#limits.handshake, () => {
      this.#error = new NetError('net.timeout', `nobody logged in within ${this.#limits.handshake} ms`)
      this.#end(DISCONNECT.noMoreMethods, 'sidegate: the login took too long [identity.missing]')
    })
    const shutdown = () => {
      this.#error = new NetError('net.aborted', 'the sidecar is shutting down')
      this.#end(DISCONNECT.byApplication, 'sidegate: the sidecar is shutting down')
    }
    const closed = () => this.#finish(this.#ended())
    this.#callOff = () => {
      stop()
      signal.removeEventListener('abort', shutdown)
      socket.off('close', closed)
    }
    socket.once('close', closed)
    // ssh2 does not: a connection that the agent has half closed would stay.
    socket.once('end', () => socket.end())
    if (socket.destroyed) return closed()
    if (signal.aborted) shutdown()
    else signal.addEventListener('abort', shutdown, { once: true })
  }

  /** The agent's greeting came. */
  greeted(client: Client, { header }: ClientInfo): void {
    this.#client = client
    const greeting = [header.versions.software, header.comments].filter(Boolean).join(' ')
    this.#software = greeting.replace(/[^\x20-\x7e]/g, '')
    // Stays for as long as the connection lives: an error that nobody hears would end the process.
    client.on('error', (error) => {
      this.#error ??= error
      this.#closeSoon()
    })
    if (this.#over) return
    announceSignatures(client)
    guardChannels(client)
    guardRequests(client)
    client.on('authentication', (context) => {
      this.#asked(client, context).catch((error: unknown) => {
        this.#error ??= error as Error
        this.#end(DISCONNECT.byApplication, 'sidegate: the login could not be judged [identity.invalid]')
      })
    })
  }

  async #asked(client: Client, context: AuthContext): Promise<void> {
    if (this.#over) return
    this.#current = context
    if (++this.#requests > this.#limits.attempts * REQUESTS_PER_ATTEMPT) return this.#exhausted()
    const { methods } = this.#authenticator
    if (!isLoginName(context.username)) {
      return this.#reject(client, context, refusal('identity.invalid', 'the login name is not one'))
    }
    // Asked by every client first, to learn what there is: it costs no attempt.
    if (context.method === 'none' && methods.length > 0) return context.reject([...methods])
    // A key is judged in the turn in which it came; a token may have to be asked and waited for.
    const read = attemptOf(context, methods)
    const attempt = read instanceof Promise ? await read : read
    if (attempt === 'withdrawn') return
    if (attempt === null) {
      return this.#reject(client, context, refusal('identity.missing', `${context.method} is not taken here`))
    }
    const judged = this.#authenticator.judge(attempt, this.#peer)
    this.#conclude(client, context, judged instanceof Promise ? await judged : judged)
  }

  get #peer() {
    return { address: this.#connection.peer.address, local: this.#connection.local }
  }

  #conclude(client: Client, context: AuthContext, judgement: Judgement): void {
    if (this.#over || this.#current !== context) return
    if (judgement.kind === 'rejected') return this.#reject(client, context, judgement.refusal)
    // Only the request that is signed says who asks: ssh2 answers the question before it, and goes on.
    const asks = context.method === 'publickey' && context.signature === undefined
    if (asks) return acceptQuestion(context)
    if (judgement.kind === 'acceptable') {
      return this.#reject(client, context, rejected('identity.invalid', 'the login was not signed').refusal)
    }
    this.#accept(client, context, judgement.proven)
  }

  #accept(client: Client, context: AuthContext, proven: Proven): void {
    this.#over = true
    holdAhead(client)
    rekeyAfter(client, this.#limits.rekey)
    context.accept()
    this.#finish({ kind: 'session', leg: { client, proven, software: this.#software } })
  }

  #reject(client: Client, context: AuthContext, because: Refusal): void {
    this.#refusal = because
    const { methods } = this.#authenticator
    if (++this.#failures >= this.#limits.attempts) return this.#exhausted()
    if (methods.length === 0) return this.#end(DISCONNECT.notAllowed, told(because))
    const text = [told(because), because.remedy === '' ? [] : `sidegate: ${because.remedy}`].flat().join('\r\n')
    if (this.#told.size < BANNERS && !this.#told.has(text)) sendBanner(client, text)
    this.#told.add(text)
    context.reject([...methods])
  }

  #exhausted(): void {
    const last = this.#refusal ?? refusal('identity.missing')
    this.#refusal = refusal(last.code as 'identity.invalid', `too many attempts to log in: ${last.message}`)
    this.#end(DISCONNECT.noMoreMethods, told(this.#refusal))
  }

  /** Says the last word and waits for the agent to have heard it; the outcome comes with the end of the socket. */
  #end(reason: number, text: string): void {
    if (this.#over) return
    this.#over = true
    if (this.#client === null) return void this.#connection.socket.destroy()
    disconnect(this.#client, reason, text)
    this.#closeSoon()
  }

  #closeSoon(): void {
    const { socket } = this.#connection
    const timer = setTimeout(() => socket.destroy(), LINGER)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
  }

  #ended(): Ended {
    if (this.#refusal !== null) return { kind: 'refused', refusal: this.#refusal }
    const left = this.#client === null ? 'the peer closed the connection before it spoke SSH' : 'the agent left'
    return { kind: 'lost', error: this.#error ?? new NetError('net.aborted', left) }
  }

  #finish(accepted: AcceptedAgent): void {
    this.#over = true
    this.#callOff()
    this.#settle(accepted)
  }
}

function told({ message, code }: Refusal): string {
  return `sidegate: ${message} [${code}]`
}
