/** Parse: a text gets a name. It is analysed and judged here; its executions are judged again, with their parameters. */
import type { Decision } from '../../../gate/decision.ts'
import { refusal } from '../../../gate/refusal.ts'
import { HEADER } from '../framing.ts'
import { decodeParse } from '../messages.ts'
import { EMPTY_PARSE, refusedParse } from '../origination.ts'
import type { Analysis } from '../statement.ts'
import { Execution, type Prepared } from './execution.ts'
import { NO_CHANGES } from './naming.ts'
import { type Refused, refused } from './refused.ts'
import type { Relay } from './relay.ts'
import { ParseRequest } from './requests.ts'
import { weightOfText } from './weight.ts'

interface Parse {
  readonly name: string
  readonly text: string
  readonly types: readonly number[]
  readonly bytes: Buffer
}

export class Preparing {
  readonly #relay: Relay

  constructor(relay: Relay) {
    this.#relay = relay
  }

  /** One Parse frame, from `start` to `end`. */
  parse(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const { statement: name, text, parameterTypes: types } = decodeParse(buffer, start + HEADER, end)
    const parse = { name, text, types, bytes: buffer.subarray(start, end) }
    const misread = this.#relay.misread(name + text)
    if (misread !== null) return this.#refuse(parse, refused(this.#relay.refuse(text, misread)))
    return this.#analyse(parse)
  }

  #analyse(parse: Parse): void | Promise<void> {
    // An analysis that takes its time may be of a later revision, never of an earlier one: then it is made again at the Bind.
    const { revision } = this.#relay
    const analysis = this.#relay.analyses.of(parse.text)
    if (analysis instanceof Promise) return analysis.then((late) => this.#analysed(parse, late, revision))
    return this.#analysed(parse, analysis, revision)
  }

  #analysed(parse: Parse, analysis: Analysis, revision: number): void | Promise<void> {
    const relay = this.#relay
    if (relay.skipping || relay.over) return
    const { names } = relay
    if (analysis.kind === 'refused') return this.#refuse(parse, refused(relay.refuse(parse.text, analysis.refusal)))
    if (analysis.statements.length > 1) {
      const because = refusal('command.unparsable', 'cannot insert multiple commands into a prepared statement')
      return this.#refuse(parse, refused(relay.refuse(parse.text, because)))
    }
    if (!names.roomFor('statements', parse.name, weightOfText(parse.text))) {
      const because = refusal(
        'session.limit',
        'the session holds too many prepared statements, or too large ones',
        'DEALLOCATE some',
      )
      return this.#refuse(parse, refused(relay.refuse(parse.text, because)))
    }
    const { name, text, types } = parse
    const own = names.typed(analysis.statements[0] ?? null, types)
    const prepared: Prepared = { name, text, statement: own, revision, types }
    if (own === null) return this.#prepareNothing(parse, prepared)
    const settling = names.settling(own)
    if (settling !== undefined) return relay.sent(settling).then(() => this.#analyse(parse))
    const statement = names.resolve(own, null)
    if ('refusal' in statement) {
      relay.refuse(text, statement.refusal)
      return this.#refuse(parse, statement)
    }
    return relay.judge(new ParseRequest(relay, statement, prepared, parse.bytes), (verdict) => {
      if (verdict.kind === 'refused') return this.#refuse(parse, refused(verdict.refusal))
      const { permit } = verdict
      const plan = relay.obligations.plan(statement, permit.decisions[0] as Decision)
      const execution = new Execution({ permit, index: 0, statement, plan, portal: null, names: NO_CHANGES })
      relay.replies.push({ kind: 'parse', version: names.statements.define(name, prepared), execution })
      relay.forward(permit)
    })
  }

  /** An empty statement does nothing: drivers use it to see whether the connection lives. */
  #prepareNothing(parse: Parse, prepared: Prepared): void {
    const relay = this.#relay
    if (prepared.name !== '') {
      const message = 'an empty statement cannot have a name'
      const because = refusal('command.unsupported', message, 'use the unnamed statement')
      return this.#refuse(parse, refused(relay.refuse('', because)))
    }
    relay.originate(EMPTY_PARSE)
    relay.replies.push({ kind: 'parse', version: relay.names.statements.define('', prepared), execution: null })
  }

  #refuse({ name }: Parse, because: Refused): void {
    // Any Parse of the unnamed statement ends the one before.
    const unnamed = name === ''
    this.#relay.substitute(because, (token) => refusedParse(token, unnamed), { unnamed })
  }
}
