/** What an agent's certificate does not permit, whatever policy says: refused before policy is asked, and recorded. */
import type { Command } from '../../../gate/command.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Permission, Restriction } from '../legs.ts'

/** By a Command's action, `rego/schemas/ssh.json`. */
const NEEDED = new Map<string, Permission>([
  ['pty', 'permit-pty'],
  ['forward', 'permit-port-forwarding'],
  ['remote-forward', 'permit-port-forwarding'],
  ['agent-forward', 'permit-agent-forwarding'],
  ['x11', 'permit-X11-forwarding'],
])

/** What runs something, in whose place a forced command runs. */
const RUNS: ReadonlySet<string> = new Set(['exec', 'shell', 'subsystem', 'sftp'])

/** Null where nothing is restricted. The forced command itself is put in place where a program begins; anything else is refused here. */
export function forbiddenBy(restriction: Restriction | undefined): ((command: Command) => Refusal | null) | null {
  if (restriction === undefined) return null
  const { forcedCommand, permits } = restriction
  return ({ shape: { action, text } }) => {
    const needed = NEEDED.get(action)
    if (needed !== undefined && !permits.has(needed)) {
      return refusal('identity.restricted', `the certificate has no ${needed}`, `ask its authority for ${needed}`)
    }
    if (forcedCommand !== null && RUNS.has(action) && (action !== 'exec' || text !== forcedCommand)) {
      return refusal('identity.restricted', 'the certificate permits its own command, and no other')
    }
    return null
  }
}
