/** Stand-ins for the gate's ports, for tests of what stands before them. */
import type { Command } from '../../src/gate/command.ts'
import { type Decision, denial, NO_LIMITS } from '../../src/gate/decision.ts'
import type { JsonObject } from '../../src/gate/json.ts'
import type {
  Answer,
  ApprovalPort,
  DecisionEvent,
  FrameEvent,
  Grant,
  Hold,
  OutcomeEvent,
  PolicyPort,
  Position,
  Question,
  RecordPort,
} from '../../src/gate/ports.ts'
import type { Refusal } from '../../src/gate/refusal.ts'
import { type Context, context, type Session } from '../../src/gate/session.ts'

export const ALLOW: Decision = {
  effect: 'allow',
  reasons: [{ code: 'test.allowed', message: '', remedy: '', policy: 'policy.test' }],
  masks: [],
  limits: NO_LIMITS,
  approvals: [],
  record: 'standard',
}

export function deny(code: string, policy = 'policy.test'): Decision {
  return {
    ...denial(code, `refused by ${code}`, 'do otherwise'),
    reasons: [{ code, message: `refused by ${code}`, remedy: 'do otherwise', policy }],
  }
}

export function approve(...codes: string[]): Decision {
  const demand = (code: string) => ({ code, groups: ['dba'], count: 1, wait: 1, validFor: 60, policy: 'policy.test' })
  return { ...ALLOW, effect: 'approve', approvals: codes.map(demand) }
}

/** A policy that a function decides. */
export class FakePolicy implements PolicyPort {
  readonly questions: Question[] = []
  readonly #listeners = new Set<() => void>()
  mode: Answer['mode'] = 'enforce'
  failed = false
  rule: (question: Question) => Decision

  constructor(rule: (question: Question) => Decision = () => ALLOW) {
    this.rule = rule
  }

  decide(question: Question): Answer {
    this.questions.push(question)
    return { decision: this.rule(question), revision: 'test', mode: this.mode, failed: this.failed }
  }

  reads(): boolean {
    return true
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  change(rule: (question: Question) => Decision): void {
    this.rule = rule
    for (const listener of this.#listeners) listener()
  }
}

export type Recorded =
  | { readonly type: 'session-start'; readonly session: Session }
  | { readonly type: 'decision'; readonly event: DecisionEvent }
  | { readonly type: 'outcome'; readonly event: OutcomeEvent }
  | { readonly type: 'frame'; readonly event: FrameEvent }
  | { readonly type: 'session-end'; readonly session: Session; readonly reason: string }

/** A journal in memory whose durability the test holds in its hand. */
export class FakeRecord implements RecordPort {
  readonly records: Recorded[] = []
  durable: Position = 0
  /** Set to make appending fail. */
  failure: (Error & { code: string }) | null = null
  /** With false, nothing becomes durable until `flush` is called. */
  automatic = true
  #waiting: ((error: Error | null) => void)[] = []

  sessionStart(session: Session): Position {
    return this.#append({ type: 'session-start', session })
  }
  decision(event: DecisionEvent): Position {
    return this.#append({ type: 'decision', event })
  }
  outcome(event: OutcomeEvent): Position {
    return this.#tell({ type: 'outcome', event })
  }
  frame(event: FrameEvent): Position {
    return this.#append({ type: 'frame', event: { ...event, data: Buffer.from(event.data) } })
  }
  sessionEnd(session: Session, reason: string): Position {
    return this.#tell({ type: 'session-end', session, reason })
  }

  whenDurable(done: (error: Error | null) => void): void {
    this.#waiting.push(done)
    if (this.automatic) setImmediate(() => this.flush())
  }

  flush(): void {
    if (this.failure === null) this.durable = this.records.length
    const waiting = this.#waiting
    this.#waiting = []
    for (const done of waiting) done(this.failure)
  }

  fail(code: 'record.unavailable' | 'record.spool-full'): void {
    this.failure = Object.assign(new Error(code), { code })
  }

  /** What has happened is told or lost, and never throws. */
  #tell(record: Recorded): Position {
    return this.failure === null ? this.records.push(record) : this.records.length
  }

  #append(record: Recorded): Position {
    if (this.failure !== null) throw this.failure
    return this.records.push(record)
  }

  get decisions(): DecisionEvent[] {
    return this.records.flatMap((record) => (record.type === 'decision' ? [record.event] : []))
  }
  get outcomes(): OutcomeEvent[] {
    return this.records.flatMap((record) => (record.type === 'outcome' ? [record.event] : []))
  }
  get frames(): FrameEvent[] {
    return this.records.flatMap((record) => (record.type === 'frame' ? [record.event] : []))
  }
}

/** People who answer when the test says so. */
export class FakeApproval implements ApprovalPort {
  readonly holds: (Hold & { settle(reply: { grant: Grant } | { refusal: Refusal }): void })[] = []

  ask(hold: Hold): Promise<{ readonly grant: Grant } | { readonly refusal: Refusal }> {
    const { promise, resolve } = Promise.withResolvers<{ grant: Grant } | { refusal: Refusal }>()
    this.holds.push({ ...hold, settle: resolve })
    return promise
  }
}

export const CONTEXT: Context = context(
  { subject: 'agent', issuer: 'test', groups: [], claims: {}, chain: [] },
  { namespace: 'agents', pod: 'agent-0', serviceAccount: 'agent', labels: {} },
  { name: 'target', protocol: 'test', host: '127.0.0.1', port: 1, labels: {} },
)

export function command(text: string, varying: JsonObject = {}): Command {
  return { shape: Object.freeze({ protocol: 'test', action: 'do', text, detail: {} }), varying }
}
