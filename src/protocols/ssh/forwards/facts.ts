/** What policy is told of a forward: `input.command.detail`, as rego/schemas/ssh.json describes it. */
import type { Command } from '../../../gate/command.ts'
import type { JsonObject } from '../../../gate/json.ts'
import { type Destination, destinationText } from './destination.ts'

export type ForwardKind = 'forward' | 'remote-forward' | 'agent-forward' | 'x11'

export interface ForwardFacts {
  readonly kind: ForwardKind
  /** The login name upstream. */
  readonly user: string
  readonly tty?: boolean
  readonly destination?: Destination | null
  /** What was asked for where it is no destination, for people. */
  readonly about?: string
}

const NONE: readonly never[] = Object.freeze([])
const NOTHING: JsonObject = Object.freeze({})

/** The command that a forward is, with every key of the schema. */
export function forwardCommand({ kind, user, tty = false, destination = null, about = '' }: ForwardFacts): Command {
  const detail: JsonObject = Object.freeze({
    kind,
    user: user.toWellFormed(),
    tty,
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
    destination: destination === null ? null : Object.freeze({ ...destination }),
    environment: null,
  })
  const what = destination === null ? about : destinationText(destination)
  const text = what === '' ? kind : `${kind} ${what}`
  return { shape: Object.freeze({ protocol: 'ssh', action: kind, text, detail }), varying: NOTHING }
}
