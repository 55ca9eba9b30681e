import t from 'tap'
import { loadConfiguration } from '../../src/config/load.ts'
import { ConfigurationError } from '../../src/config/problem.ts'
import { folderOf, GOOD, write } from './fixture.ts'

type Change = readonly [from: string | RegExp, to: string]

function found(folder: string, changes: readonly Change[]): { errors: string[]; weaknesses: string[] } {
  const text = changes.reduce((before, [from, to]) => {
    const after = before.replace(from, to)
    if (after === before) throw new Error(`nothing to replace for ${from}`)
    return after
  }, GOOD)
  const name = ({ code, path }: { code: string; path: readonly (string | number)[] }) => `${code} ${path.join('.')}`
  try {
    return { errors: [], weaknesses: loadConfiguration(write(folder, text), {}).weaknesses.map(name) }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return { errors: error.problems.map(name), weaknesses: [] }
  }
}

const AGENT = /agent: \{ auth.*\}\n/
const EXPOSED: Change = ['127.0.0.1:6432', '0.0.0.0:6432']
const ROLES = 'credential: { user: reporting, passwordFile: password }'
const db = 'targets.orders-db'

const ERRORS: readonly [title: string, changes: readonly Change[], error: string][] = [
  [
    'no authentication demands the loopback',
    [EXPOSED, [AGENT, 'agent: { authenticate: none }\n']],
    `config.exposed ${db}.agent.authenticate`,
  ],
  [
    'a token does not cross a network unencrypted',
    [
      EXPOSED,
      [AGENT, 'agent: { authenticate: jwt, issuer: i, audience: a, keys: { url: "https://issuer.example/keys" } }\n'],
    ],
    `config.clear-token ${db}.agent.authenticate`,
  ],
  [
    'a password is not shown to a server that did not prove who it is',
    [['ca: agent.pem }\n    a', 'tls: require, allow: [ cleartext ] }\n    a']],
    `config.credential-exposed ${db}.upstream.allow`,
  ],
  [
    'neither is its md5 hash',
    [['ca: agent.pem }\n    a', 'tls: disable, allow: [ md5 ] }\n    a']],
    `config.credential-exposed ${db}.upstream.allow`,
  ],
  [
    'authorities that nothing would be checked against are refused',
    [['host: orders', 'tls: require, host: orders']],
    `config.no-effect ${db}.upstream.ca`,
  ],
  ['the admin port stays on the loopback', [['127.0.0.1:15020', '10.0.0.1:15020']], 'config.exposed admin.listen'],
  ['two listeners cannot share a port', [['127.0.0.1:6432', '127.0.0.1:15090']], `config.conflict ${db}.listen`],
  [
    'a target cannot connect to itself',
    [['host: orders.db.internal', 'host: 127.0.0.1, port: 6432']],
    `config.loop ${db}.upstream.port`,
  ],
  [
    'an agent without a role upstream is a mistake',
    [[ROLES, 'credential: { users: { other: { user: x, passwordFile: password } } }']],
    `config.no-role ${db}.agent.users.reporting`,
  ],
  [
    'nobody at all is a mistake',
    [['{ reporting: { passwordFile: password } }', '{}']],
    `config.nobody ${db}.agent.users`,
  ],
  [
    'a journal holds two segments at least',
    [['directory: journal', 'directory: journal, maxSize: 64MiB']],
    'config.journal record.journal.maxSize',
  ],
  [
    'a search path that shifts is refused',
    [['limits:', "searchPath: [ '$user', public ]\n    limits:"]],
    `config.search-path ${db}.searchPath.0`,
  ],
  [
    'a limit that can never be reached is refused',
    [['message: 8MiB', 'message: 1MiB, statement: 2MiB']],
    `config.no-effect ${db}.limits.statement`,
  ],
  ['at least one target is needed', [[/targets:[^]*/, 'targets: {}\n']], 'config.no-target targets'],
  [
    'two passwords for Redis are one too many',
    [['rediss://redis', 'rediss://:x@redis']],
    'config.conflict record.redis.url',
  ],
]

for (const [title, changes, error] of ERRORS) {
  t.test(title, async (t) => t.same(found(folderOf(t), changes).errors, [error]))
}

const WEAKNESSES: readonly [title: string, changes: readonly Change[], weakness: string][] = [
  ['an unsigned bundle', [['key: bundle.pub', 'allowUnsigned: true']], 'config.unsigned policy.bundle'],
  ['observe mode', [['record:', '  mode: observe\nrecord:']], 'config.observe policy.mode'],
  [
    'a target that is not asked who it is',
    [['ca: agent.pem }\n    a', 'tls: require }\n    a']],
    `config.upstream-tls ${db}.upstream.tls`,
  ],
  [
    'a target without TLS',
    [['ca: agent.pem }\n    a', 'tls: disable }\n    a']],
    `config.upstream-tls ${db}.upstream.tls`,
  ],
  ['roles of the agent’s choice', [[ROLES, 'credential: { users: any }']], `config.any-user ${db}.credential.users`],
  ['databases of the agent’s choice', [['[ orders ]', 'any']], `config.any-database ${db}.databases`],
  [
    'records that travel unencrypted',
    [
      ['rediss:', 'redis:'],
      [', ca: agent.pem }\ntargets', ' }\ntargets'],
    ],
    'config.redis-clear record.redis.url',
  ],
  [
    'agents that connect over a network without TLS',
    [EXPOSED, [', tls: { cert: agent.pem, key: agent.key }', '']],
    `config.clear-agent ${db}.agent.tls`,
  ],
]

for (const [title, changes, weakness] of WEAKNESSES) {
  t.test(`${title} is allowed and shown as a weakness`, async (t) => {
    t.same(found(folderOf(t), changes), { errors: [], weaknesses: [weakness] })
  })
}

t.test('a target on the loopback may do without TLS', async (t) => {
  const changes: Change[] = [[/upstream: .*/, 'upstream: { host: 127.0.0.1, tls: disable, allow: [ md5, cleartext ] }']]
  t.same(found(folderOf(t), changes), { errors: [], weaknesses: [] })
})
