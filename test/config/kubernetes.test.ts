import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PLAIN } from '../../src/commands/terminal.ts'
import { loadConfiguration } from '../../src/config/load.ts'
import { postureOf } from '../../src/config/posture.ts'
import { printPosture } from '../../src/config/printout.ts'
import { ConfigurationError, type Located } from '../../src/config/problem.ts'
import { folderOf, GOOD, write } from './fixture.ts'

const folder = folderOf(t)
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
  t.match(page('credential: { tokenFile: token, impersonate: principal }'), 'the principal (impersonation)')
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
