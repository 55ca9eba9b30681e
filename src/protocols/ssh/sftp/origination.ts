/**
 * Everything that Sidegate itself sends to an SFTP server: a closed table. REALPATH and LSTAT alone carry a path that came
 * from the agent and is not judged yet: where it leads is part of what is judged. They only look, they carry the canonical
 * form, and the agent never sees what the server says to them.
 */
import { encodeInit, encodeRequest } from './packets/requests.ts'
import { REQUEST, VERSION_3 } from './packets/types.ts'

declare const originated: unique symbol
/** Bytes that may be sent upstream without a permit. */
export type Origination = Buffer & { readonly [originated]: true }

export const INIT = encodeInit(VERSION_3) as Origination

/** The directory in which a login begins. */
export const LOGIN_DIRECTORY = '.'

export const realpath = (id: number, path: string): Origination =>
  encodeRequest({ type: REQUEST.REALPATH, id, path: Buffer.from(path) }) as Origination

export const lstat = (id: number, path: string): Origination =>
  encodeRequest({ type: REQUEST.LSTAT, id, path: Buffer.from(path) }) as Origination

/** Only closing ends what a permit began; it needs none itself. */
export const close = (id: number, handle: Buffer): Origination =>
  encodeRequest({ type: REQUEST.CLOSE, id, handle }) as Origination

const NO_FIELDS = Object.freeze({ paths: [], handles: [], numbers: [], strings: [], attributes: null })

/** How large the server's packets may be: the same question from everyone. */
export const limits = (id: number): Origination =>
  encodeRequest({ type: REQUEST.EXTENDED, id, name: 'limits@openssh.com', fields: NO_FIELDS }) as Origination
