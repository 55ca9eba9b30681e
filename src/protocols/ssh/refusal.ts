/**
 * Refusals in SSH's own forms. A program that is refused was accepted first, since a rejected request has no text: the agent
 * reads why on standard error, and gets an exit status.
 */
import type { Decision } from '../../gate/decision.ts'
import type { Refusal } from '../../gate/refusal.ts'

/** What shells say of a command that was found and cannot be executed; 255 is ssh's own word for a failed connection. */
export const REFUSED_STATUS = 126

/** `sidegate: MESSAGE [CODE]`, and what would be accepted on a line of its own. A terminal in raw mode needs `\r\n`. */
export function refusalLines({ code, message, remedy }: Refusal, terminal: boolean): Buffer {
  const lines = [message === '' ? `[${code}]` : `${message} [${code}]`, ...(remedy === '' ? [] : [remedy])]
  return told(lines, terminal)
}

/** Said while people are asked, and again now and then. */
export function heldLines(demands: Decision['approvals'], terminal: boolean): Buffer {
  const wanted = demands.map(({ code, groups }) => (groups.length === 0 ? code : `${code} by ${groups.join(', ')}`))
  return told([`held for approval (${wanted.join('; ')}) [approval.pending]`], terminal)
}

function told(lines: readonly string[], terminal: boolean): Buffer {
  const end = terminal ? '\r\n' : '\n'
  return Buffer.from(lines.map((line) => `sidegate: ${line.replaceAll(/\p{Cc}+/gu, ' ')}${end}`).join(''))
}

/** `CODE: message`, as the description of a channel that is not opened. */
export function failureText({ code, message }: Refusal): string {
  return message === '' ? code : `${code}: ${message.replaceAll(/\p{Cc}+/gu, ' ')}`
}
