/**
 * Remote forwards: listeners that the agent asks the upstream host for (`tcpip-forward`, `streamlocal-forward@openssh.com`).
 *
 * The answers to global requests carry no number: they are given in the order of the requests, which ssh2 keeps. One that is
 * held therefore holds those after it; a channel is never held by it.
 */
import type { Client, Connection as ServerConnection } from 'ssh2'
import { refusal } from '../../../gate/refusal.ts'
import { fields, Reader } from '../channels/messages.ts'
import { type Read, readListener, readPath, quoted } from './destination.ts'
import { forwardCommand } from './facts.ts'
import type { Forwarding } from './forwarding.ts'
import type { Grant } from './grants.ts'
import type { Tunnel } from './tunnel.ts'

type Accept = ((port?: number) => void) | undefined
type Reject = (() => void) | undefined

/** A request for a listener, or to end one. `wanted` is false where nobody waits for the answer. */
interface Listening {
  readonly type: 'forwarded-tcpip' | 'forwarded-streamlocal@openssh.com'
  readonly address: string
  readonly port: number
  readonly wanted: boolean
  readonly answer: (port: number | null) => void
}

/** Hears the agent's global requests. Those with another name are answered by ssh2 itself, with a failure. */
export function serveListeners(forwarding: Forwarding, client: ServerConnection): void {
  client.on('request', (accept: Accept, reject: Reject, name, info) => {
    const answer = (port: number | null) => (port === null ? reject?.() : accept?.(port))
    const wanted = accept !== undefined
    const where: Pick<Listening, 'type' | 'address' | 'port'> =
      'socketPath' in info
        ? { type: 'forwarded-streamlocal@openssh.com', address: String(info.socketPath), port: 0 }
        : { type: 'forwarded-tcpip', address: info.bindAddr, port: info.bindPort }
    const listening: Listening = { ...where, wanted, answer }
    if (name.startsWith('cancel-')) cancel(forwarding, listening)
    else void listen(forwarding, listening)
  })
}

async function listen(forwarding: Forwarding, asked: Listening): Promise<void> {
  const { user } = forwarding
  const read = readOf(forwarding, asked)
  if ('refusal' in read) {
    const about = asked.port === 0 ? quoted(asked.address) : `${quoted(asked.address)} port ${asked.port}`
    forwarding.recordRefused(forwardCommand({ kind: 'remote-forward', user, about }), read.refusal)
    return asked.answer(null)
  }
  const { destination } = read
  const command = forwardCommand({ kind: 'remote-forward', user, destination })
  let grant: Grant | null = null
  const cut = () => {
    if (grant !== null) void withdraw(forwarding, grant)
  }
  const tunnel = forwarding.tunnel(command, fields(asked.address, asked.port), { cut })
  try {
    const refused = await tunnel.rule()
    const taken = refused ?? (await tunnel.take())
    if ('code' in taken) return asked.answer(null)
    const { client } = await forwarding.upstream()
    const reader = new Reader(Buffer.from(taken))
    const [address, port] = [reader.string().toString(), reader.uint32()]
    await bind(client, asked.type, address, port, (bound) => {
      grant = established(forwarding, tunnel, asked, bound)
    })
  } catch (error) {
    tunnel.fail(forwarding.failure(error).code)
    asked.answer(null)
  }
}

function readOf(forwarding: Forwarding, { type, address, port, wanted }: Listening): Read {
  const { limits, grants } = forwarding
  if (grants.size >= limits.channels) {
    return { refusal: refusal('session.limit', `only ${limits.channels} listeners may be open at once`) }
  }
  if (port === 0 && type === 'forwarded-tcpip' && !wanted) {
    return { refusal: refusal('command.unsupported', 'a listener on any port, of which nobody wants to know the port') }
  }
  if (port !== 0 && grants.listener(type, address, port) !== undefined) {
    return { refusal: refusal('command.unsupported', 'there is such a listener already') }
  }
  return type === 'forwarded-tcpip' ? readListener(address, port) : readPath(address)
}

/** Called in the turn of the upstream host's answer: the first connection may follow at once. */
function established(forwarding: Forwarding, tunnel: Tunnel, asked: Listening, bound: number): Grant | null {
  const { type, address } = asked
  const grant: Grant = { type, address, port: bound, single: false, tunnel }
  if (tunnel.ended !== null) {
    void withdraw(forwarding, grant)
    asked.answer(null)
    return null
  }
  tunnel.note(type === 'forwarded-tcpip' ? `listening on port ${bound}` : 'listening')
  forwarding.grants.add(grant)
  asked.answer(bound)
  return grant
}

/** The agent wants no more connections; those that there are go on. It takes nothing from anybody, and is not judged. */
function cancel(forwarding: Forwarding, { type, address, port, answer }: Listening): void {
  const grant = forwarding.grants.listener(type, address, port)
  if (grant === undefined) return answer(null)
  forwarding.grants.remove(grant)
  grant.tunnel.last()
  void withdraw(forwarding, grant).then((withdrawn) => answer(withdrawn ? port : null))
}

/** Asks the upstream host for a listener. `bound` is told the port, 0 for a socket. */
function bind(client: Client, type: Grant['type'], address: string, port: number, bound: (port: number) => void) {
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

/** The upstream host is to listen no longer; says whether it did as it was told. Never rejects. */
async function withdraw(forwarding: Forwarding, grant: Grant): Promise<boolean> {
  forwarding.grants.remove(grant)
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const done = (error?: Error | null) => resolve(!(error instanceof Error))
  try {
    const { client } = await forwarding.upstream()
    if (grant.type === 'forwarded-tcpip') client.unforwardIn(grant.address, grant.port, done)
    else client.openssh_unforwardInStreamLocal(grant.address, done)
  } catch {
    // The leg is gone, and its listeners with it.
    resolve(true)
  }
  return promise
}
