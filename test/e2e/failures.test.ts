import t from 'tap'
import { encodeParse, encodeQuery, encodeSync } from '../../src/protocols/postgres/messages.ts'
import { buildBundle } from '../support/bundle.ts'
import { shown } from '../support/wire.ts'
import { archive, handmade, VERDICT } from './bundles.ts'
import { bound, place, refusal, refusalIn, started, until, works } from './sidecar.ts'

// All of it is much quicker, on a machine that has nothing else to do.
t.setTimeout(150_000)

const PERMISSIVE = buildBundle('bundles/permissive')

/** What policy may demand beside allowing: a denial, a grant of people, a mask. */
const DEMANDING = buildBundle({
  demanding: `package policy.demanding

import data.sidegate.sql

allow contains {"code": "demanding.all", "protocol": "*"}

deny contains {"code": "demanding.no", "message": "not this", "remedy": "that"} if input.command.text == "SELECT 'no'"

approve contains {"code": "demanding.schema", "groups": ["dba"], "wait": "1m"} if sql.changes_schema

mask contains {"column": "public.people.ssn", "with": "redact"}

limit contains {"rows": input.command.detail.statement.index - 5} if input.command.text == "SELECT 'malformed'"
`,
})

const PEOPLE = "CREATE TABLE people (id int, ssn text); INSERT INTO people VALUES (1, '078-05-1120')"

t.test('an evaluation that fails refuses its command alone, whatever the mode, and the next one works', async (t) => {
  const at = await place(t)
  const rego = `package sidegate

decision := {"effect": "allow"} if {
	input.command.text == "SELECT 'malformed'"
} else := twice if {
	input.command.text == "SELECT 'throws'"
} else := verdict([]) if {
	input.command.text != "SELECT 'undefined'"
}

twice := verdict([]) if input.command.text != ""

twice := 1 if startswith(input.command.text, "SELECT 'throws")

${VERDICT}`
  const bundle = at.file('bundle.tar.gz', await archive(await handmade(rego)))
  const sidecar = await started(t, at, bundle, { policy: { mode: 'observe' } })
  t.equal((await sidecar.status()).policy.code, null, (await sidecar.status()).policy.message ?? '')
  const agent = await sidecar.agent()
  await works(t, agent, 'at first')
  // More often than an instance could be used after it threw.
  for (let round = 0; round < 600; round++) {
    const code = await refusal(agent, "SELECT 'throws'")
    if (code !== 'ERROR 42501 policy.error') t.fail(`round ${round}: ${code}`)
  }
  await works(t, agent, 'after a throw')
  t.equal(await refusal(agent, "SELECT 'undefined'"), 'ERROR 42501 policy.invalid-decision')
  await works(t, agent, 'after an undefined result')
  t.equal(await refusal(agent, "SELECT 'malformed'"), 'ERROR 42501 policy.invalid-decision')
  await works(t, agent, 'after a malformed one')
  const status = await sidecar.status()
  t.equal(status.policy.evaluation_errors, 602)
  t.equal(status.ready, true)
  t.match((await sidecar.get('metrics')).text, 'sidegate_policy_errors_total 602')
  agent.close()
})

t.test('an input over its size is refused, and the next command works', async (t) => {
  const at = await place(t)
  const bundle = await buildBundle({
    large: `package policy.large

allow contains {"code": "large.all", "protocol": "*"} if {
	count(input.command.detail.parameters) > 0
	every parameter in input.command.detail.parameters { parameter.value != "never" }
}

allow contains {"code": "large.none", "protocol": "*"} if count(input.command.detail.parameters) == 0
`,
  })
  const sidecar = await started(t, at, bundle)
  const agent = await sidecar.agent()
  agent.send(encodeParse('', 'SELECT length($1::text)'), ...bound(Buffer.alloc(2 * 1024 ** 2, 'x')), encodeSync())
  t.equal(refusalIn(await agent.ready()), 'ERROR 42501 policy.error')
  await works(t, agent, 'after it')
  agent.send(encodeParse('', 'SELECT length($1::text)'), ...bound(Buffer.from('xxx')), encodeSync())
  t.match(shown(await agent.ready()), /D\(3\)/)
  agent.close()
})

t.test('what cannot be understood, or is larger than a limit, is refused by its code', async (t) => {
  const at = await place(t)
  const limits = { statement: '64KiB', statements: 5, depth: 100, message: '256KiB' }
  const sidecar = await started(t, at, await PERMISSIVE, { target: { limits } })
  const agent = await sidecar.agent()
  const nested = (levels: number) => `SELECT ${'('.repeat(levels)}1${' + 1)'.repeat(levels)}`
  const commands: readonly [text: string, expected: string][] = [
    ['SELEC 1', 'ERROR 42601 command.unparsable'],
    ["SELECT 'never closed", 'ERROR 42601 command.unparsable'],
    [`SELECT '${'x'.repeat(65 * 1024)}'`, 'ERROR 54000 command.too-large'],
    ['SELECT 1; '.repeat(6), 'ERROR 54000 command.too-large'],
    [nested(200), 'ERROR 54000 command.too-large'],
    [nested(5_000), 'ERROR 54000 command.too-large'],
  ]
  for (const [text, expected] of commands) {
    t.equal(await refusal(agent, text), expected, text.slice(0, 40))
    await works(t, agent, `after ${text.slice(0, 40)}`)
    agent.send(encodeParse('', text), ...bound(), encodeSync())
    const extended = refusalIn(await agent.ready())
    // The extended protocol takes one statement, which is the grammar's matter.
    t.match(
      extended,
      text.startsWith('SELECT 1; ') ? /^ERROR (42601|54000) / : expected,
      `Parse of ${text.slice(0, 40)}`,
    )
  }
  const records = (await at.records()).filter((record) => record.type === 'decision')
  const refused = records.filter(({ custom }) => custom.verdict === 'refused')
  t.equal(refused.length, commands.length * 2, 'each refusal is on record')
  agent.close()
  const large = await sidecar.agent()
  large.send(encodeQuery(`SELECT '${'x'.repeat(300 * 1024)}'`))
  const farewell = await large.until(({ type }) => type === 'E')
  t.equal(refusalIn(farewell), 'FATAL 08P01 protocol.violation', 'a message over its limit ends the session')
  large.close()
})

t.test('what policy demands and cannot be kept is refused', async (t) => {
  const at = await place(t)
  await at.sql(PEOPLE)
  const sidecar = await started(t, at, await DEMANDING)
  const agent = await sidecar.agent()
  t.notMatch(shown(await agent.query('SELECT id, ssn FROM people')), /078/)
  t.equal(await refusal(agent, 'SELECT upper(ssn) FROM people'), 'ERROR 42501 obligation.unsupported')
  t.equal(await refusal(agent, 'CREATE TABLE t (a int)'), 'ERROR 42501 approval.unavailable')
  t.equal(await refusal(agent, "SELECT 'no'"), 'ERROR 42501 demanding.no')
  await works(t, agent, 'after refusals')
  t.same(await at.sql("SELECT 1 FROM pg_class WHERE relname = 't'"), [])
  agent.close()
})

t.test('observing passes over what policy itself denies, and over nothing else', async (t) => {
  const at = await place(t)
  await at.sql(PEOPLE)
  const sidecar = await started(t, at, await DEMANDING, { policy: { mode: 'observe' } })
  const agent = await sidecar.agent()
  t.match(shown(await agent.query("SELECT 'no'")), /D\(no\)/)
  t.match(shown(await agent.query('CREATE TABLE t (a int)')), /C\(CREATE TABLE\)/)
  t.notMatch(shown(await agent.query('SELECT id, ssn FROM people')), /078/, 'masks hold')
  t.equal(await refusal(agent, 'SELECT upper(ssn) FROM people'), 'ERROR 42501 obligation.unsupported')
  t.equal(await refusal(agent, "SELECT 'malformed'"), 'ERROR 42501 policy.invalid-decision')
  t.equal(await refusal(agent, 'SELEC 1'), 'ERROR 42601 command.unparsable')
  await until(async () => (await at.records()).filter(({ type }) => type === 'outcome').length === 3)
  const found = (await at.records()).flatMap((record) =>
    record.type === 'decision' ? [[record.result.effect, record.custom.verdict, record.custom.mode]] : [],
  )
  t.same(found.slice(0, 2), [
    ['deny', 'permitted', 'observe'],
    ['approve', 'permitted', 'observe'],
  ])
  t.match((await sidecar.status()).weaknesses, [{ code: 'config.unsigned' }, { code: 'config.observe' }])
  agent.close()
})
