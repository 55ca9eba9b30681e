/** The whole sidecar in one process: what `sidegate run` starts, and what tests, bench and demo start beside them. */
import type { Logger } from 'pino'
import { checkConfiguration } from '../../config/load.ts'
import { keyOf } from '../../config/problem.ts'
import type { Configuration } from '../../config/schema.ts'
import { readSecret } from '../../credentials/secret.ts'
import { Gate } from '../../gate/gate.ts'
import { testStaticReads } from '../../net/selftest.ts'
import { PROTOCOLS } from '../../protocols/index.ts'
import type { Protocol } from '../../protocols/protocol.ts'
import { serveAdmin } from './admin.ts'
import { json, type Reply, text } from './http.ts'
import { createLog } from './log.ts'
import { MeteredPolicy, MeteredRecord } from './meter.ts'
import { Metrics } from './metrics.ts'
import { startPolicy } from './policy.ts'
import { serveProbes } from './probes.ts'
import { endSession, sessionsOf } from './sessions.ts'
import { closeRecords, openRecords, shippingStatus } from './records.ts'
import { notReady, type Parts, type SidecarStatus, statusOf } from './status.ts'
import { Targets } from './targets.ts'

/** For sessions to end; with the time that shipping gets well under the 30 s that Kubernetes gives a pod. */
export const SESSION_PATIENCE = 10_000

export interface SidecarOptions {
  readonly log?: Logger
  readonly protocols?: readonly Protocol[]
}

export interface Ports {
  readonly targets: Readonly<Record<string, number>>
  readonly probes: number | null
  readonly admin: number | null
}

export interface Sidecar {
  readonly ports: Ports
  status(): SidecarStatus
  /** Stops accepting, lets sessions end, drains the records, and only then stops answering probes. Safe to repeat. */
  close(): Promise<void>
}

/** Starts everything or nothing: what fails closes what was open before it is thrown. */
export async function startSidecar(configuration: Configuration, options: SidecarOptions = {}): Promise<Sidecar> {
  const weaknesses = checkConfiguration(configuration)
  const log = options.log ?? createLog(configuration.log.level)
  for (const { path, code, message } of weaknesses) log.warn({ key: keyOf(path), code }, message)
  const phase: Phase = { parts: null, stopping: false }
  // What is deferred first is closed last.
  await using opened = new AsyncDisposableStack()
  const [probes, admin] = await openServers(configuration, phase, log, opened)
  const parts = await openParts(configuration, log, options.protocols ?? PROTOCOLS, opened)
  phase.parts = { ...parts, weaknesses, startedAt: new Date() }
  const running = phase.parts
  const closer = opened.move()
  let closing: Promise<void> | null = null
  return {
    ports: {
      targets: Object.fromEntries(parts.targets.all.map(({ name, port }) => [name, port])),
      probes,
      admin,
    },
    status: () => statusOf(running, phase.stopping),
    close() {
      phase.stopping = true
      parts.targets.stop()
      closing ??= closer.disposeAsync()
      return closing
    },
  }
}

/** Where the sidecar is in its life; probes are answered from before its start to after its end. */
interface Phase {
  parts: Parts | null
  stopping: boolean
}

async function openServers(
  { probes, admin }: Configuration,
  phase: Phase,
  log: Logger,
  opened: AsyncDisposableStack,
): Promise<readonly [probes: number | null, admin: number | null]> {
  const listening = async (starting: Promise<{ readonly port: number; close(): Promise<void> }>) => {
    const server = await starting
    opened.defer(() => server.close())
    return server.port
  }
  const sources = {
    notReady() {
      if (phase.stopping) return ['stopping']
      return phase.parts === null ? ['starting'] : notReady(phase.parts)
    },
    async metrics() {
      const metrics = phase.parts?.metrics
      if (metrics === undefined) return text(503, 'starting')
      return { status: 200, type: metrics.contentType, body: await metrics.text() }
    },
  }
  const once = (started: (parts: Parts) => Reply): Reply =>
    phase.parts === null ? json(503, { ready: false, notReady: ['starting'] }) : started(phase.parts)
  return [
    probes === undefined ? null : await listening(serveProbes(probes.listen, sources)),
    admin === undefined
      ? null
      : await listening(
          serveAdmin(admin.listen, {
            token: () => readSecret(admin.tokenFile),
            status: () => once((parts) => json(200, statusOf(parts, phase.stopping))),
            sessions: () => once(({ gate }) => json(200, sessionsOf(gate))),
            end: (session, reason) => once(({ gate }) => endSession(gate, log, session, reason)),
          }),
        ),
  ]
}

async function openParts(
  configuration: Configuration,
  log: Logger,
  protocols: readonly Protocol[],
  opened: AsyncDisposableStack,
): Promise<Omit<Parts, 'weaknesses' | 'startedAt'>> {
  if (!(await testStaticReads())) log.warn('static read buffers do not work on this Node: reading plainly, and slower')
  const records = await openRecords(configuration, log)
  opened.defer(() => closeRecords(records, log))
  const engine = await startPolicy(configuration.policy, log)
  opened.defer(() => engine.close())
  const record = new MeteredRecord(records.journal)
  const metrics = new Metrics({
    decisions: () => record.decisions(),
    sessions: () => {
      const active = new Map(record.sessions())
      return targets.all.map((target) => [target, active.get(target.name) ?? 0] as const)
    },
    listeners: () => targets.all.map((target) => [target, target.counts] as const),
    journal: () => records.journal.status,
    bundle: () => engine.status(),
    shipping: () => shippingStatus(records),
    ready: () => notReady({ engine, records }).length === 0,
  })
  const gate = new Gate(new MeteredPolicy(engine, (seconds) => metrics.timed(seconds)), record)
  const targets = await Targets.open(configuration, { gate, log, protocols })
  opened.defer(() => targets.close(SESSION_PATIENCE))
  return { engine, records, record, gate, targets, metrics }
}
