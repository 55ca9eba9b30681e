/** The same conversation with the server alone and through Sidegate. */
import fc from 'fast-check'
import pg from 'pg'
import t from 'tap'
import type { ApprovalPort } from '../../../../src/gate/ports.ts'
import { ALLOW, approve, deny } from '../../../support/fakes.ts'
import { startTarget } from '../../../support/postgres-target.ts'
import { startPostgres } from '../../../support/postgres.ts'
import { WireClient } from '../../../support/wire.ts'
import type { ServedTarget } from '../../../support/wiring.ts'
import {
  account,
  anyScript,
  DENIED,
  DENIED_AT_EXECUTE,
  play,
  refusedScript,
  RESET,
  type Script,
  SETUP,
  STATE,
  words,
} from './script.ts'

const RUNS = Number(process.env['DIFFERENTIAL_RUNS'] ?? 25)
const seed = process.env['DIFFERENTIAL_SEED']
const path = process.env['DIFFERENTIAL_PATH']
const parameters: fc.Parameters<[Script]> = {
  numRuns: RUNS,
  ...(path === undefined ? {} : { path }),
  ...(seed === undefined ? {} : { seed: Number(seed) }),
  endOnFailure: process.env['DIFFERENTIAL_SHRINK'] === undefined,
}

/** Without a password, so that the test's own client can speak with it alone. */
const server = await startPostgres({ hba: ['host all all 127.0.0.1/32 trust'] })
const alone = await admin()
const gated = await admin()

async function admin() {
  const database = await server.createDatabase()
  const client = new pg.Client(server.connection(database))
  await client.connect()
  await client.query(SETUP)
  const state = async () => (await client.query<Record<string, unknown>>(STATE)).rows[0]
  return { database, client, state, reset: () => client.query(RESET) }
}

/** Every permit has exactly one outcome, and no refusal has any. */
function unsettled({ record }: ServedTarget): string[] {
  const wrong: string[] = []
  const counts = new Map<string, number>()
  const key = ({ session, sequence }: { session: { id: string }; sequence: number }) => `${session.id}/${sequence}`
  for (const outcome of record.outcomes) counts.set(key(outcome), (counts.get(key(outcome)) ?? 0) + 1)
  for (const decision of record.decisions) {
    const count = counts.get(key(decision)) ?? 0
    const expected = decision.refusal === null ? 1 : 0
    if (count !== expected) wrong.push(`${decision.command.shape.text}: ${count} outcomes instead of ${expected}`)
  }
  return wrong
}

/** Two accounts side by side, from where they part. */
function difference(expected: readonly string[], actual: readonly string[]): string | null {
  const length = Math.max(expected.length, actual.length)
  const parted = Array.from({ length }).findIndex((_, index) => expected[index] !== actual[index])
  if (parted === -1) return null
  const from = Math.max(0, parted - 3)
  return `direct: ${expected.slice(from, parted + 5).join('\n        ')}\nthrough: ${actual.slice(from, parted + 5).join('\n         ')}`
}

/** How the property fails, or an empty text. */
async function failure(arbitrary: fc.Arbitrary<Script>, target: ServedTarget): Promise<string> {
  const details = await fc.check(
    fc.asyncProperty(arbitrary, (script) => compare(target, script)),
    parameters,
  )
  if (!details.failed) return ''
  const { seed, counterexamplePath, errorInstance, counterexample } = details
  const script = counterexample === null ? '' : words(counterexample[0])
  const what = errorInstance instanceof Error ? errorInstance.message : String(errorInstance)
  return `seed ${seed}, path ${counterexamplePath ?? ''}: ${script}\n${what}`
}

async function compare(target: ServedTarget, script: Script): Promise<void> {
  target.record.records.length = 0
  await Promise.all([alone.reset(), gated.reset()])
  const direct = await WireClient.connect(server.port, alone.database, server.user)
  const through = await WireClient.connect(target.port, gated.database)
  try {
    const expected = account(await play(direct, { ...script, cuts: [] }, { alone: true }))
    const actual = account(await play(through, script))
    const parted = difference(expected, actual)
    if (parted !== null) throw new Error(`${parted}\n${target.log.at(-1) ?? ''}`)
    const states = [await alone.state(), await gated.state()].map((state) => JSON.stringify(state))
    if (states[0] !== states[1]) throw new Error(`direct left ${states[0]}\nthrough left ${states[1]}`)
    if (states[1]?.includes('"denied":true') === true) throw new Error(`what was refused ran`)
    const open = through.ended ? [] : unsettled(target)
    if (open.length > 0) throw new Error(open.join('\n'))
  } finally {
    direct.close()
    through.close()
  }
}

t.test('an agent gets the same answers through Sidegate as from the server alone', async (t) => {
  const target = await startTarget(server)
  t.teardown(() => target.close())
  t.equal(await failure(anyScript, target), '')
})

t.test('what is refused fails in its place as a failing statement does, and never runs', async (t) => {
  const target = await startTarget(server)
  target.policy.change(({ command: { shape, varying } }) => {
    if (shape.text.includes(DENIED)) return deny('test.denied')
    return shape.text.includes(DENIED_AT_EXECUTE) && varying['phase'] === 'execute' ? deny('test.denied') : ALLOW
  })
  t.teardown(() => target.close())
  t.equal(await failure(refusedScript, target), '')
})

t.test('a limit that nothing passes changes no answer', async (t) => {
  const target = await startTarget(server)
  target.policy.change(({ command: { shape } }) => {
    const { readsOnly, statement } = shape.detail as { readsOnly: boolean; statement: { of: number } }
    return readsOnly && statement.of === 1 ? { ...ALLOW, limits: { rows: 50, bytes: 100_000, seconds: 60 } } : ALLOW
  })
  t.teardown(() => target.close())
  t.equal(await failure(anyScript, target), '')
})

t.test('what people grant is answered as if they had not been asked', async (t) => {
  const approval: ApprovalPort = {
    async ask({ sequence }) {
      await new Promise((resolve) => setTimeout(resolve, (sequence * 7) % 5))
      return { grant: { by: ['someone'], at: new Date().toISOString(), codes: ['test.held'] } }
    },
  }
  const target = await startTarget(server, { approval })
  target.policy.change(({ command: { shape }, grant }) =>
    grant === null && /log|SELECT 1|bulk/.test(shape.text) ? approve('test.held') : ALLOW,
  )
  t.teardown(() => target.close())
  t.equal(await failure(anyScript, target), '')
})

t.teardown(async () => {
  await Promise.all([alone.client.end(), gated.client.end()])
  await server.stop()
})
