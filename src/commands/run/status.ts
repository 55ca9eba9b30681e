/** What the running sidecar says of itself: to the admin port, to the probes, and to Prometheus. */
import { keyOf, type Problem } from '../../config/problem.ts'
import type { Gate } from '../../gate/gate.ts'
import type { BundleStatus, PolicyEngine } from '../../policy/engine.ts'
import type { JournalStatus } from '../../record/journal.ts'
import { VERSION } from '../version.ts'
import type { MeteredRecord } from './meter.ts'
import type { Metrics } from './metrics.ts'
import { type Records, type ShippingStatus, shippingStatus } from './records.ts'
import type { Targets } from './targets.ts'

export interface TargetStatus {
  readonly name: string
  readonly protocol: string
  readonly port: number
  /** What whoever sets agents up must know: `known_hosts` of an SSH target, for one. */
  readonly facts: Readonly<Record<string, string>>
  readonly connections: {
    readonly active: number
    readonly waiting: number
    readonly accepted: number
    readonly refused: number
  }
  readonly sessions: number
  readonly decisions: readonly { readonly effect: string; readonly code: string; readonly count: number }[]
}

export interface SidecarStatus {
  readonly version: string
  /** RFC 3339. */
  readonly startedAt: string
  readonly ready: boolean
  /** Why commands are not taken. */
  readonly notReady: readonly string[]
  readonly policy: BundleStatus
  readonly record: JournalStatus
  readonly shipping: ShippingStatus | null
  readonly targets: readonly TargetStatus[]
  /** What was started although it weakens the posture. */
  readonly weaknesses: readonly { readonly key: string; readonly code: string; readonly message: string }[]
}

/** The parts of a sidecar that is started. */
export interface Parts {
  readonly engine: PolicyEngine
  readonly records: Records
  readonly record: MeteredRecord
  readonly gate: Gate
  readonly targets: Targets
  readonly metrics: Metrics
  readonly weaknesses: readonly Problem[]
  readonly startedAt: Date
}

/** Why commands are not taken; empty when they are. */
export function notReady({ engine, records: { journal } }: Pick<Parts, 'engine' | 'records'>): readonly string[] {
  const found: string[] = []
  if (!engine.ready) found.push(`policy.unavailable: ${engine.status().message ?? 'no bundle is active'}`)
  const { ready, code } = journal.status
  if (!ready) found.push(code ?? 'record.unavailable')
  return found
}

export function statusOf(parts: Parts, stopping: boolean): SidecarStatus {
  const { engine, records, weaknesses, startedAt } = parts
  const reasons = [...(stopping ? ['stopping'] : []), ...notReady(parts)]
  return {
    version: VERSION,
    startedAt: startedAt.toISOString(),
    ready: reasons.length === 0,
    notReady: reasons,
    policy: engine.status(),
    record: records.journal.status,
    shipping: shippingStatus(records),
    targets: targetsOf(parts),
    weaknesses: weaknesses.map(({ path, code, message }) => ({ key: keyOf(path), code, message })),
  }
}

function targetsOf({ targets, record }: Parts): readonly TargetStatus[] {
  const sessions = new Map(record.sessions())
  const decisions = [...record.decisions()]
  return targets.all.map(({ name, protocol, port, counts, facts }) => ({
    name,
    protocol,
    port,
    facts,
    connections: { ...counts },
    sessions: sessions.get(name) ?? 0,
    decisions: decisions
      .filter(({ target }) => target === name)
      .map(({ effect, code, count }) => ({ effect, code, count })),
  }))
}
