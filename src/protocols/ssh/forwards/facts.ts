/** What policy is told of a forward. */
import type { Command } from '../../../gate/command.ts'
import { commandOf, DETAIL } from '../detail.ts'
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

/** The command that a forward is. */
export function forwardCommand({ kind, user, tty = false, destination = null, about = '' }: ForwardFacts): Command {
  const what = destination === null ? about : destinationText(destination)
  const frozen = destination === null ? null : Object.freeze({ ...destination })
  const detail = { ...DETAIL, kind, user: user.toWellFormed(), tty, destination: frozen }
  return commandOf(detail, what === '' ? kind : `${kind} ${what}`)
}
