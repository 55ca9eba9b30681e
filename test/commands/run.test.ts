import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildBundle } from '../support/bundle.ts'
import { run, startProgram } from '../support/process.ts'
import { folder } from './run/fixture.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

const sidegate = (...args: string[]) =>
  run(process.execPath, [MAIN, ...args], { env: { ...process.env, NO_COLOR: '1' } })

async function configurationIn(base: string, change: (text: string) => string = (text) => text): Promise<string> {
  const file = join(base, 'sidegate.yaml')
  const text = `version: 1
admin: { listen: "127.0.0.1:0", tokenFile: token }
policy:
  bundle: { file: "${await buildBundle('bundles/permissive')}", allowUnsigned: true }
record:
  journal: { directory: journal }
targets:
  db:
    protocol: postgres
    listen: "127.0.0.1:0"
    upstream: { host: 127.0.0.1, port: 9, tls: disable }
    agent: { authenticate: none }
    databases: [ shop ]
    credential: { user: app, passwordFile: password }
`
  writeFileSync(file, change(text))
  return file
}

t.test('a check prints the posture with the bundle that would be active, and exits with 0', async (t) => {
  const file = await configurationIn(folder(t))
  const { code, stdout } = await sidegate('run', '--check', '--config', file)
  t.equal(code, 0)
  t.match(stdout, /bundle +\S+, revision test/)
  t.match(stdout, 'UNSIGNED')
  t.match(stdout, 'Target db (postgres)')
  t.notMatch(stdout, 'upstream-secret')
  const asJson = await sidegate('run', '--check', '--json', '--config', file)
  t.match(JSON.parse(asJson.stdout), {
    bundle: { revision: 'test', problem: null },
    weaknesses: [{ code: 'config.unsigned' }],
  })
})

t.test('a check names every mistake with file, line, key and remedy, and exits with 1', async (t) => {
  const file = await configurationIn(folder(t), (text) =>
    text.replace('databases', 'databasses').replace('token }', 'tokken }'),
  )
  const { code, stdout, stderr } = await sidegate('run', '--check', '--config', file)
  t.equal(code, 1)
  t.equal(stdout, '')
  t.match(stderr, /sidegate\.yaml:2:\d+ {2}admin\.tokenFile .*does not exist/)
  t.match(stderr, /sidegate\.yaml:13:\d+ {2}targets\.db\.databasses .*did you mean databases\?/)
})

t.test('a check of a bundle that cannot be activated exits with 1', async (t) => {
  const base = folder(t)
  writeFileSync(join(base, 'bad.tar.gz'), 'garbage')
  const file = await configurationIn(base, (text) => text.replace(/file: "[^"]+"/, 'file: bad.tar.gz'))
  const { code, stdout } = await sidegate('run', '--check', '--config', file)
  t.equal(code, 1)
  t.match(stdout, 'bundle.malformed')
})

t.test('the sidecar runs until it is told to stop, logs JSON without secrets, and exits with 0', async (t) => {
  const file = await configurationIn(folder(t))
  const program = await startProgram(process.execPath, [MAIN, 'run', '--config', file])
  await program.output(/"msg":"started"/)
  const { code } = await program.stop('SIGTERM')
  t.equal(code, 0, program.stderr())
  const lines = program.stdout().trim().split('\n')
  const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg)
  t.same(messages.slice(-2), ['stopping', 'stopped'])
  t.ok(messages.includes('policy is active'))
  t.notMatch(program.stdout(), /upstream-secret|the-token-of-the-tests/)
})

t.test('a start that cannot work says why and exits with 1', async (t) => {
  const file = await configurationIn(folder(t), (text) =>
    text.replace('listen: "127.0.0.1:0"\n    up', 'listen: "192.0.2.1:1"\n    up'),
  )
  const { code, stderr } = await sidegate('run', '--config', file)
  t.equal(code, 1)
  t.match(stderr, 'config.exposed')
})

t.test('what is used wrongly exits with 2 and says what was meant', async (t) => {
  const wrong = [
    [],
    ['rum'],
    ['run', '--chek'],
    ['run', '--json'],
    ['status', 'extra'],
    ['status', '--admin', '127.0.0.1'],
    ['demo', '--port', '65536'],
    ['demo', '--port', '0x10'],
    ['audit', 'tail', '--redis', 'http://redis'],
  ]
  for (const args of wrong) t.equal((await sidegate(...args)).code, 2, args.join(' '))
  t.match((await sidegate('rum')).stderr, 'Did you mean run?')
  const help = await sidegate('--help')
  t.equal(help.code, 0)
  for (const command of ['run', 'status', 'policy', 'demo']) t.match(help.stdout, new RegExp(`^ {2}${command}\\b`, 'm'))
  t.match((await sidegate('run', '--help')).stdout, 'Examples:')
})

t.test('a file that is not there is named, and what should be', async (t) => {
  const gone = join(folder(t), 'gone')
  const said: readonly (readonly [args: readonly string[], message: string])[] = [
    [['run', '--check', '--config', gone], `error  ${gone}  does not exist; name the configuration with --config FILE`],
    [['status', '--config', import.meta.dirname], `${import.meta.dirname}  is a directory; name the configuration`],
    [['policy', 'build', 'bundles/starter', '--output', gone, '--sign', gone], `the key ${gone} does not exist`],
    [['policy', 'explain', await buildBundle('bundles/permissive'), gone], `${gone} does not exist`],
  ]
  for (const [args, message] of said) {
    const { code, stderr } = await sidegate(...args)
    t.equal(code, 1, args.join(' '))
    t.match(stderr, message)
    t.notMatch(stderr, 'ENOENT')
  }
})

t.test('the status of a sidecar that does not run says so and exits with 1', async (t) => {
  const file = await configurationIn(folder(t), (text) =>
    text.replace('127.0.0.1:0", tokenFile', '127.0.0.1:9", tokenFile'),
  )
  const { code, stderr } = await sidegate('status', '--config', file)
  t.equal(code, 1)
  t.match(stderr, 'no sidecar answers at http://127.0.0.1:9')
})
