/** The inside of ssh2, as far as it is used: named as it is there. Read in one version, and refused in any other. */
import { createRequire } from 'node:module'
import type { Client } from 'ssh2'

/** Another version is another inside. `test/protocols/ssh/upstream/ssh2.test.ts` holds the files' hashes. */
export const SSH2_VERSION = '1.17.0'

interface Algorithms {
  readonly array: readonly string[]
}

interface Direction {
  readonly cipher: Algorithms
  readonly mac: Algorithms
  readonly compress: Algorithms
  readonly lang: Algorithms
}

/** lib/protocol/kex.js: what goes into our KEXINIT. */
interface Offer {
  readonly lists: {
    readonly kex: Algorithms
    readonly serverHostKey: Algorithms
    readonly cs: Direction
    readonly sc: Direction
  }
}

/** lib/protocol/kex.js: one key exchange. */
export interface Exchange {
  readonly sessionID: Buffer | undefined
  readonly negotiated: { serverHostKey: string }
  /** What the host showed, until the exchange is over. */
  _hostKey: Buffer | undefined
  getPublicKey(): Buffer
}

export interface Prompt {
  readonly prompt: string
  readonly echo: boolean
}

interface Extension {
  readonly name: string
  readonly algs?: readonly string[]
}

/** lib/client.js: the `messageHandlers` of its Protocol, looked up at each message. */
interface Handlers {
  EXT_INFO(self: Protocol, extensions: readonly Extension[]): void
  SERVICE_ACCEPT(self: Protocol, name: string): void
  USERAUTH_FAILURE(self: Protocol, methods: readonly string[], partial: boolean): void
  USERAUTH_PASSWD_CHANGEREQ(self: Protocol): void
  USERAUTH_PK_OK(self: Protocol): void
  USERAUTH_INFO_REQUEST(self: Protocol, name: string, instructions: string, prompts: readonly Prompt[]): void
  GLOBAL_REQUEST(self: Protocol, name: string, wantReply: boolean, data: unknown): void
  CHANNEL_OPEN(self: Protocol, info: { readonly packetSize: number }): void
  CHANNEL_OPEN_CONFIRMATION(self: Protocol, info: { readonly packetSize: number }): void
  CHANNEL_DATA(self: Protocol, recipient: number, data: Buffer): void
  CHANNEL_EXTENDED_DATA(self: Protocol, recipient: number, data: Buffer, type: number): void
}

/** lib/protocol/Protocol.js. */
export interface Protocol {
  _kex: Exchange | undefined
  _offer: Offer
  readonly _handlers: Handlers
  readonly _authsQueue: string[]
  readonly _authenticated: boolean
  readonly _packetRW: {
    readonly write: { readonly allocStart: number; alloc(size: number): Buffer; finalize(packet: Buffer): Buffer }
  }
  /** The host's whole greeting, once it is there. */
  readonly _remoteIdentRaw: Buffer | undefined
  authNone(user: string): void
  authPassword(user: string, password: string): void
  authKeyboard(user: string): void
  authInfoRes(answers: readonly string[]): void
  requestFailure(): void
  rekey(): void
}

/** lib/Channel.js: an open channel. A function or `true` stands for one that is not open yet. */
export interface OpenChannel {
  readonly incoming: { readonly window: number; readonly state: 'open' | 'eof' | 'closed' }
}

const require = createRequire(import.meta.url)

export const { KexInit } = require('ssh2/lib/protocol/kex.js') as { readonly KexInit: new (offer: object) => Offer }
export const { sendPacket } = require('ssh2/lib/protocol/utils.js') as {
  readonly sendPacket: (protocol: Protocol, packet: Buffer) => boolean
}

/** Fails where ssh2 is not the version whose inside is known. */
export function checkSsh2(): void {
  const { version } = require('ssh2/package.json') as { readonly version: string }
  if (version === SSH2_VERSION) return
  throw Object.assign(new Error(`ssh2 is ${version}, and its inside is known of ${SSH2_VERSION} only`), {
    code: 'upstream.library',
  })
}

/** What a client that was told to connect keeps to itself. */
export interface Inside {
  readonly protocol: Protocol
  /** Null where the channel is not open, or not yet. */
  channel(id: number): OpenChannel | null
}

export function insideOf(client: Client): Inside {
  const { _protocol, _chanMgr } = client as unknown as {
    readonly _protocol: Protocol
    readonly _chanMgr: { get(id: number): OpenChannel | (() => void) | true | undefined }
  }
  return {
    protocol: _protocol,
    channel: (id) => {
      const found = _chanMgr.get(id)
      return typeof found === 'object' ? found : null
    },
  }
}
