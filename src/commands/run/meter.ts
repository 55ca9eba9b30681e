/** Counts what goes through the gate, between the gate and its ports, for a few nanoseconds a command. */
import type {
  Answer,
  DecisionEvent,
  FrameEvent,
  OutcomeEvent,
  PolicyPort,
  Position,
  Question,
  RecordPort,
} from '../../gate/ports.ts'
import type { Session } from '../../gate/session.ts'

/** One decision in so many is timed: the clock costs more than counting does. A power of two. */
const SAMPLED = 8

/** Codes are the policies' own words. Beyond this many different ones they are counted together. */
const MAX_SERIES = 1_000

export const OVERFLOW_CODE = 'other'

/** How often something was decided for a target. */
export interface DecisionCount {
  readonly target: string
  /**
   * What became of the command: `deny` also where the policy allowed it and something else refused, `observe` where the
   * policy would have stopped it and only its mode let it pass.
   */
  readonly effect: 'allow' | 'deny' | 'observe'
  readonly code: string
  count: number
}

interface TargetMeter {
  /** By decision or refusal: the same object is the same count, found without touching a string. */
  readonly byReason: WeakMap<object, DecisionCount>
  active: number
}

export class MeteredPolicy implements PolicyPort {
  readonly #policy: PolicyPort
  readonly #timed: (seconds: number) => void
  #turn = 0

  constructor(policy: PolicyPort, timed: (seconds: number) => void) {
    this.#policy = policy
    this.#timed = timed
  }

  decide(question: Question): Answer {
    this.#turn = (this.#turn + 1) & (SAMPLED - 1)
    if (this.#turn !== 0) return this.#policy.decide(question)
    const before = performance.now()
    const answer = this.#policy.decide(question)
    this.#timed((performance.now() - before) / 1_000)
    return answer
  }

  reads(key: string): boolean {
    return this.#policy.reads(key)
  }

  onChange(listener: () => void): () => void {
    return this.#policy.onChange(listener)
  }
}

export class MeteredRecord implements RecordPort {
  readonly #record: RecordPort
  readonly #targets = new Map<string, TargetMeter>()
  readonly #counts = new Map<string, DecisionCount>()

  constructor(record: RecordPort) {
    this.#record = record
  }

  get durable(): Position {
    return this.#record.durable
  }

  /** All counts so far. */
  decisions(): Iterable<Readonly<DecisionCount>> {
    return this.#counts.values()
  }

  /** Sessions that run now, by target. */
  sessions(): Iterable<readonly [target: string, active: number]> {
    return [...this.#targets].map(([target, { active }]) => [target, active] as const)
  }

  sessionStart(session: Session): Position {
    const position = this.#record.sessionStart(session)
    this.#meter(session).active++
    return position
  }

  decision(event: DecisionEvent): Position {
    const position = this.#record.decision(event)
    const { byReason } = this.#meter(event.session)
    const reason = event.refusal ?? event.answer.decision
    const known = byReason.get(reason)
    if (known === undefined) byReason.set(reason, this.#first(event))
    else known.count++
    return position
  }

  outcome(event: OutcomeEvent): Position {
    return this.#record.outcome(event)
  }

  frame(event: FrameEvent): Position {
    return this.#record.frame(event)
  }

  sessionEnd(session: Session, reason: string): Position {
    this.#meter(session).active--
    return this.#record.sessionEnd(session, reason)
  }

  whenDurable(done: (error: Error | null) => void): void {
    this.#record.whenDurable(done)
  }

  #meter(session: Session): TargetMeter {
    const { name } = session.context.target
    let meter = this.#targets.get(name)
    if (meter === undefined) {
      meter = { byReason: new WeakMap(), active: 0 }
      this.#targets.set(name, meter)
    }
    return meter
  }

  #first({ session, answer, refusal }: DecisionEvent): DecisionCount {
    const target = session.context.target.name
    const effect = refusal !== null ? 'deny' : answer.decision.effect === 'allow' ? 'allow' : 'observe'
    const said = refusal?.code ?? answer.decision.reasons[0]?.code ?? ''
    const known = (code: string) => this.#counts.get(JSON.stringify([target, effect, code]))
    const code = this.#counts.size < MAX_SERIES || known(said) !== undefined ? said : OVERFLOW_CODE
    const count = known(code) ?? { target, effect, code, count: 0 }
    count.count++
    this.#counts.set(JSON.stringify([target, effect, code]), count)
    return count
  }
}
