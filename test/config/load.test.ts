import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadAdmin, loadConfiguration, loadRecord } from '../../src/config/load.ts'
import { ConfigurationError, type Located, oneLine } from '../../src/config/problem.ts'
import { certificateIn, folderOf, GOOD, write } from './fixture.ts'

/** The mistakes that loading names, as `line key code`. */
function mistakes(file: string, env: Record<string, string> = {}): { lines: string[]; all: readonly Located[] } {
  try {
    loadConfiguration(file, env)
    return { lines: [], all: [] }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    const all = error.problems as readonly Located[]
    return { lines: all.map(({ line, path, code }) => `${line} ${path.join('.')} ${code.slice(7)}`), all }
  }
}

t.test('a good configuration loads with its defaults, and its files count from where it lies', async (t) => {
  const folder = folderOf(t)
  const { configuration, weaknesses } = loadConfiguration(write(folder, GOOD), {})
  t.same(weaknesses, [])
  const target = configuration.targets['orders-db']
  t.match(target, {
    listen: { host: '127.0.0.1', port: 6432 },
    upstream: { port: 5432, tls: 'verify-full', ca: join(folder, 'agent.pem') },
    limits: { message: 8 * 1024 ** 2, idle: 600_000, connections: 100 },
    searchPath: ['public'],
    credential: { passwordFile: join(folder, 'password') },
  })
  t.match(configuration.policy, { mode: 'enforce', bundle: { key: join(folder, 'bundle.pub') } })
  t.equal(configuration.record.journal.durability, 'written')
})

t.test('an environment in which Node trusts whoever answers is refused', async (t) => {
  const file = write(folderOf(t), GOOD)
  const { all } = mistakes(file, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })
  t.match(
    all.map((one) => oneLine(one)),
    [/^\S+sidegate\.yaml\S*  NODE_TLS_REJECT_UNAUTHORIZED=0 is set: .*NODE_EXTRA_CA_CERTS  \(config\.environment\)$/],
  )
  t.same(mistakes(file, { NODE_TLS_REJECT_UNAUTHORIZED: '1' }).lines, [])
})

t.test('every mistake is named at once, with its line, its key and a remedy', async (t) => {
  const folder = folderOf(t)
  const text = GOOD.replace('probes:', 'probs:')
    .replace('bundle.pub', 'nowhere.pub')
    .replace('8MiB', '8MB')
    .replace('databases: [ orders ]', 'databases: orders')
    .replace('limits: {', 'limits: { conections: 5,')
    .replace('protocol: postgres', 'protocol: postgress')
  t.same(mistakes(write(folder, text)).lines, [
    '3 probs unknown-key',
    '5 policy.bundle.key file',
    '11 targets.orders-db.protocol value',
  ])
  const { lines, all } = mistakes(write(folder, text.replace('postgress', 'postgres')))
  t.same(lines, [
    '3 probs unknown-key',
    '5 policy.bundle.key file',
    '15 targets.orders-db.databases value',
    '16 targets.orders-db.limits.conections unknown-key',
    '16 targets.orders-db.limits.message value',
  ])
  t.match(
    all.map(({ remedy }) => remedy),
    [/did you mean probes\?/, /create, mount/, /a list of names/, /did you mean connections\?/, /512B, 64KiB/],
  )
  for (const one of all) t.match(oneLine(one), /sidegate\.yaml:\d+:\d+ {2}\S+ {2}.+; .+ {2}\(config\.[a-z-]+\)$/)
})

t.test('a missing key is named at its parent, with what to write', async (t) => {
  const folder = folderOf(t)
  const { all } = mistakes(
    write(folder, GOOD.replace(/ {4}credential: .*\n/, '').replace('listen: "127.0.0.1:6432"', '')),
  )
  t.match(all, [
    { code: 'config.missing', line: 10, path: ['targets', 'orders-db', 'listen'] },
    { code: 'config.missing', line: 10, path: ['targets', 'orders-db', 'credential'], remedy: /passwordFile/ },
  ])
})

t.test('a misspelt key is found in whatever way the value may be written', async (t) => {
  const folder = folderOf(t)
  const { all } = mistakes(write(folder, GOOD.replace('key: bundle.pub', 'kee: bundle.pub')))
  t.match(all, [{ path: ['policy', 'bundle', 'kee'], remedy: 'did you mean key?' }])
  const credential = mistakes(write(folder, GOOD.replace('credential: { user:', 'credential: { usr:')))
  t.match(credential.all, [{ path: ['targets', 'orders-db', 'credential', 'usr'], remedy: /did you mean user/ }])
})

t.test('duplicate keys, broken YAML and several documents are refused', async (t) => {
  const folder = folderOf(t)
  t.same(mistakes(write(folder, `${GOOD}version: 1\n`)).lines, [`18  duplicate-key`])
  t.same(mistakes(write(folder, `${GOOD}  - [`)).lines[0]?.replace(/^\d+/, 'n'), 'n  syntax')
  t.ok(mistakes(write(folder, `${GOOD}---\nversion: 1\n`)).lines.length > 0)
  t.ok(mistakes(write(folder, '')).lines.length > 0)
  t.match(mistakes(write(folder, `a: &a [x]\nb: [*a, *nowhere]\n`)).lines[0], /syntax/)
  t.match(mistakes(join(folder, 'absent.yaml')).all, [{ code: 'config.file', remedy: /--config/ }])
})

t.test('a key that JavaScript treats apart is an unknown key like any other', async (t) => {
  const folder = folderOf(t)
  for (const key of ['__proto__', 'constructor', 'toString']) {
    t.match(mistakes(write(folder, `${GOOD}${key}: {}\n`)).all, [{ code: 'config.unknown-key', path: [key] }], key)
  }
})

t.test('environment and files can be substituted in texts, and nothing else can', async (t) => {
  const folder = folderOf(t)
  writeFileSync(join(folder, 'host'), 'db.example\n')
  const text = GOOD.replace('host: orders.db.internal', 'host: "${file:host}"').replace(
    'user: reporting, p',
    'user: "r-${env:STAGE}-w", p',
  )
  const { configuration } = loadConfiguration(write(folder, text), { STAGE: 'test' })
  t.match(configuration.targets['orders-db'], { upstream: { host: 'db.example' }, credential: { user: 'r-test-w' } })
  t.match(mistakes(write(folder, text)).all, [{ code: 'config.substitution', line: 17, message: /STAGE is not set/ }])
  const others = ['${HOME}', '${exec:id}', '${env:}', '${file:absent}', '${env:STAGE']
  for (const other of others) {
    const { all } = mistakes(write(folder, GOOD.replace('orders.db.internal', `'${other}'`)), { HOME: '/', STAGE: 'x' })
    t.match(all, [{ code: 'config.substitution', path: ['targets', 'orders-db', 'upstream', 'host'] }], other)
  }
})

t.test('what was substituted is not substituted again', async (t) => {
  const folder = folderOf(t)
  const text = GOOD.replace('user: reporting, p', 'user: "${env:A}", p')
  const { configuration } = loadConfiguration(write(folder, text), { A: '${env:B}', B: 'no' })
  t.match(configuration.targets['orders-db'], { credential: { user: '${env:B}' } })
})

t.test('a secret that is put where a file is to be named is in no message', async (t) => {
  const folder = folderOf(t)
  const keys = [
    ['passwordFile: password }', 'credential'],
    ['directory: journal', 'journal'],
    ['tokenFile: admin-token', 'admin'],
    ['file: bundle.tar.gz', 'bundle'],
  ] as const
  for (const [from, what] of keys) {
    for (const substitution of ['${file:password}', '${env:PASSWORD}']) {
      for (const secret of ['a-password', 'with/slashes/in/it']) {
        writeFileSync(join(folder, 'password'), `${secret}\n`, { mode: 0o600 })
        if (what === 'journal') writeFileSync(join(folder, secret.split('/')[0] ?? ''), '')
        const to = from.replace(/: [\w.-]+/, `: '${substitution}'`)
        const { all } = mistakes(write(folder, GOOD.replaceAll(from, to)), { PASSWORD: secret })
        t.match(all[0]?.message, substitution, `${what} ${substitution} ${secret}`)
        t.notMatch(JSON.stringify(all), secret, what)
        if (what === 'journal') rmSync(join(folder, secret.split('/')[0] ?? ''))
      }
    }
  }
})

t.test(
  'a limit of time that no timer can be set for is refused, and one without end where there must be one',
  async (t) => {
    const folder = folderOf(t)
    const limits = (text: string) => write(folder, GOOD.replace('idle: 10m', text))
    for (const text of ['idle: 25d', 'handshake: 600h', 'parse: 30d', 'handshake: 0s', 'parse: 0ms']) {
      t.match(mistakes(limits(text)).all, [{ code: 'config.value', line: 16 }], text)
    }
    for (const text of ['idle: 24d', 'idle: 0s']) t.same(loadConfiguration(limits(text), {}).weaknesses, [], text)
  },
)

t.test('a token that no header could carry is refused, and one that could be guessed is a weakness', async (t) => {
  const folder = folderOf(t)
  for (const token of ['two words of it', 'schlüssel-und-noch-mehr', 'two\nlines', ' leading']) {
    writeFileSync(join(folder, 'admin-token'), token)
    t.match(mistakes(write(folder, GOOD)).all, [{ path: ['admin', 'tokenFile'], message: /could be presented/ }], token)
  }
  writeFileSync(join(folder, 'admin-token'), 'short\n')
  t.match(loadConfiguration(write(folder, GOOD), {}).weaknesses, [{ code: 'config.short-token', line: 2 }])
})

t.test('files are looked into before the sidecar starts', async (t) => {
  const folder = folderOf(t)
  certificateIn(folder, 'other')
  writeFileSync(join(folder, 'empty'), '\n', { mode: 0o600 })
  const cases: [from: string, to: string, key: string, message: RegExp][] = [
    ['agent.key', 'other.key', 'targets.orders-db.agent.tls.key', /not the key of the certificate/],
    ['key: agent.key', 'key: token', 'targets.orders-db.agent.tls.key', /no private key/],
    ['cert: agent.pem', 'cert: token', 'targets.orders-db.agent.tls.cert', /no certificate/],
    ['ca: agent.pem }\n    agent', 'ca: token }\n    agent', 'targets.orders-db.upstream.ca', /no certificate/],
    ['bundle.pub', 'token', 'policy.bundle.key', /no public key/],
    ['tokenFile: admin-token', 'tokenFile: empty', 'admin.tokenFile', /is empty/],
    ['tokenFile: admin-token', 'tokenFile: .', 'admin.tokenFile', /is a directory/],
    ['tokenFile: admin-token', 'tokenFile: /dev/zero', 'admin.tokenFile', /is no regular file/],
    ['record:', 'masks: { keyFile: password }\nrecord:', 'masks.keyFile', /too short to be a key/],
    ['directory: journal', 'directory: token', 'record.journal.directory', /no directory/],
    [
      'user: reporting, passwordFile: password',
      'user: r, passwordFile: gone',
      'targets.orders-db.credential.passwordFile',
      /does not exist/,
    ],
  ]
  for (const [from, to, key, message] of cases) {
    t.ok(GOOD.includes(from), from)
    t.match(mistakes(write(folder, GOOD.replace(from, to))).all, [{ path: key.split('.'), message }], to)
  }
})

t.test('a secret that everyone on the machine may read is shown as a weakness', async (t) => {
  const folder = folderOf(t)
  chmodSync(join(folder, 'agent.key'), 0o644)
  const { weaknesses } = loadConfiguration(write(folder, GOOD), {})
  t.match(weaknesses, [{ code: 'config.open-secret', line: 14, path: ['targets', 'orders-db', 'agent', 'tls', 'key'] }])
})

t.test('a device without an end is not read', async (t) => {
  const folder = folderOf(t)
  const { all } = mistakes(write(folder, GOOD.replace('orders.db.internal', "'${file:/dev/zero}'")))
  t.match(all, [{ code: 'config.substitution', message: '/dev/zero cannot be read' }])
  t.match(mistakes('/dev/zero').all, [{ code: 'config.file', message: 'is a device' }])
})

t.test('of a file that is no YAML the first place is told, and not all that follows from it', async (t) => {
  const { lines } = mistakes(write(folderOf(t), GOOD.replace('[ orders ]', '[ orders')))
  t.equal(lines.length, 1, lines.join('\n'))
  t.match(lines[0], 'syntax')
})

t.test('mistakes elsewhere keep nobody from the kill switch and the records', async (t) => {
  const folder = folderOf(t)
  const broken = GOOD.replace('protocol: postgres', 'protocol: ftp').replace('bundle.pub', 'gone')
  for (const name of ['password', 'admin-token']) rmSync(join(folder, name))
  const file = write(folder, broken.replace('orders.db.internal', "'${env:NOT_SET}'"))
  t.throws(() => loadConfiguration(file, {}))
  t.same(loadAdmin(file, {}), {
    listen: { host: '127.0.0.1', port: 15020 },
    tokenFile: join(folder, 'admin-token'),
  })
  t.match(loadRecord(file, {}), {
    journal: { directory: join(folder, 'journal'), maxSize: 1024 ** 3 },
    redis: { prefix: 'sidegate', passwordFile: join(folder, 'password') },
  })
  t.equal(loadAdmin(write(folder, GOOD.replace(/^admin.*\n/m, '')), {}), undefined)
  const own: readonly (readonly [from: string, to: string, place: RegExp])[] = [
    ['tokenFile: admin-token', 'tokkenFile: admin-token', /sidegate\.yaml:2:\d+ {2}admin\.tokkenFile {2}is not a key/],
    ['tokenFile: admin-token', "tokenFile: '${env:NO}'", /admin\.tokenFile {2}the variable NO is not set/],
    ['admin: {', 'admin: { version: 1, ', /admin\.version {2}is not a key/],
  ]
  for (const [from, to, message] of own) {
    t.throws(() => loadAdmin(write(folder, GOOD.replace(from, to)), {}), { message }, to)
  }
  t.throws(() => loadRecord(write(folder, GOOD.replace(/^record:\n(?: .*\n)+/m, '')), {}), {
    message: /record {2}is missing/,
  })
  t.throws(() => loadRecord(write(folder, '[]'), {}), { code: 'config.invalid' })
})
