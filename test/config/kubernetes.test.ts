import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { PLAIN } from '../../src/commands/terminal.ts'
import { loadConfiguration } from '../../src/config/load.ts'
import { postureOf } from '../../src/config/posture.ts'
import { printPosture } from '../../src/config/printout.ts'
import { ConfigurationError, type Located } from '../../src/config/problem.ts'
import { folderOf, GOOD, write } from './fixture.ts'

const folder = folderOf(t)
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
writeFileSync(join(folder, 'other.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
const UPSTREAM = 'upstream: { host: kubernetes.default.svc, ca: agent.pem }'
const AGENT = 'agent: { authenticate: none, caFile: journal/ca.pem }'
const CREDENTIAL = 'credential: { tokenFile: token }'
const LISTEN = '127.0.0.1:6443'
const OWN = `  cluster:
    protocol: kubernetes
    listen: "${LISTEN}"
    ${UPSTREAM}
    ${AGENT}
    ${CREDENTIAL}
`

function load(from = '', to = '') {
  return loadConfiguration(write(folder, GOOD + OWN.replace(from, () => to)), {})
}

function found(from = '', to = ''): { errors: readonly Located[]; weaknesses: readonly Located[] } {
  try {
    return { errors: [], weaknesses: load(from, to).weaknesses as readonly Located[] }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return { errors: error.problems as readonly Located[], weaknesses: [] }
  }
}

t.test('a good Kubernetes target loads with its defaults, and the posture says what holds for it', async (t) => {
  t.same(found(), { errors: [], weaknesses: [] })
  const page = printPosture(postureOf(load()), { revision: 'r1', problem: null }, PLAIN)
  for (const expected of [
    'Target cluster (kubernetes)',
    /listens +127\.0\.0\.1:6443/,
    `which is in ${join(folder, 'journal/ca.pem')}`,
    'tokens that they send mean nothing',
    /upstream +kubernetes\.default\.svc:443, verified by .*agent\.pem/,
    `the token in ${join(folder, 'token')}, read at each use`,
    '3MiB a body, 8MiB an object',
  ]) {
    t.match(page, expected)
  }
})

t.test('the posture tells how the sidecar proves itself, and as whom it acts', async (t) => {
  const page = (to: string) => printPosture(postureOf(load(CREDENTIAL, to)), { revision: 'r1', problem: null }, PLAIN)
  const account = 'serviceAccount: { namespace: agents, name: reader, expiry: 30m }'
  t.match(
    page(`credential: { tokenFile: token, ${account} }`),
    'a token of agents/reader for 30m, asked for with the token in',
  )
  t.match(page('credential: { certFile: agent.pem, keyFile: agent.key }'), 'the certificate in')
  const impersonating = page('credential: { tokenFile: token, impersonate: principal }')
  t.match(impersonating, /acts as +the principal: the API server authorises and audits the agent/)
  t.match(impersonating, /needs +impersonate on those users, serviceaccounts and groups, and on userextras/)
})

t.test('the posture tells what the token says of itself, never the token, and what is wrong with it', async (t) => {
  const page = (token: string) => {
    writeFileSync(join(folder, 'token'), token, { mode: 0o600 })
    return printPosture(postureOf(load()), { revision: 'r1', problem: null }, { ...PLAIN, red: (text) => `<${text}>` })
  }
  const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`
  const sub = 'system:serviceaccount:agents:sidegate'
  const exp = Math.floor(Date.now() / 1000) + 600
  const token = jwt({ sub, aud: ['https://api', 'two'], exp })
  t.match(page(token), `${sub} for https://api, two, until ${new Date(exp * 1000).toISOString().slice(0, 19)}Z`)
  t.notMatch(page(token), token)
  t.match(page(jwt({ sub, exp: 1 })), `<${sub}, and expired at 1970-01-01T00:00:01Z>`)
  t.match(page(jwt({ sub })), `<${sub}, for ever>`)
  t.match(page(jwt({ sub: 'a\u001b[2J', exp: 1e300 })), '<a\\u001b[2J, for ever>')
  for (const other of ['opaque', 'a.b.c', jwt([])]) t.match(page(other), /token says +(nothing|<nobody)/)
  page('a token')
})

t.test('what can fail on the way to an API server is in the table of failures', async (t) => {
  const page = printPosture(postureOf(load()), { revision: 'r1', problem: null }, PLAIN)
  for (const code of ['upstream.rejected', 'identity.expired', 'obligation.unsupported']) t.match(page, code)
  const without = printPosture(
    postureOf(loadConfiguration(write(folder, GOOD), {})),
    { revision: 'r1', problem: null },
    PLAIN,
  )
  t.notMatch(without, 'Kubernetes')
})

t.test('every mistake names its key and what would be right', async (t) => {
  const cases: readonly (readonly [from: string, to: string, code: string, path: string])[] = [
    [LISTEN, '0.0.0.0:6443', 'config.exposed', 'targets.cluster.agent.authenticate'],
    ['host: kubernetes.default.svc', 'port: 6443, host: localhost', 'config.loop', 'targets.cluster.upstream.port'],
    ['ca: agent.pem', 'ca: nowhere.pem', 'config.file', 'targets.cluster.upstream.ca'],
    ['tokenFile: token', 'tokenFile: nowhere', 'config.file', 'targets.cluster.credential.tokenFile'],
    ['journal/ca.pem', 'agent.pem', 'config.conflict', 'targets.cluster.agent.caFile'],
    [CREDENTIAL, `${CREDENTIAL}\n    limits: { headers: 1KiB }`, 'config.value', 'targets.cluster.limits.headers'],
    [
      'tokenFile: token }',
      'tokenFile: token, serviceAccount: { namespace: a, name: b, expiry: 1m } }',
      'config.value',
      'targets.cluster.credential.serviceAccount.expiry',
    ],
    [
      'tokenFile: token }',
      'tokenFile: token, serviceAccount: { namespace: a/b, name: b } }',
      'config.value',
      'targets.cluster.credential.serviceAccount.namespace',
    ],
    [
      CREDENTIAL,
      'credential: { certFile: agent.pem, keyFile: other.key }',
      'config.file',
      'targets.cluster.credential.keyFile',
    ],
    [CREDENTIAL, 'credential: {}', 'config.missing', 'targets.cluster.credential.tokenFile'],
  ]
  for (const [from, to, code, path] of cases) {
    const { errors } = found(from, to)
    const named = errors.map((error) => `${error.code} ${error.path.join('.')}`)
    t.ok(named.includes(`${code} ${path}`), `${to}: ${named.join(', ')}`)
    t.ok(errors.every(({ remedy, line }) => remedy !== '' && line !== null))
  }
})

t.test('what weakens it is told', async (t) => {
  const weak = (from: string, to: string) => found(from, to).weaknesses.map(({ code }) => code)
  t.same(weak(', caFile: journal/ca.pem', ''), ['config.authority'])
  t.same(weak('tokenFile: token }', 'tokenFile: token, impersonate: principal }'), ['config.impersonate'])
  chmodSync(join(folder, 'token'), 0o644)
  t.ok(weak('', '').includes('config.open-secret'))
  chmodSync(join(folder, 'token'), 0o600)
})
