/** The posture as a page to read. */
import type { Fact, Posture } from './posture.ts'

/** Colours, or nothing where there is no terminal. */
export interface Paint {
  red(text: string): string
  green(text: string): string
  yellow(text: string): string
  bold(text: string): string
  dim(text: string): string
}

/** What is known of the bundle after trying to load it. */
export interface BundleFacts {
  readonly revision: string
  /** Why it cannot be activated; null when it can. */
  readonly problem: string | null
}

export function printPosture(posture: Posture, bundle: BundleFacts | null, paint: Paint): string {
  const { policy, record, ports, targets, failures, weaknesses } = posture
  const sections: string[] = [
    section('Policy', policyLines(policy, bundle, paint), paint),
    section(
      'Records',
      [
        [
          'journal',
          `${record.journal}, ${record.maxSize} at most; a command goes on once its record is ${record.durability}`,
        ],
        ['shipped to', record.redis ?? 'nowhere: the journal is the store'],
      ],
      paint,
    ),
    section(
      'Ports',
      [
        ['probes', ports.probes ?? 'none'],
        ['admin', ports.admin ?? 'none'],
      ],
      paint,
    ),
    ...targets.map(({ name, protocol, facts }) => section(`Target ${name} (${protocol})`, facts, paint)),
    section(
      'When a part fails',
      failures.map(({ failure, result, code }): Fact => [
        failure,
        code === '' ? result : `${result}  ${paint.dim(code)}`,
      ]),
      paint,
    ),
  ]
  const found = weaknesses.flatMap(({ key, line, message, remedy }) => [
    `  ${paint.red('!')} ${paint.red(`${key}${line === null ? '' : ` (line ${line})`}: ${message}`)}`,
    `    ${remedy}`,
  ])
  const title =
    found.length === 0 ? paint.green('Nothing weakens it') : paint.red(`What weakens it (${weaknesses.length})`)
  return [...sections, [paint.bold(title), ...found].join('\n')].join('\n\n')
}

function policyLines(policy: Posture['policy'], bundle: BundleFacts | null, paint: Paint): Fact[] {
  const { signer, mode } = policy
  const state =
    bundle === null
      ? ''
      : bundle.problem === null
        ? `, revision ${bundle.revision || 'without a name'}`
        : paint.red(`: ${bundle.problem}`)
  return [
    ['bundle', `${policy.bundle}${state}`],
    [
      'signed by',
      signer === null ? paint.red('UNSIGNED: whoever can write it decides') : `${signer.key}  ${signer.fingerprint}`,
    ],
    ['mode', mode === 'enforce' ? 'enforce' : paint.red('observe: nothing that the policy denies is stopped')],
  ]
}

function section(title: string, lines: readonly Fact[], paint: Paint): string {
  const width = Math.max(...lines.map(([topic]) => topic.length))
  const shown = lines.map(([topic, fact, weak]) => {
    return `  ${paint.dim(topic.padEnd(width))}  ${weak === undefined ? fact : paint.red(fact)}`
  })
  return [paint.bold(title), ...shown].join('\n')
}
