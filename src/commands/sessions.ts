/** `sidegate sessions`: what runs through the gate now, and its kill switch. */
import { Command } from 'commander'
import type { Paint } from '../config/printout.ts'
import { formatSize } from '../config/values.ts'
import { type AdminOptions, adminOf, askAdmin, withAdmin } from './admin-port.ts'
import { plain, plainly, safeJson } from './audit/text.ts'
import type { SessionStatus } from './run/sessions.ts'
import { paintFor } from './terminal.ts'

interface ListOptions extends AdminOptions {
  readonly json?: boolean
}

interface EndOptions extends AdminOptions {
  readonly reason: string
}

const LIST_EXAMPLE = `
Examples:
  sidegate sessions list
  sidegate sessions list --json | jq '.[] | select(.target == "build-host") | .id'`

const END_EXAMPLE = `
Examples:
  sidegate sessions end 0b51c9d2 --reason "a shell was left open"
  sidegate sessions end 0b51c9d2 --admin 127.0.0.1:15020 --token-file /etc/sidegate/secrets/admin --reason "incident 12"

The agent is told that an operator ended the session, and not why; the reason is in the record of its end. What runs is
cancelled. It exits with 1 when there is no such session.`

export function sessionsCommand(): Command {
  const command = new Command('sessions').description('list what runs through the gate now, and end it')
  const asking = (name: string) => withAdmin(command.command(name))
  asking('list')
    .description('list the sessions that are open')
    .option('--json', 'print them as JSON')
    .addHelpText('after', LIST_EXAMPLE)
    .action(async (options: ListOptions) => {
      const sessions = await listed(options)
      const text =
        options.json === true
          ? safeJson(JSON.stringify(sessions, null, 2))
          : print(plainly(sessions), paintFor(process.stdout))
      process.stdout.write(`${text}\n`)
    })
  asking('end')
    .description('end a session at once')
    .argument('<id>', 'the session; the beginning of its id will do')
    .requiredOption('-r, --reason <text>', 'why, for the record')
    .addHelpText('after', END_EXAMPLE)
    .action(async (id: string, options: EndOptions) => {
      const session = meant(id, await listed(options))
      await askAdmin(adminOf(options), `/sessions/${session.id}/end`, { reason: options.reason })
      process.stdout.write(`${plain(`${session.id} of ${session.principal} at ${session.target} is ended`)}\n`)
    })
  return command
}

async function listed(options: AdminOptions): Promise<readonly SessionStatus[]> {
  return (await askAdmin(adminOf(options), '/sessions')) as readonly SessionStatus[]
}

/** The one session whose id begins so. Ending another than was meant would be worse than asking again. */
function meant(id: string, sessions: readonly SessionStatus[]): SessionStatus {
  const [found, other] = id === '' ? [] : sessions.filter((session) => session.id.startsWith(id))
  if (found === undefined) throw new Error(`no session that is open begins with ${JSON.stringify(id)}`)
  if (other !== undefined) throw new Error(`several sessions begin with ${id}: write more of the id`)
  return found
}

export function print(sessions: readonly SessionStatus[], paint: Paint): string {
  if (sessions.length === 0) return 'no session is open'
  return sessions
    .map(({ id, target, protocol, principal, since, usage, attributes, ending }) => {
      const { commands, denied, rows, bytes } = usage
      const refused = denied === 0 ? '' : `, ${paint.red(`${denied} refused`)}`
      const about = Object.entries(attributes).map(([key, value]) => `${key} ${value}`)
      return [
        `${paint.bold(id)}  ${target} (${protocol})  ${principal}${ending ? paint.red('  ending') : ''}`,
        `  since ${since}: ${commands} commands${refused}, ${rows} rows, ${formatSize(bytes)}`,
        `  ${paint.dim(about.join(', '))}`,
      ].join('\n')
    })
    .join('\n')
}
