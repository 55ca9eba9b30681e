/** Refusals in SFTP's own form: a STATUS under the request's id, after which the channel lives on. */
import type { Refusal } from '../../../gate/refusal.ts'
import { encodeReply } from './packets/replies.ts'
import { REPLY, STATUS } from './packets/types.ts'

/** STATUS codes by the refusal's code; all others are SSH_FX_PERMISSION_DENIED. */
const CODES: ReadonlyMap<string, number> = new Map([
  // What a server says to an extension that it does not have: clients then do without.
  ['command.unsupported', STATUS.OP_UNSUPPORTED],
  // What a server says when it has no more handles.
  ['session.limit', STATUS.FAILURE],
])

const LANGUAGE = Buffer.from('en')

/** `CODE: message (remedy)`. */
export function refusalText({ code, message, remedy }: Refusal): string {
  return `${code}${message === '' ? '' : `: ${message}`}${remedy === '' ? '' : ` (${remedy})`}`
}

export function refusalStatus(id: number, because: Refusal): Buffer {
  const code = CODES.get(because.code) ?? STATUS.PERMISSION_DENIED
  return status(id, code, refusalText(because))
}

export function status(id: number, code: number, message: string): Buffer {
  return encodeReply({ type: REPLY.STATUS, id, code, text: { message: Buffer.from(message), language: LANGUAGE } })
}
