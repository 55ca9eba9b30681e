/** The inside of ssh2, as far as the agent's leg uses it: named as it is there. Read in one version, and refused in any other. */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { Duplex, Writable } from 'node:stream'
import type { Connection } from 'ssh2'

/** Another version is another inside. `test/protocols/ssh/agent/ssh2.test.ts` holds the files' hashes. */
export const SSH2_VERSION = '1.17.0'

/** RFC 4253, section 12, and RFC 4252, section 6. */
export const MESSAGE = {
  DISCONNECT: 1,
  IGNORE: 2,
  DEBUG: 4,
  EXT_INFO: 7,
  KEXINIT: 20,
  USERAUTH_BANNER: 53,
  GLOBAL_REQUEST: 80,
  CHANNEL_FAILURE: 100,
} as const

interface Names {
  readonly array: readonly string[]
}

interface Direction {
  readonly cipher: Names
  readonly mac: Names
  readonly compress: Names
  readonly lang: Names
}

/** lib/protocol/kex.js: what goes into our KEXINIT, the same object for all connections of a server. */
export interface Offer {
  readonly lists: {
    readonly kex: Names
    readonly serverHostKey: Names
    readonly cs: Direction
    readonly sc: Direction
  }
}

/** lib/protocol/Protocol.js. */
export interface Protocol {
  readonly _server: boolean
  _offer: Offer
  readonly _kexinit: unknown
  /** What waits for new keys before it is sent. */
  readonly _queue: readonly Buffer[] | undefined
  /** Made anew with each key; its listener changes while keys are exchanged. */
  readonly _decipher: { _onPayload: (payload: Buffer) => unknown }
  readonly _destruct: unknown
  readonly _remoteIdentRaw: Buffer | undefined
  readonly _packetRW: {
    readonly write: {
      readonly allocStart: number
      readonly allocStartKEX: number
      alloc(size: number, force?: boolean): Buffer
      finalize(packet: Buffer, force?: boolean): Buffer
    }
  }
  readonly _handlers: Handlers
  readonly _kex: { remoteExtInfoEnabled: boolean }
  _onHandshakeComplete: (...args: readonly unknown[]) => void
  _onError: (error: Error) => void
  channelOpenFail(recipient: number, reason: number, description: string): void
  requestSuccess(data?: Buffer): void
  requestFailure(): void
  rekey(): void
}

/** lib/server.js: the `messageHandlers` of its Protocol, looked up at each message. */
export interface Handlers {
  CHANNEL_OPEN(self: Protocol, info: { readonly sender: number; readonly packetSize: number }): void
  CHANNEL_OPEN_CONFIRMATION(self: Protocol, info: { readonly packetSize: number }): void
  CHANNEL_DATA(self: Protocol, recipient: number, data: Buffer): void
  GLOBAL_REQUEST(self: Protocol, name: string, wantReply: boolean, data: unknown): void
}

/** lib/Channel.js, and the Session of lib/server.js that stands before one. */
export interface OpenChannel {
  readonly incoming?: { readonly window: number }
  readonly _channel?: { readonly incoming: { readonly window: number } }
}

/** lib/server.js: what a connection keeps to itself. */
export interface Inside {
  readonly _sock: Socket
  readonly _protocol: Protocol
  readonly _chanMgr: { get(id: number): unknown }
}

/** lib/protocol/handlers.js: by the message's number, looked up at each message that is no part of a key exchange. */
export type Handler = (protocol: Protocol, payload: Buffer) => unknown

const load = createRequire(import.meta.url)
export const HANDLERS = load('ssh2/lib/protocol/handlers.js') as (Handler | undefined)[]
export const { sendPacket } = load('ssh2/lib/protocol/utils.js') as {
  sendPacket(protocol: Protocol, packet: Buffer, bypass?: boolean): void
}

/** Fails where ssh2 is not the version whose inside is known. */
export function checkSsh2({ version } = load('ssh2/package.json') as { readonly version: string }): void {
  if (version === SSH2_VERSION) return
  throw Object.assign(new Error(`ssh2 is ${version}, and its inside is known of ${SSH2_VERSION} only`), {
    code: 'ssh.library',
  })
}

export const { KexInit } = load('ssh2/lib/protocol/kex.js') as { readonly KexInit: new (lists: object) => Offer }
export const { prototype: PROTOCOL } = load('ssh2/lib/protocol/Protocol.js') as {
  readonly prototype: { parse(chunk: Buffer, at: number, length: number): void }
}
export const { Channel } = load('ssh2/lib/Channel.js') as {
  readonly Channel: new (client: object, info: object, options: object) => Duplex & { readonly stderr: Writable }
}

/** What the peer may not do. Thrown by a handler it ends the connection, as ssh2 treats all that its handlers throw. */
export function violation(what: string): Error {
  return Object.assign(new Error(what), { level: 'protocol' })
}

export const insideOf = (client: Connection): Inside => client as unknown as Inside
