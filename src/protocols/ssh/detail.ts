/** The form of every command on a connection: `input.command.detail`, as rego/schemas/ssh.json describes it. */
import type { Command } from '../../gate/command.ts'
import type { JsonObject } from '../../gate/json.ts'

export const NONE: readonly never[] = Object.freeze([])
const NOTHING: JsonObject = Object.freeze({})

/** Every key, in the schema's order: to be spread first. What is not about a kind is null, false or empty. */
export const DETAIL = Object.freeze({
  kind: '',
  user: '',
  tty: false,
  mode: null,
  commands: NONE,
  literal: false,
  reasons: NONE,
  redirects: NONE,
  transfer: null,
  subsystem: null,
  operation: null,
  path: null,
  resolved: null,
  target: null,
  targetResolved: null,
  flags: NONE,
  attributes: NONE,
  permissions: null,
  destination: null,
  environment: null,
}) satisfies JsonObject

/** The command of such a detail, whose values are frozen already; the text is for people. */
export function commandOf(detail: JsonObject & { readonly kind: string }, text: string): Command {
  const shape = Object.freeze({ protocol: 'ssh', action: detail.kind, text, detail: Object.freeze(detail) })
  return { shape, varying: NOTHING }
}
