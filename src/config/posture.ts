/** The effective posture: who may connect how, what guards it, and what weakens it. Holds no secret. */
import { createHash, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type FailureRow, failureTable } from './failures.ts'
import type { Loaded } from './load.ts'
import { keyOf } from './problem.ts'
import { kubernetesFacts } from './posture/kubernetes.ts'
import { postgresFacts } from './posture/postgres.ts'
import { sshFacts } from './posture/ssh.ts'
import type { Configuration, TargetConfig } from './schema.ts'
import { formatAddress, formatSize } from './values.ts'

export interface Posture {
  readonly file: string
  readonly policy: {
    readonly bundle: string
    readonly mode: 'enforce' | 'observe'
    /** The public key's file and fingerprint; null when anyone may have made the bundle. */
    readonly signer: { readonly key: string; readonly fingerprint: string } | null
  }
  readonly record: {
    readonly journal: string
    readonly maxSize: string
    readonly durability: 'written' | 'synced'
    /** Without user and password; null when the journal is the store. */
    readonly redis: string | null
  }
  readonly ports: { readonly admin: string | null; readonly probes: string | null }
  readonly targets: readonly TargetPosture[]
  readonly failures: readonly FailureRow[]
  readonly weaknesses: readonly Weakness[]
}

export interface Weakness {
  readonly key: string
  readonly line: number | null
  readonly code: string
  readonly message: string
  readonly remedy: string
}

/** Lines of a printout: what each is about, and what holds. */
export interface TargetPosture {
  readonly name: string
  readonly protocol: string
  readonly facts: readonly Fact[]
}

/** `weak`: it holds, and should not; shown in red. */
export type Fact = readonly [topic: string, fact: string, weak?: 'weak']

export function postureOf({ file, configuration, weaknesses }: Loaded): Posture {
  const { policy, record, admin, probes, targets } = configuration
  return {
    file,
    policy: { bundle: policy.bundle.file, mode: policy.mode, signer: signerOf(policy.bundle) },
    record: {
      journal: record.journal.directory,
      maxSize: formatSize(record.journal.maxSize),
      durability: record.journal.durability,
      redis: record.redis === undefined ? null : redisOf(record.redis),
    },
    ports: {
      admin: admin === undefined ? null : formatAddress(admin.listen),
      probes: probes === undefined ? null : formatAddress(probes.listen),
    },
    targets: Object.entries(targets).map(([name, target]) => targetOf({ ...target, name })),
    failures: failureTable({
      redis: record.redis !== undefined,
      observe: policy.mode === 'observe',
      ssh: Object.values(targets).some(({ protocol }) => protocol === 'ssh'),
      kubernetes: Object.values(targets).some(({ protocol }) => protocol === 'kubernetes'),
    }),
    weaknesses: weaknesses.map((found) => {
      const { path, code, message, remedy } = found
      return { key: keyOf(path), line: 'line' in found ? found.line : null, code, message, remedy }
    }),
  }
}

function signerOf(bundle: Configuration['policy']['bundle']): Posture['policy']['signer'] {
  if (!('key' in bundle)) return null
  const der = createPublicKey(readFileSync(bundle.key)).export({ type: 'spki', format: 'der' })
  return { key: bundle.key, fingerprint: `SHA256:${createHash('sha256').update(der).digest('base64url')}` }
}

function redisOf({ url, prefix }: { readonly url: string; readonly prefix: string }): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host} as ${prefix}:*`
}

function targetOf(target: TargetConfig): TargetPosture {
  switch (target.protocol) {
    case 'postgres':
      return { name: target.name, protocol: target.protocol, facts: postgresFacts(target) }
    case 'ssh':
      return { name: target.name, protocol: target.protocol, facts: sshFacts(target) }
    case 'kubernetes':
      return { name: target.name, protocol: target.protocol, facts: kubernetesFacts(target) }
    default:
      return target satisfies never
  }
}
