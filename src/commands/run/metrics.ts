/** Prometheus metrics. Everything but the timed decisions is read off its source when it is scraped. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ListenerCounts } from '../../net/listener.ts'
import type { DecisionCount } from './meter.ts'

interface MeteredTarget {
  readonly name: string
  readonly protocol: string
}

/** What is read at a scrape. */
export interface Sources {
  decisions(): Iterable<Readonly<DecisionCount>>
  sessions(): Iterable<readonly [of: MeteredTarget, active: number]>
  listeners(): Iterable<readonly [of: MeteredTarget, counts: Readonly<ListenerCounts>]>
  journal(): {
    readonly position: number
    readonly durable: number
    readonly shipped: number
    readonly bytes: number
    readonly maxSize: number
    readonly writes: number
    readonly lost: number
    readonly ready: boolean
  }
  bundle(): {
    readonly active_revision: string
    readonly mode: string
    readonly signed: boolean
    readonly code: string | null
    readonly evaluation_errors: number
  }
  /** Null where records are not shipped. */
  shipping(): {
    readonly connected: boolean
    readonly lag: { readonly records: number; readonly bytes: number; readonly seconds: number }
  } | null
  ready(): boolean
}

/** Microseconds around the goal (20 at p50, 100 at p99), then what only a defect would take. */
const DECISION_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000].map((microseconds) => microseconds / 1e6)

export class Metrics {
  readonly #registry = new Registry()
  readonly #sources: Sources
  readonly #decisionSeconds = new Histogram({
    name: 'sidegate_decision_seconds',
    help: 'Time that policy took to decide one command; one decision in eight is timed',
    buckets: DECISION_BUCKETS,
    registers: [this.#registry],
  })

  constructor(sources: Sources) {
    this.#sources = sources
    this.#addTraffic()
    this.#addRecords()
    this.#addPolicy()
    this.#addProcess()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  timed(seconds: number): void {
    this.#decisionSeconds.observe(seconds)
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  #addTraffic(): void {
    const { decisions, sessions, listeners } = this.#sources
    this.#counter(
      'sidegate_decisions_total',
      'Commands by what became of them',
      ['target', 'effect', 'code'],
      (metric) => {
        for (const { target, effect, code, count } of decisions()) metric.inc({ target, effect, code }, count)
      },
    )
    this.#gauge('sidegate_sessions', 'Sessions that run now', ['target', 'protocol'], (metric) => {
      for (const [{ name: target, protocol }, active] of sessions()) metric.set({ target, protocol }, active)
    })
    this.#gauge(
      'sidegate_connections',
      'Connections that are served, or wait for a place',
      ['target', 'protocol', 'state'],
      (metric) => {
        for (const [{ name: target, protocol }, { active, waiting }] of listeners()) {
          metric.set({ target, protocol, state: 'active' }, active)
          metric.set({ target, protocol, state: 'waiting' }, waiting)
        }
      },
    )
    const total = 'Connections since the start, served or closed unserved because the cap was reached'
    this.#counter('sidegate_connections_total', total, ['target', 'protocol', 'result'], (metric) => {
      for (const [{ name: target, protocol }, { accepted, refused }] of listeners()) {
        metric.inc({ target, protocol, result: 'served' }, accepted)
        metric.inc({ target, protocol, result: 'refused' }, refused)
      }
    })
  }

  #addRecords(): void {
    const { journal, shipping } = this.#sources
    const of = (name: string, help: string, read: () => number) =>
      this.#gauge(name, help, [], (metric) => metric.set(read()))
    of('sidegate_journal_lag_records', 'Records that are appended and not yet durable', () => {
      const { position, durable } = journal()
      return position - durable
    })
    of('sidegate_journal_bytes', 'Size of the journal', () => journal().bytes)
    of('sidegate_journal_max_bytes', 'Size at which the journal is full', () => journal().maxSize)
    of('sidegate_journal_up', 'Whether commands can be recorded', () => (journal().ready ? 1 : 0))
    this.#counter('sidegate_journal_records_total', 'Records appended since the journal began', [], (metric) => {
      metric.inc(journal().position)
    })
    this.#counter('sidegate_journal_writes_total', 'Blocks written since the start', [], (metric) =>
      metric.inc(journal().writes),
    )
    this.#counter('sidegate_journal_lost_total', 'Records that could not be kept', [], (metric) =>
      metric.inc(journal().lost),
    )
    if (shipping() === null) return
    of('sidegate_redis_lag_records', 'Durable records that are not in Redis yet', () => shipping()?.lag.records ?? 0)
    of('sidegate_redis_lag_bytes', 'Their size', () => shipping()?.lag.bytes ?? 0)
    of(
      'sidegate_redis_lag_seconds',
      'Since the last record that was sent was written',
      () => shipping()?.lag.seconds ?? 0,
    )
    of('sidegate_redis_up', 'Whether Redis takes records', () => (shipping()?.connected === true ? 1 : 0))
  }

  #addPolicy(): void {
    const { bundle, ready } = this.#sources
    this.#gauge('sidegate_bundle_info', 'The active bundle', ['revision', 'mode', 'signed'], (metric) => {
      const { active_revision: revision, mode, signed } = bundle()
      metric.set({ revision, mode, signed: String(signed) }, 1)
    })
    this.#gauge('sidegate_bundle_failed', 'Whether the last attempt to load a bundle failed', ['code'], (metric) => {
      const { code } = bundle()
      metric.set({ code: code ?? '' }, code === null ? 0 : 1)
    })
    this.#counter('sidegate_policy_errors_total', 'Failed evaluations of the active bundle', [], (metric) => {
      metric.inc(bundle().evaluation_errors)
    })
    this.#gauge('sidegate_ready', 'Whether commands are taken', [], (metric) => metric.set(ready() ? 1 : 0))
  }

  #addProcess(): void {
    this.#gauge('process_resident_memory_bytes', 'Resident memory', [], (metric) =>
      metric.set(process.memoryUsage.rss()),
    )
    this.#counter('process_cpu_seconds_total', 'User and system time', [], (metric) => {
      const { user, system } = process.cpuUsage()
      metric.inc((user + system) / 1e6)
    })
    let before = performance.eventLoopUtilization()
    const help = 'Part of the time since the last scrape in which the event loop was busy'
    this.#gauge('nodejs_eventloop_utilization', help, [], (metric) => {
      const now = performance.eventLoopUtilization()
      metric.set(performance.eventLoopUtilization(now, before).utilization)
      before = now
    })
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    fill: (gauge: Gauge<Label>) => void,
  ): void {
    const gauge: Gauge<Label> = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        gauge.reset()
        fill(gauge)
      },
    })
  }

  /** The sources count from the start, so a scrape sets the counter anew. */
  #counter<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    fill: (counter: Counter<Label>) => void,
  ): void {
    const counter: Counter<Label> = new Counter({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        counter.reset()
        fill(counter)
      },
    })
  }
}
