/** `sidegate status`: what the running sidecar says of itself, from its admin port. */
import { Command } from 'commander'
import type { Paint } from '../config/printout.ts'
import { formatSize } from '../config/values.ts'
import { type AdminOptions, adminOf, askAdmin, withAdmin } from './admin-port.ts'
import { plainly, safeJson } from './audit/text.ts'
import type { SidecarStatus, TargetStatus } from './run/status.ts'
import { paintFor } from './terminal.ts'

interface Options extends AdminOptions {
  readonly json?: boolean
}

const EXAMPLE = `
Examples:
  sidegate status --config /etc/sidegate/sidegate.yaml
  sidegate status --json | jq .record.shipped
  sidegate status --admin 127.0.0.1:15020 --token-file /etc/sidegate/secrets/admin

It exits with 1 when the sidecar takes no commands, or does not answer.`

export function statusCommand(): Command {
  return withAdmin(new Command('status'))
    .description('show what the running sidecar says of itself')
    .option('--json', 'print it as JSON')
    .addHelpText('after', EXAMPLE)
    .action(async (options: Options) => {
      const status = (await askAdmin(adminOf(options), '/status')) as SidecarStatus
      const text =
        options.json === true
          ? safeJson(JSON.stringify(status, null, 2))
          : printStatus(plainly(status), paintFor(process.stdout))
      process.stdout.write(`${text}\n`)
      process.exitCode = status.ready ? 0 : 1
    })
}

export function printStatus(status: SidecarStatus, paint: Paint): string {
  const { ready, version, startedAt, notReady, targets, weaknesses } = status
  const state = ready ? paint.green('ready') : paint.red(`not ready: ${notReady.join('; ')}`)
  return [
    `${paint.bold(`sidegate ${version}`)}  ${state}  ${paint.dim(`since ${startedAt}`)}`,
    ...policyLines(status, paint),
    ...recordLines(status, paint),
    ...targets.flatMap((target) => targetLines(target, paint)),
    ...weaknesses.map(({ key, message }) => `${paint.red('!')} ${paint.red(`${key}: ${message}`)}`),
  ].join('\n')
}

function policyLines({ policy }: SidecarStatus, paint: Paint): string[] {
  const { active_revision: revision, signed, mode, last_successful_activation: at, code, message } = policy
  const lines = [
    [
      `policy   ${at === null ? paint.red('none is active') : `revision ${shorten(revision)}, active since ${at}`}`,
      signed ? 'signed' : paint.red('UNSIGNED'),
      mode === 'enforce' ? 'enforced' : paint.red('observed, not enforced'),
    ].join(', '),
  ]
  if (code !== null) lines.push(`         ${paint.red(`the last attempt failed: ${message} (${code})`)}`)
  if (policy.not_memoisable !== '' && at !== null)
    lines.push(`         ${paint.yellow(`not memoised: ${policy.not_memoisable}`)}`)
  if (policy.evaluation_errors > 0) {
    lines.push(
      `         ${paint.red(`${policy.evaluation_errors} evaluations failed: ${policy.last_evaluation_error}`)}`,
    )
  }
  return lines
}

/** Enough of a digest to tell one from another. */
function shorten(revision: string): string {
  return revision === '' ? 'without a name' : revision.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]+$/, '$1…')
}

function recordLines({ record, shipping }: SidecarStatus, paint: Paint): string[] {
  const { instance, position, bytes, maxSize, lost, ready, code } = record
  // Sizes grow by the byte; a person wants them rounded.
  const rounded = formatSize(
    bytes < 1024 ** 2 ? Math.ceil(bytes / 1024) * 1024 : Math.ceil(bytes / 1024 ** 2) * 1024 ** 2,
  )
  const lines = [`records  ${position} by ${instance}, ${rounded} of ${formatSize(maxSize)}`]
  if (!ready) lines.push(`         ${paint.red(`cannot be written (${code})`)}`)
  if (lost > 0) lines.push(`         ${paint.red(`${lost} were lost`)}`)
  if (shipping !== null) {
    const { connected, lag, error } = shipping
    const behind = lag.records === 0 ? 'nothing to ship' : `${lag.records} to ship, ${Math.round(lag.seconds)} s behind`
    lines.push(`redis    ${connected ? 'connected' : paint.red(`away: ${error}`)}, ${behind}`)
  }
  return lines
}

function targetLines(target: TargetStatus, paint: Paint): string[] {
  const { name, protocol, port, facts, connections, sessions, decisions } = target
  const { active, refused } = connections
  const over = refused === 0 ? '' : paint.yellow(`, ${refused} refused over the cap`)
  const head = `${paint.bold(name)}  ${protocol} on port ${port}: ${active} connections, ${sessions} sessions${over}`
  const most = [...decisions].sort((one, other) => other.count - one.count)
  const width = Math.max(0, ...most.map(({ count }) => String(count).length))
  return [
    head,
    ...Object.entries(facts).map(([topic, fact]) => `  ${paint.dim(topic)}  ${fact}`),
    ...most.map(({ effect, code, count }) => {
      const colour = effect === 'allow' ? paint.green : effect === 'deny' ? paint.red : paint.yellow
      return `  ${String(count).padStart(width)}  ${colour(effect.padEnd(7))}  ${code}`
    }),
  ]
}
