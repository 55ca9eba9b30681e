/** Decisions of every kind, for tests of how they are stored: few enough of each part that many have most in common. */
import fc from 'fast-check'
import type { Shape } from '../../src/gate/command.ts'
import type { Decision } from '../../src/gate/decision.ts'
import type { Json, JsonObject } from '../../src/gate/json.ts'
import type { DecisionEvent } from '../../src/gate/ports.ts'
import type { Session } from '../../src/gate/session.ts'
import { ALLOW } from '../support/fakes.ts'
import { session } from './support.ts'

/** What looks like the record's own keys, and what does not. */
const TEXTS = [
  'SELECT 1',
  'SELECT 2',
  'SELECT "as", \'ü\' /* ,"input":{"command":{ */',
  '}}},"path":"sidegate/decision","parameters":[\\',
  '\u0001\u{1F600}\\"',
  'x'.repeat(5_000),
  'long '.repeat(20_000),
]

const DETAILS: readonly JsonObject[] = [
  {},
  { effects: ['select'], relations: [{ name: 'orders', columns: [] }] },
  { as: [1, 2, 3], parameters: [1], varying: { parameters: ['"'] }, truncated: null, text: ',"text":"' },
  { path: 'ü', nested: { list: [{ deep: [[], {}, '}}'] }] }, count: -1.5e-7 },
  { long: 'detail '.repeat(8_000) },
]

const VARYING: readonly JsonObject[] = [
  {},
  { transaction: 'idle', phase: 'execute' },
  { transaction: 'open', phase: 'execute', statement: { index: 1, of: 2 } },
  { phase: ',"parameters":[', nested: { parameters: [1] }, list: [] },
]

const MASK = {
  column: 'public.customers.ssn',
  detector: null,
  path: null,
  with: 'redact',
  policy: 'policy.test',
} as const
const DECISIONS: readonly Decision[] = [
  ALLOW,
  { ...ALLOW, record: 'full' },
  { ...ALLOW, masks: [MASK] },
  { ...ALLOW, reasons: [{ code: '"parameters":[', message: 'ü', remedy: '}}},"path":', policy: '' }] },
]

const PARAMETERS: readonly Json[] = [
  [],
  [{ type: 'int4', value: '1', known: true }],
  [{ type: 'int4', value: '2', known: true }, null],
  [{ type: 'text', value: '"}],"parameters":[{' }],
  'one',
  [['ü'], {}],
]

export interface Deciding {
  readonly text: string
  readonly recorded: boolean
  readonly protocol: string
  readonly detail: number
  readonly varying: number
  /** null for none. */
  readonly parameters: number | null
  readonly decision: number
  /** Facts and decision are other objects that say the same. */
  readonly copied: boolean
  readonly refused: boolean
  readonly granted: boolean
  readonly revision: string
  readonly session: number
  readonly generation: number
}

const often = fc.oneof({ arbitrary: fc.constant(0), weight: 6 }, { arbitrary: fc.nat(3), weight: 1 })
const seldom = fc.oneof({ arbitrary: fc.constant(false), weight: 9 }, { arbitrary: fc.constant(true), weight: 1 })

export const deciding: fc.Arbitrary<Deciding> = fc.record({
  text: fc.constantFrom(...TEXTS),
  recorded: seldom,
  protocol: fc.oneof({ arbitrary: fc.constant('test'), weight: 9 }, { arbitrary: fc.constant('other'), weight: 1 }),
  detail: fc.oneof({ arbitrary: often, weight: 9 }, { arbitrary: fc.nat(DETAILS.length - 1), weight: 1 }),
  varying: often,
  parameters: fc.option(fc.nat(PARAMETERS.length - 1)),
  decision: often,
  copied: seldom,
  refused: seldom,
  granted: seldom,
  revision: fc.oneof({ arbitrary: fc.constant('r1'), weight: 9 }, { arbitrary: fc.constant('r2'), weight: 1 }),
  session: fc.nat(2),
  generation: fc.oneof({ arbitrary: fc.constant(1), weight: 9 }, { arbitrary: fc.constant(2), weight: 1 }),
})

/** Makes events; shapes, decisions and sessions that are the same are one object, as they are in the sidecar. */
export function events(
  sessions: readonly Session[] = [session(), session(), session()],
): (of: Deciding) => DecisionEvent {
  const shapes = new Map<string, Shape>()
  const details = DETAILS.map((detail) => structuredClone(detail))
  return ({
    text,
    recorded,
    protocol,
    detail,
    varying,
    parameters,
    decision,
    copied,
    refused,
    granted,
    revision,
    session: nth,
  }) => {
    const key = JSON.stringify([text, recorded, protocol, detail])
    const facts = details[detail] ?? {}
    const redacted = recorded ? { recorded: `${text} redacted` } : {}
    const known = shapes.get(key) ?? { protocol, action: 'do', text, detail: facts, ...redacted }
    shapes.set(key, known)
    const shape = copied ? { ...known, detail: structuredClone(facts) } : known
    const own = VARYING[varying] ?? {}
    const result = DECISIONS[decision] ?? ALLOW
    const of = sessions[nth % sessions.length] ?? session()
    const because = { code: 'test', message: '"custom":', remedy: '', policy: '' }
    return {
      session: of,
      sequence: ++of.sequence,
      command: { shape, varying: parameters === null ? own : { ...own, parameters: PARAMETERS[parameters] ?? [] } },
      answer: { decision: copied ? structuredClone(result) : result, revision, mode: 'enforce', failed: false },
      grant: granted ? { by: ['ann'], at: '', codes: [] } : null,
      refusal: refused ? because : null,
      at: 1_000 + nth,
    }
  }
}
