import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startSidecar } from '../../src/commands/run/sidecar.ts'
import { printStatus } from '../../src/commands/status.ts'
import { PLAIN } from '../../src/commands/terminal.ts'
import { buildBundle } from '../support/bundle.ts'
import { freePort } from '../support/ports.ts'
import { run } from '../support/process.ts'
import { configured, dial, folder, LINES, QUIET, say } from './run/fixture.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

t.test('the status of a running sidecar is read from its admin port with the token', async (t) => {
  const base = folder(t)
  const bundle = await buildBundle('bundles/permissive')
  const admin = `127.0.0.1:${await freePort()}`
  const settings = { admin: { listen: admin, tokenFile: join(base, 'token') } }
  const sidecar = await startSidecar(configured(base, bundle, settings), { log: QUIET, protocols: [LINES] })
  t.teardown(() => sidecar.close())
  const agent = await dial(sidecar.ports.targets['lines'] ?? 0)
  await say(agent, 'SELECT 1')
  const file = join(base, 'sidegate.yaml')
  const text = `version: 1
admin: { listen: "${admin}", tokenFile: token }
policy: { bundle: { file: "${bundle}", allowUnsigned: true } }
record: { journal: { directory: journal } }
targets:
  lines:
    protocol: postgres
    listen: "127.0.0.1:0"
    upstream: { host: 127.0.0.1, port: 9, tls: disable }
    agent: { authenticate: none }
    databases: [ x ]
    credential: { user: x, passwordFile: password }
`
  writeFileSync(file, text)
  const status = (...args: string[]) => run(process.execPath, [MAIN, 'status', '--config', file, ...args])
  const { code, stdout, stderr } = await status()
  t.equal(code, 0, stderr)
  t.match(stdout, /^sidegate \d\S+ {2}ready/)
  t.match(stdout, 'UNSIGNED')
  t.match(stdout, /lines {2}postgres on port \d+: 1 connections, 1 sessions\n {2}1 {2}allow {4}permissive\.all/)
  t.match(JSON.parse((await status('--json')).stdout), { ready: true, targets: [{ name: 'lines' }] })
  const asked = ['status', '--admin', admin, '--token-file', join(base, 'token')]
  t.equal((await run(process.execPath, [MAIN, ...asked])).code, 0, 'without its configuration')
  writeFileSync(join(base, 'other'), 'another', { mode: 0o600 })
  writeFileSync(file, text.replace('tokenFile: token', 'tokenFile: other'))
  const refused = await status()
  t.equal(refused.code, 1)
  t.match(refused.stderr, 'does not hold the token')
  agent.destroy()
})

t.test('what is wrong stands out: not ready, a failed bundle, lost records, Redis away', async (t) => {
  const base = folder(t)
  const bundle = join(base, 'bundle.tar.gz')
  writeFileSync(bundle, 'garbage')
  const sidecar = await startSidecar(configured(base, bundle), { log: QUIET, protocols: [LINES] })
  t.teardown(() => sidecar.close())
  const status = sidecar.status()
  const lag = { records: 7, bytes: 900, seconds: 61.4 }
  const text = printStatus(
    {
      ...status,
      record: { ...status.record, ready: false, code: 'record.spool-full', lost: 3 },
      shipping: { connected: false, error: 'ECONNREFUSED', lag },
    },
    PLAIN,
  )
  for (const expected of [
    /not ready: policy\.unavailable/,
    'none is active',
    /the last attempt failed: .*\(bundle\.malformed\)/,
    'cannot be written (record.spool-full)',
    '3 were lost',
    'away: ECONNREFUSED, 7 to ship, 61 s behind',
    '! policy.bundle: whoever can write the bundle decides',
  ]) {
    t.match(text, expected)
  }
})
