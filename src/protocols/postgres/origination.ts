/**
 * Everything that Sidegate itself sends to the server after start-up: a closed table. None of it carries text of the
 * agent's; a name stands here only when the relay already knows it, from a command that was permitted.
 */
import { randomBytes } from 'node:crypto'

declare const originated: unique symbol
/** Bytes that may be sent upstream without a permit. */
export type Origination = Buffer & { readonly [originated]: true }

/** An identifier that no statement, portal or keyword has: the server quotes it in the error that it makes. */
export type Token = `sidegate_${string}`

const TOKEN_BYTES = 10

export function newToken(): Token {
  return `sidegate_${randomBytes(TOKEN_BYTES).toString('hex')}`
}

export const SYNC = message('S')
export const FLUSH = message('H')
export const TERMINATE = message('X')
/** A Query without a statement: EmptyQueryResponse, and the server's own ReadyForQuery. */
export const EMPTY_QUERY = message('Q', '\0')
/** The same as a Parse of the unnamed statement. */
export const EMPTY_PARSE = message('P', '\0\0', Buffer.alloc(2))

/** Bind and Execute of the unnamed statement when that is empty. */
export const BIND_NOTHING = message('B', '\0\0', Buffer.alloc(6))
export const EXECUTE_NOTHING = message('E', '\0', Buffer.alloc(4))

/** Fails with 42601 quoting the token, in any state of the transaction; the unnamed statement is gone. */
export const refusedQuery = (token: Token): Origination => message('Q', `${token}\0`)
/** Fails with 42601 quoting the token; as every Parse of the unnamed statement it ends the one before. */
export const refusedParse = (token: Token, unnamed: boolean): Origination =>
  message('P', `${unnamed ? '' : token}\0${token}\0`, Buffer.alloc(2))
/** Fails with 26000 quoting the token; the unnamed statement stays. */
export const refusedBind = (token: Token): Origination => message('B', `\0${token}\0`, Buffer.alloc(6))
/** Ends COPY IN with 57014 quoting the token. */
export const refusedCopy = (token: Token): Origination => message('f', `${token}\0`)

/** Names that are known need no escaping: the codec took them from frames without NUL. */
export const describeStatement = (known: string): Origination => message('D', `S${known}\0`)
export const describePortal = (known: string): Origination => message('D', `P${known}\0`)
export const closeStatement = (known: string): Origination => message('C', `S${known}\0`)
export const closePortal = (known: string): Origination => message('C', `P${known}\0`)

function message(type: string, text = '', rest: Uint8Array = new Uint8Array()): Origination {
  const size = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(5 + size + rest.length)
  frame.write(type, 0, 'latin1')
  frame.writeInt32BE(4 + size + rest.length, 1)
  frame.write(text, 5)
  frame.set(rest, 5 + size)
  return frame as Origination
}
