import { cpSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { encodeParse, encodeSync } from '../../src/protocols/postgres/messages.ts'
import { keyPair, sign } from '../policy/fixture.ts'
import { buildBundle } from '../support/bundle.ts'
import { archive, attesting, handmade, HTTP, permissive, SLOW } from './bundles.ts'
import { startLoad, TABLE } from './load.ts'
import { bound, place, refusal, refusalIn, started, until, works } from './sidecar.ts'

// All of it is much quicker, on a machine that has nothing else to do.
t.setTimeout(150_000)

const PERMISSIVE = buildBundle('bundles/permissive')

const digest = `sha256:${'0'.repeat(64)}`

t.test('without a bundle nothing is ready and every command is refused, and the next bundle is taken up', async (t) => {
  const at = await place(t)
  await at.sql(TABLE)
  const bundle = at.file('bundle.tar.gz', 'garbage')
  const sidecar = await started(t, at, bundle)
  const { status, text } = await sidecar.get('readyz')
  t.equal(status, 503)
  t.match(text, /^policy\.unavailable: .*gzip/)
  t.equal((await sidecar.get('healthz')).status, 200)
  t.match(await sidecar.status(), { ready: false, policy: { code: 'bundle.malformed', active_revision: '' } })
  const agent = await sidecar.agent()
  for (const command of ['SELECT 1', "INSERT INTO written VALUES ('x')", 'BEGIN']) {
    t.equal(await refusal(agent, command), 'ERROR 57P03 policy.unavailable', command)
  }
  agent.send(encodeParse('', 'SELECT 1'), ...bound(), encodeSync())
  t.equal(refusalIn(await agent.ready()), 'ERROR 57P03 policy.unavailable')
  t.same(await at.sql('SELECT id FROM written'), [])
  cpSync(await PERMISSIVE, `${bundle}.new`)
  renameSync(`${bundle}.new`, bundle)
  await until(async () => (await sidecar.get('readyz')).status === 200)
  await works(t, agent, 'the same session goes on')
  agent.close()
})

t.test('a bundle that is bad in any way leaves the active one in charge, and the status says why', async (t) => {
  const at = await place(t)
  const [pair, other] = [keyPair(), keyPair()]
  const good = await permissive('good')
  const signed = async (files: Map<string, Buffer>, serial: number, by = pair) =>
    await archive(await sign(files, by, { serial }))
  const active = await signed(good, 5)
  const bundle = at.file('bundle.tar.gz', active)
  const key = at.file('key.pem', pair.publicPem)
  const sidecar = await started(t, at, bundle, { policy: { bundle: { file: bundle, key } } })
  const put = (content: Uint8Array) => {
    writeFileSync(`${bundle}.new`, content)
    renameSync(`${bundle}.new`, bundle)
  }
  const agent = await sidecar.agent()
  await works(t, agent, 'at first')

  const swapped = await sign(good, pair, { serial: 9 })
  swapped.set('data.json', Buffer.from('{"more":1}'))
  const whole = await signed(await permissive('cut'), 9)
  const failing = await handmade(`package sidegate

decision := {"effect": "allow"}`)
  const bad: readonly [code: string, name: string, content: Buffer][] = [
    ['bundle.unsigned', 'unsigned', await archive(await permissive('unsigned'))],
    ['bundle.signature', 'signed with another key', await signed(await permissive('other'), 9, other)],
    ['bundle.signature', 'changed after it was signed', await archive(swapped)],
    ['bundle.rollback', 'older', await signed(await permissive('older'), 4)],
    ['bundle.rollback', 'of the same age', await signed(await permissive('same'), 5)],
    ['bundle.contract', 'of another contract', await signed(attesting(good, { contract: 2 }), 9)],
    ['bundle.contract', 'with a combiner of its own', await signed(attesting(good, { combiner: digest }), 9)],
    ['bundle.malformed', 'cut short', whole.subarray(0, whole.length / 2)],
    ['bundle.malformed', 'empty', Buffer.alloc(0)],
    ['bundle.warmup', 'that fails its samples', await signed(failing, 9)],
    ['bundle.builtin', 'that needs what is not offered', await signed(await handmade(HTTP), 9)],
    ['policy.slow', 'too slow', await signed(await handmade(SLOW), 9)],
  ]
  for (const [code, name, content] of bad) {
    put(content)
    await until(async () => (await sidecar.status()).policy.code === code, { why: () => `${code}: ${sidecar.log()}` })
    t.match(await sidecar.status(), { ready: true, policy: { active_revision: 'good', serial: 5 } }, `a bundle ${name}`)
    t.match((await sidecar.get('metrics')).text, `sidegate_bundle_failed{code="${code}"} 1`)
    await works(t, agent, `after a bundle ${name}`)
    // A look at the good one in between, so that the same code twice is seen twice.
    put(active)
    await until(async () => (await sidecar.status()).policy.code === null)
  }
  truncateSync(bundle, 100)
  await until(async () => (await sidecar.status()).policy.code === 'bundle.malformed')
  await works(t, agent, 'after the file was cut in place')
  writeFileSync(bundle, await signed(await permissive('newer'), 6))
  await until(async () => (await sidecar.status()).policy.active_revision === 'newer')
  await works(t, agent, 'under the newer one')
  agent.close()
})

t.test('a policy that is too slow is not begun with', async (t) => {
  const at = await place(t)
  const bundle = at.file('bundle.tar.gz', await archive(await handmade(SLOW)))
  const sidecar = await started(t, at, bundle)
  t.match(await sidecar.status(), { ready: false, policy: { code: 'policy.slow' } })
  const agent = await sidecar.agent()
  t.equal(await refusal(agent, 'SELECT 1'), 'ERROR 57P03 policy.unavailable')
  agent.close()
})

t.test('a bundle that is replaced under load, again and again, costs no command its decision', async (t) => {
  const at = await place(t)
  await at.sql(TABLE)
  const versions = await Promise.all(['one', 'two'].map(async (revision) => await archive(await permissive(revision))))
  const bundle = at.file('bundle.tar.gz', versions[0] ?? '')
  const sidecar = await started(t, at, bundle)
  const agents = await Promise.all(Array.from({ length: 4 }, () => sidecar.agent()))
  const load = startLoad(agents, 'reload')
  for (let round = 1; round <= 8; round++) {
    writeFileSync(join(at.base, 'next'), versions[round % 2] ?? '')
    renameSync(join(at.base, 'next'), bundle)
    const revision = round % 2 === 0 ? 'one' : 'two'
    await until(async () => (await sidecar.status()).policy.active_revision === revision)
    await sleep(50)
  }
  await load.stop()
  t.same([...load.refusals], [])
  t.equal(load.interrupted(), 0)
  t.equal((await at.sql('SELECT id FROM written')).length, load.sent.length)
  const revisions = new Map<string, number>()
  const rows = new Set<string>()
  for (const record of await at.records()) {
    if (record.type !== 'decision') continue
    const revision = record.bundles.policy?.revision ?? ''
    revisions.set(revision, (revisions.get(revision) ?? 0) + 1)
    rows.add(/'([^']+)'/.exec(record.input.command.text)?.[1] ?? '')
  }
  t.same([...revisions.keys()].sort(), ['one', 'two'])
  t.same(
    load.sent.filter((row) => !rows.has(row)),
    [],
  )
  for (const agent of agents) agent.close()
})
