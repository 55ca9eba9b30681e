import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { startSidecar } from '../../../src/commands/run/sidecar.ts'
import type { Configuration } from '../../../src/config/schema.ts'
import { readJournal } from '../../../src/record/reader.ts'
import { buildBundle } from '../../support/bundle.ts'
import { configured, dial, folder, LINES, QUIET, say, until } from './fixture.ts'

const OPTIONS = { log: QUIET, protocols: [LINES] }

const ALLOWS = buildBundle('bundles/permissive')

async function start(configuration: Configuration, t: { teardown(undo: () => Promise<void>): void }) {
  const sidecar = await startSidecar(configuration, OPTIONS)
  t.teardown(() => sidecar.close())
  const get = (path: string) => fetch(`http://127.0.0.1:${sidecar.ports.probes}${path}`)
  return { sidecar, get, port: sidecar.ports.targets['lines'] ?? 0 }
}

async function typesIn(directory: string): Promise<string[]> {
  const types: string[] = []
  for await (const { record } of readJournal(directory)) types.push(record.type)
  return types
}

t.test('a command goes through policy and journal, and shows in status and metrics', async (t) => {
  const base = folder(t)
  const { sidecar, get, port } = await start(configured(base, await ALLOWS), t)
  t.equal((await get('/readyz')).status, 200)
  const agent = await dial(port)
  t.equal(await say(agent, 'SELECT 1'), 'permitted SELECT 1')
  const [target] = sidecar.status().targets
  t.match(target, { name: 'lines', port, connections: { active: 1 }, sessions: 1 })
  t.match(target?.decisions, [{ effect: 'allow', code: 'permissive.all', count: 1 }])
  const metrics = await (await get('/metrics')).text()
  t.match(metrics, 'sidegate_decisions_total{target="lines",effect="allow",code="permissive.all"} 1')
  t.match(metrics, 'sidegate_connections{target="lines",protocol="postgres",state="active"} 1')
  agent.end()
  await once(agent, 'close')
  await sidecar.close()
  const expected = ['instance-start', 'session-start', 'decision', 'outcome', 'session-end', 'instance-stop']
  t.same(await typesIn(join(base, 'journal')), expected)
})

t.test('status is behind the token of the admin port', async (t) => {
  const base = folder(t)
  const { sidecar } = await start(configured(base, await ALLOWS), t)
  const get = (token: string) =>
    fetch(`http://127.0.0.1:${sidecar.ports.admin}/status`, { headers: { authorization: `Bearer ${token}` } })
  t.equal((await get('wrong')).status, 401)
  const text = await (await get('the-token-of-the-tests')).text()
  t.match(JSON.parse(text), { ready: true, policy: { mode: 'enforce', signed: false }, shipping: null })
  t.match(JSON.parse(text), { weaknesses: [{ key: 'policy.bundle', code: 'config.unsigned' }] })
  t.notMatch(text, /upstream-secret|the-token-of-the-tests/)
})

t.test('without a bundle that proves itself every command is refused, until there is one', async (t) => {
  const base = folder(t)
  const bundle = join(base, 'bundle.tar.gz')
  writeFileSync(bundle, 'garbage')
  const { sidecar, get, port } = await start(configured(base, bundle), t)
  const unready = await get('/readyz')
  t.equal(unready.status, 503)
  t.match(await unready.text(), /policy\.unavailable/)
  t.match(sidecar.status(), { ready: false, policy: { code: 'bundle.malformed' } })
  const agent = await dial(port)
  t.equal(await say(agent, 'SELECT 1'), 'refused policy.unavailable')
  cpSync(await ALLOWS, bundle)
  await until(async () => (await get('/readyz')).status === 200)
  t.equal(await say(agent, 'SELECT 1'), 'permitted SELECT 1')
  agent.destroy()
})

t.test('in observe mode what the policy denies is passed, recorded, and told apart', async (t) => {
  const base = folder(t)
  const bundle = await buildBundle({
    nothing:
      'package policy.nothing\n\nallow contains {"code": "no", "protocol": "*"} if input.command.text == "never"\n',
  })
  const policy = { bundle: { file: bundle, allowUnsigned: true }, mode: 'observe' }
  const { sidecar, port } = await start(configured(base, bundle, { policy }), t)
  const agent = await dial(port)
  t.equal(await say(agent, 'SELECT 1'), 'permitted SELECT 1')
  t.match(sidecar.status().targets[0]?.decisions, [{ effect: 'observe', code: 'policy.no-match', count: 1 }])
  t.match(sidecar.status().weaknesses, [{ code: 'config.unsigned' }, { code: 'config.observe' }])
  agent.destroy()
})

t.test('closing stops accepting first, lets the session end, and keeps all its records', async (t) => {
  const base = folder(t)
  const { sidecar, get, port } = await start(configured(base, await ALLOWS), t)
  const agent = await dial(port)
  await say(agent, 'SELECT 1')
  const goodbye = once(agent, 'data') as Promise<[Buffer]>
  const closing = sidecar.close()
  const late = connect({ port, host: '127.0.0.1' })
  const [error] = (await once(late, 'error')) as [Error & { code: string }]
  t.equal(error.code, 'ECONNREFUSED')
  t.match(await (await get('/readyz')).text(), /stopping/)
  t.equal((await goodbye)[0].toString(), 'bye\n')
  t.equal((await get('/healthz')).status, 200, 'probes are answered while sessions drain')
  agent.end()
  await closing
  await t.rejects(get('/healthz'), 'and not after that')
  t.same((await typesIn(join(base, 'journal'))).slice(-2), ['session-end', 'instance-stop'])
})

t.test('a start that fails leaves nothing behind, and the next one works', async (t) => {
  const base = folder(t)
  const taken = await start(configured(base, await ALLOWS), t)
  const other = join(base, 'other')
  mkdirSync(other)
  const record = { journal: { directory: join(other, 'journal'), maxSize: '16MiB', segmentSize: '4MiB' } }
  const settings = configured(base, await ALLOWS, { record })
  const lines = settings.targets['lines']
  if (lines === undefined) throw new Error('no target')
  const clash: Configuration = {
    ...settings,
    targets: { lines: { ...lines, listen: { host: '127.0.0.1', port: taken.port } } },
  }
  await t.rejects(startSidecar(clash, OPTIONS), { code: 'net.listen' })
  const again = await startSidecar(settings, OPTIONS)
  t.equal(again.status().ready, true, 'the journal was given up by the start that failed')
  await again.close()
})

t.test('two sidecars cannot write one journal', async (t) => {
  const base = folder(t)
  await start(configured(base, await ALLOWS), t)
  await t.rejects(startSidecar(configured(base, await ALLOWS), OPTIONS), { code: 'record.locked' })
})

t.test('mistakes of the configuration end the start before anything is opened', async (t) => {
  const base = folder(t)
  const settings = configured(base, join(base, 'absent.tar.gz'))
  await t.rejects(startSidecar(settings, OPTIONS), {
    code: 'config.invalid',
    message: /absent\.tar\.gz does not exist/,
  })
  t.notOk(existsSync(join(base, 'journal')))
})

t.test('closing twice is closing once', async (t) => {
  const { sidecar } = await start(configured(folder(t), await ALLOWS), t)
  const one = sidecar.close()
  t.equal(sidecar.close(), one)
  await one
})
