/** What the commands print, to terminals that would act on it and to readers that leave. */
import fc from 'fast-check'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { lines, plainly, safeJson } from '../../src/commands/audit/text.ts'
import { proofOf } from '../../src/commands/run/proof.ts'
import type { Json } from '../../src/gate/json.ts'
import { run } from '../support/process.ts'
import { folder } from './run/fixture.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const sidegate = (...args: string[]) =>
  run(process.execPath, [MAIN, ...args], { env: { ...process.env, NO_COLOR: '1' } })

/** Clears the screen, in 7 and in 8 bits; sets the title; turns the direction of writing round. */
const ACTS = 'a\u001b[2Jb\u009b2Jc\u001b]0;t\u0007d\u202ee'
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

t.test('JSON keeps its meaning, and nothing in it acts on a terminal', async (t) => {
  const values = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 3, noNullPrototype: true }),
    ),
  })).value
  fc.assert(
    fc.property(values, fc.constantFrom(undefined, 2), (value, indent) => {
      const json = JSON.stringify(value, null, indent)
      const safe = safeJson(json)
      return !UNSEEN.test(safe.replaceAll('\n', '')) && JSON.stringify(JSON.parse(safe), null, indent) === json
    }),
  )
  t.pass('no counterexample')
})

t.test('texts of a value are each one line that acts on nothing, and spaces in them stay', async (t) => {
  t.same(plainly({ [ACTS]: [`x\ny  z${ACTS}`, 1, null, true] }), {
    [lines(ACTS)]: [`x ↵ y  z${lines(ACTS)}`, 1, null, true],
  })
  t.notMatch(lines(ACTS), UNSEEN)
  t.equal(lines('one\n  two'), 'one\n  two')
})

t.test('what a sidecar says cannot act on the terminal that asks, whatever came into it', async (t) => {
  const base = folder(t)
  const session = {
    id: ACTS,
    target: ACTS,
    protocol: ACTS,
    principal: ACTS,
    since: ACTS,
    ending: false,
    usage: { commands: 1, rows: 0, bytes: 0, denied: 0 },
    attributes: { [ACTS]: ACTS },
  }
  const policy = { active_revision: ACTS, last_successful_activation: ACTS, code: ACTS, message: ACTS }
  const status = {
    version: ACTS,
    startedAt: ACTS,
    ready: false,
    notReady: [ACTS],
    weaknesses: [{ key: ACTS, message: ACTS }],
    policy: { ...policy, signed: false, mode: 'enforce', not_memoisable: ACTS, evaluation_errors: 0 },
    record: { instance: ACTS, position: 1, bytes: 1, maxSize: 1, lost: 0, ready: false, code: ACTS },
    shipping: { connected: false, error: ACTS, lag: { records: 0, bytes: 0, seconds: 0 } },
    targets: [
      {
        name: ACTS,
        protocol: ACTS,
        port: 1,
        facts: { [ACTS]: ACTS },
        sessions: 0,
        connections: { active: 0, waiting: 0, accepted: 0, refused: 0 },
        decisions: [{ effect: 'allow', code: ACTS, count: 1 }],
      },
    ],
  }
  let wrong = false
  const server = createServer((request, response) => {
    const [, nonce = ''] = /^\/proof\?nonce=(\w+)$/.exec(request.url ?? '') ?? []
    if (nonce !== '') return void response.end(JSON.stringify({ proof: proofOf('the-token-of-the-tests', nonce) }))
    response.statusCode = wrong ? 400 : 200
    response.end(JSON.stringify(wrong ? { error: ACTS } : request.url === '/status' ? status : [session]))
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const file = join(base, 'sidegate.yaml')
  writeFileSync(join(base, 'bundle'), '')
  writeFileSync(
    file,
    `version: 1
admin: { listen: "${admin}", tokenFile: token }
policy: { bundle: { file: bundle, allowUnsigned: true } }
record: { journal: { directory: journal } }
targets:
  db:
    protocol: postgres
    listen: "127.0.0.1:0"
    upstream: { host: 127.0.0.1, port: 9, tls: disable }
    agent: { authenticate: none }
    databases: [ x ]
    credential: { user: x, passwordFile: password }
`,
  )
  const asked = [['status'], ['status', '--json'], ['sessions', 'list'], ['sessions', 'list', '--json']]
  for (const command of asked) {
    const { stdout, stderr } = await sidegate(...command, '--config', file)
    t.match(stdout, command.includes('--json') ? '\\u001b[2J' : '\\u{1b}[2J', command.join(' '))
    t.notMatch((stdout + stderr).replaceAll('\n', ''), UNSEEN, command.join(' '))
  }
  wrong = true
  const { code, stderr } = await sidegate('status', '--config', file)
  t.equal(code, 1)
  t.match(stderr, 'a\\u{1b}[2Jb')
  t.notMatch(stderr.replaceAll('\n', ''), UNSEEN)
})

t.test('a name of a file that acts on a terminal is told so that it does not', async (t) => {
  for (const args of [
    ['run', '--check', '--config', ACTS],
    ['audit', 'tail', '--no-follow', '--journal', ACTS],
    ['policy', 'explain', ACTS, ACTS],
  ]) {
    const { code, stdout, stderr } = await sidegate(...args)
    t.equal(code, 1, args[0] ?? '')
    t.match(stderr, 'a\\u{1b}[2Jb')
    t.notMatch((stdout + stderr).replaceAll('\n', ''), UNSEEN)
  }
})

t.test('a reader who has read enough is no error', async (t) => {
  const child = spawn(process.execPath, [MAIN, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let said = ''
  child.stderr.on('data', (part: Buffer) => (said += part.toString()))
  const [code] = (await once(child, 'close')) as [number]
  t.equal(code, 0)
  t.equal(said, '')
})
