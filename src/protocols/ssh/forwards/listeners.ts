/**
 * Remote forwards: listeners that the agent asks the upstream host for (`tcpip-forward`, `streamlocal-forward@openssh.com`).
 *
 * The answers to global requests carry no number: they are given in the order of the requests, which ssh2 keeps. One that is
 * held therefore holds those after it; a channel is never held by it.
 */
import type { Client, Connection as ServerConnection } from 'ssh2'
import { refusal } from '../../../gate/refusal.ts'
import { fields, Reader } from '../channels/messages.ts'
import { type Destination, type Read, readListener, readPath, quoted } from './destination.ts'
import { forwardCommand } from './facts.ts'
import type { Forwarding } from './forwarding.ts'
import type { Grant } from './grants.ts'

/** A request for a listener, or to end one, as the agent words it. */
interface Asked {
  readonly type: 'forwarded-tcpip' | 'forwarded-streamlocal@openssh.com'
  readonly address: string
  /** 0 for a socket, and for any port. */
  readonly port: number
  /** The agent waits for the answer. */
  readonly wanted: boolean
  /** Null refuses. */
  readonly answer: (port: number | null) => void
}

/** Serves the agent's global requests. Those with another name are answered by ssh2 itself, with a failure. */
export function listen(forwarding: Forwarding, client: ServerConnection): void {
  const listeners = new Listeners(forwarding)
  client.on(
    'request',
    (accept: ((port?: number) => void) | undefined, reject: (() => void) | undefined, name, info) => {
      const where: Pick<Asked, 'type' | 'address' | 'port'> =
        'socketPath' in info
          ? { type: 'forwarded-streamlocal@openssh.com', address: String(info.socketPath), port: 0 }
          : { type: 'forwarded-tcpip', address: info.bindAddr, port: info.bindPort }
      const answer = (port: number | null) => (port === null ? reject?.() : accept?.(port))
      const asked: Asked = { ...where, wanted: accept !== undefined, answer }
      if (name.startsWith('cancel-')) listeners.cancel(asked)
      else listeners.ask(asked)
    },
  )
}

class Listeners {
  readonly #forwarding: Forwarding
  /** Asked for and not yet there. */
  #pending = 0

  constructor(forwarding: Forwarding) {
    this.#forwarding = forwarding
  }

  ask(asked: Asked): void {
    const { user } = this.#forwarding
    const read = this.#read(asked)
    if ('destination' in read) return void this.#listen(asked, read.destination)
    const { address, port } = asked
    const about = port === 0 ? quoted(address) : `${quoted(address)} port ${port}`
    this.#forwarding.recordRefused(forwardCommand({ kind: 'remote-forward', user, about }), read.refusal)
    asked.answer(null)
  }

  #read({ type, address, port, wanted }: Asked): Read {
    const { limits, grants } = this.#forwarding
    if (grants.size + this.#pending >= limits.channels) {
      return { refusal: refusal('session.limit', `only ${limits.channels} listeners may be open at once`) }
    }
    if (type === 'forwarded-tcpip' && port === 0 && !wanted) {
      return { refusal: refusal('command.unsupported', 'a listener on any port, of which nobody wants to know which') }
    }
    const read = type === 'forwarded-tcpip' ? readListener(address, port) : readPath(address)
    if ('refusal' in read) return read
    const there = this.#forwarding.grants.listener(type, read.destination.path ?? read.destination.host, port)
    return there === undefined ? read : { refusal: refusal('command.unsupported', 'there is such a listener already') }
  }

  async #listen(asked: Asked, destination: Destination): Promise<void> {
    const forwarding = this.#forwarding
    const command = forwardCommand({ kind: 'remote-forward', user: forwarding.user, destination })
    const bytes = fields(destination.path ?? destination.host, asked.port)
    let grant: Grant | null = null
    const cut = () => {
      if (grant !== null) void this.#withdraw(grant)
    }
    const tunnel = forwarding.tunnel(command, bytes, { cut })
    this.#pending++
    try {
      const refused = await tunnel.rule()
      const taken = refused ?? (await tunnel.take())
      if ('code' in taken) return asked.answer(null)
      const { client } = await forwarding.upstream()
      const reader = new Reader(Buffer.from(taken))
      const [bound, port] = [reader.string().toString(), reader.uint32()]
      await bind(client, asked.type, bound, port, (chosen) => {
        grant = this.#established(asked, { bound, port: chosen, tunnel })
      })
    } catch (error) {
      tunnel.fail(forwarding.failure(error).code)
      asked.answer(null)
    } finally {
      this.#pending--
    }
  }

  /** Called in the turn of the upstream host's answer: the first connection may follow at once. */
  #established({ type, address, answer }: Asked, there: Pick<Grant, 'bound' | 'port' | 'tunnel'>): Grant | null {
    const grant: Grant = { type, address, single: false, ...there }
    const { tunnel, port } = there
    tunnel.note(type === 'forwarded-tcpip' ? `listening on port ${port}` : 'listening')
    if (tunnel.ended !== null) {
      void this.#withdraw(grant)
      answer(null)
      return null
    }
    this.#forwarding.grants.add(grant)
    answer(port)
    return grant
  }

  /** The agent wants no more connections; those that there are go on. It takes nothing from anybody, and is not judged. */
  cancel({ type, address, port, answer }: Asked): void {
    const read = type === 'forwarded-tcpip' ? readListener(address, port) : readPath(address)
    if ('refusal' in read) return answer(null)
    const grant = this.#forwarding.grants.listener(type, read.destination.path ?? read.destination.host, port)
    if (grant === undefined) return answer(null)
    void this.#withdraw(grant).then((withdrawn) => answer(withdrawn ? port : null))
    grant.tunnel.last()
  }

  /** The upstream host is to listen no longer; says whether it did as it was told. Never rejects. */
  async #withdraw(grant: Grant): Promise<boolean> {
    this.#forwarding.grants.remove(grant)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const done = (error?: Error | null) => resolve(!(error instanceof Error))
    try {
      const { client } = await this.#forwarding.upstream()
      if (grant.type === 'forwarded-tcpip') client.unforwardIn(grant.bound, grant.port, done)
      else client.openssh_unforwardInStreamLocal(grant.bound, done)
    } catch {
      // The leg is gone, and its listeners with it.
      resolve(true)
    }
    return promise
  }
}

/** Asks the upstream host for a listener. `bound` is told the port, 0 for a socket. */
function bind(client: Client, type: Asked['type'], address: string, port: number, bound: (port: number) => void) {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  if (type === 'forwarded-tcpip') {
    client.forwardIn(address, port, (error, chosen) => {
      if (error !== undefined) return reject(error)
      // A server that was asked for any port and does not say which.
      if (chosen === 0) return reject(new Error('the port of the listener is not known'))
      bound(chosen)
      resolve()
    })
  } else {
    client.openssh_forwardInStreamLocal(address, (error?: Error | null) => {
      if (error instanceof Error) return reject(error)
      bound(0)
      resolve()
    })
  }
  return promise
}
