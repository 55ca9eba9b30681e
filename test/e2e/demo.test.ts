import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../support/process.ts'

const ROOT = join(import.meta.dirname, '../..')

/** `make bundles` builds it, and `make test` that before the tests. */
const BUNDLE = join(ROOT, 'dist/bundles/demo.tar.gz')

/** The first refusal is promised within 60 s; the whole demo is far quicker. */
const PROMISED_MS = 60_000

t.test('the demo shows what is allowed, masked and refused, and leaves nothing behind', async (t) => {
  t.ok(existsSync(BUNDLE), 'its policy is built')
  t.ok(existsSync(join(ROOT, '.bin/kube-apiserver')), '`make kubernetes` was there')
  const base = mkdtempSync(join(tmpdir(), 'sidegate-test-demo-'))
  t.teardown(() => rmSync(base, { recursive: true, force: true }))
  // As root, PostgreSQL runs as somebody else, who has to get there.
  chmodSync(base, 0o711)
  const temporary = join(base, 'tmp')
  mkdirSync(temporary, { mode: 0o755 })
  const { code, stdout, stderr } = await run(process.execPath, [join(ROOT, 'src/main.ts'), 'demo'], {
    env: { ...process.env, TMPDIR: temporary, NO_COLOR: '1' },
    ms: PROMISED_MS,
  })
  t.equal(code, 0, stderr)
  for (const expected of [
    'Ada Palmer    Leeds',
    /Ada Palmer +\S*\*+\S* +\[sidegate:masked\]/,
    /masked +public\.customers\.ssn +redact/,
    /ERROR +42501/,
    /DETAIL +writes\.unbounded/,
    /HINT +name the rows in a WHERE clause/,
    /DETAIL +schema\.change/,
    /COMMIT +#\d+ permitted/,
    /DETAIL +code\.out-of-sight/,
    /DETAIL +obligation\.unsupported/,
    'it never reached PostgreSQL',
    '09:18:20 ERROR payment of order 105 was declined',
    'exit status 126',
    /found +cat, rm/,
    /found +tail, rm, echo/,
    /code +host\.files/,
    'it never reached the host',
    'its authorized_keys say "# the keys that are let in"',
    /patch deployments\.apps\/scale default\/web/,
    'deployment.apps/web scaled',
    'password: [sidegate:masked]',
    /masked +data\.\* +redact/,
    /Error from server \(Forbidden\): secrets "shop-db"/,
    /\[streams\.shell\]/,
    /found +privileged/,
    /code +cluster\.rights/,
    'it never reached the API server',
    'web has 3 replicas; pods: web-0, web-1; Secrets: shop-db; bindings of roles: none.',
    '4 customers and 6 orders are there, 1 of them cancelled.',
    'What was permitted has happened: 101 sent, 103 sent, 104 cancelled.',
  ]) {
    t.match(stdout, expected)
  }
  const password = Buffer.from('tulips-in-april').toString('base64')
  for (const secret of ['078-05-1120', '219-09-9999', 'ada.palmer@example.com', 'tulips-in-april', password]) {
    t.notMatch(stdout, secret)
  }
  t.notOk(stdout.includes('\u001B'), 'no colours without a terminal')
  t.same(readdirSync(temporary), [])
})
