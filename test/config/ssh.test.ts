import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PLAIN } from '../../src/commands/terminal.ts'
import { loadConfiguration } from '../../src/config/load.ts'
import { postureOf } from '../../src/config/posture.ts'
import { type Paint, printPosture } from '../../src/config/printout.ts'
import { ConfigurationError, type Located } from '../../src/config/problem.ts'
import { fingerprintIn, GOOD_SSH, publicKeyIn, sshFolderOf, sshKeyIn, write } from './fixture.ts'

type Change = readonly [from: string | RegExp, to: string]

const folder = sshFolderOf(t)
/** Marks what is red, so that it can be looked for. */
const MARKED: Paint = { ...PLAIN, red: (text) => `<red>${text}</red>` }
const ssh = 'targets.build-host'

function changed(changes: readonly Change[]): string {
  const text = changes.reduce((before, [from, to]) => {
    const after = before.replace(from, () => to)
    if (after === before) throw new Error(`nothing to replace for ${from}`)
    return after
  }, GOOD_SSH)
  return write(folder, text)
}

function found(...changes: Change[]): { errors: readonly Located[]; weaknesses: readonly Located[] } {
  try {
    return { errors: [], weaknesses: loadConfiguration(changed(changes), {}).weaknesses as readonly Located[] }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return { errors: error.problems as readonly Located[], weaknesses: [] }
  }
}

const named = (all: readonly Located[]) => all.map(({ code, path }) => `${code} ${path.join('.')}`)

function page(...changes: Change[]): string {
  const loaded = loadConfiguration(changed(changes), {})
  return printPosture(postureOf(loaded), { revision: 'r1', problem: null }, MARKED)
}

const AGENT = /agent: \{ authenticate: key.*\}/
const LOGIN = 'credential: { user: deploy, privateKeyFile: deploy }'
const UPSTREAM = 'upstream: { host: build.internal, knownHostsFile: known_hosts }'
const EXPOSED: Change = ['127.0.0.1:2222', '0.0.0.0:2222']
const SHELL = 'shell: line-gated'

t.test(
  'a good SSH target loads with its defaults, and the posture says who gets in how, and how the host is known',
  async (t) => {
    t.same(found(), { errors: [], weaknesses: [] })
    const text = page()
    for (const expected of [
      'Target build-host (ssh)',
      /listens +127\.0\.0\.1:2222/,
      `the key in ${join(folder, 'agent-host')}, ssh-ed25519 ${fingerprintIn(folder, 'agent-host')}`,
      `ann, ssh-ed25519 ${fingerprintIn(folder, 'someone')} (someone key)`,
      /upstream +build\.internal:22/,
      'known_hosts, 1 lines, of which for build.internal: 1 keys, 0 authorities, 0 revoked',
      `ssh-ed25519 ${fingerprintIn(folder, 'host')}`,
      `login deploy, the key in ${join(folder, 'deploy')}, ssh-ed25519 ${fingerprintIn(folder, 'deploy')}`,
      'line-gated: each line is judged before it runs',
      '100 connections, 10 channels each, 6 attempts to log in',
      '16KiB a command, 50 variables, 64 open files, 2MiB in flight',
      '30s to log in, idle at most 10m, connected for ever, asked for life every 30s, new keys every 1GiB',
      'an SSH host shows a key that is not known',
      'Nothing weakens it',
    ]) {
      t.match(text, expected)
    }
    t.notMatch(text, /<red>/)
  },
)

t.test('the posture tells certificates, tokens and other credentials by what they are', async (t) => {
  const authority = fingerprintIn(folder, 'authority')
  const certificates = page(
    [AGENT, 'agent: { authenticate: certificate, authorities: [ "${file:authority.pub}" ], knownHosts: line }'],
    [
      LOGIN,
      'credential: { user: deploy, certificate: { authorityFile: authority, validity: 2m, principals: [ ci ] } }',
    ],
    [
      UPSTREAM,
      'upstream: { host: build.internal, hostKeys: [ "${file:host.pub}" ], hostAuthorities: [ "${file:other.pub}" ], shell: other }',
    ],
    [SHELL, 'environment: [ BUILD ]'],
  )
  for (const expected of [
    `a new key at each start, its line for agents in ${join(folder, 'line')}`,
    `whom a certificate of ssh-ed25519 ${authority} (authority key) names`,
    `ssh-ed25519 ${fingerprintIn(folder, 'host')} (host key)`,
    `a certificate of ssh-ed25519 ${fingerprintIn(folder, 'other')} (other key)`,
    `certified for ci and 2m by the key in ${join(folder, 'authority')}, ssh-ed25519 ${authority}`,
    'whose shell is not POSIX: single literal commands only',
    /shells +refused/,
    'LANG, LC_*, TERM, GIT_PROTOCOL, BUILD',
  ]) {
    t.match(certificates, expected)
  }
  const tokens = page(
    [
      AGENT,
      'agent: { authenticate: jwt, issuer: "https://i.example", audience: gate, keys: { url: "https://i.example/keys" } }',
    ],
    [
      LOGIN,
      'credential: { users: { ann: { user: a, passwordFile: password }, bob: { user: b, certificate: { command: [ /bin/issue, x ] } } } }',
    ],
  )
  t.match(tokens, 'a token of https://i.example for gate, as password')
  t.match(tokens, `ann → login a, password in ${join(folder, 'password')}`)
  t.match(tokens, 'bob → login b, a new key for each connection, certified by /bin/issue')
  t.match(page([AGENT, 'agent: { authenticate: none }']), 'whoever is on this loopback, as the workload')
})

t.test('no secret of an SSH target is in the posture', async (t) => {
  const secrets = ['deploy', 'agent-host'].flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
  const posture = postureOf(
    loadConfiguration(changed([[LOGIN, 'credential: { user: deploy, passwordFile: password }']]), {}),
  )
  const printed = `${JSON.stringify(posture)}\n${page()}`
  for (const secret of ['a-password', ...secrets.filter((line) => line.length > 30)]) t.notMatch(printed, secret)
})

const ERRORS: readonly [title: string, changes: readonly Change[], errors: readonly string[]][] = [
  [
    'no authentication demands the loopback',
    [EXPOSED, [AGENT, 'agent: { authenticate: none, hostKeyFile: agent-host }']],
    [`config.exposed ${ssh}.agent.authenticate`],
  ],
  ['nobody at all is a mistake', [[/users: \{ ann.*\} \}/, 'users: {}']], [`config.nobody ${ssh}.agent.users`]],
  [
    'keys that are none are mistakes, wherever they stand',
    [
      ['"${file:someone.pub}"', '"${file:someone.pub}", "ssh-ed25519 AAAA"'],
      [
        UPSTREAM,
        'upstream: { host: h, hostKeys: [ "ssh-ed25519" ], hostAuthorities: [ "${file:host.pub}", nonsense ] }',
      ],
    ],
    [
      `config.public-key ${ssh}.upstream.hostKeys.0`,
      `config.public-key ${ssh}.upstream.hostAuthorities.1`,
      `config.public-key ${ssh}.agent.users.ann.keys.1`,
    ],
  ],
  [
    'an authority that is a certificate is a mistake',
    [[AGENT, 'agent: { authenticate: certificate, authorities: [ "ssh-ed25519-cert-v01@openssh.com AAAA" ] }']],
    [`config.public-key ${ssh}.agent.authorities.0`],
  ],
  [
    'a host that nothing is known of is a mistake',
    [[UPSTREAM, 'upstream: { host: build.internal }']],
    [`config.value ${ssh}.upstream`],
  ],
  [
    'a host that known_hosts does not know is a mistake',
    [['host: build.internal', 'host: other.internal']],
    [`config.unknown-host ${ssh}.upstream.knownHostsFile`],
  ],
  [
    'and so is a port that it does not know',
    [['host: build.internal', 'host: build.internal, port: 2200']],
    [`config.unknown-host ${ssh}.upstream.knownHostsFile`],
  ],
  [
    'a target cannot connect to itself',
    [[UPSTREAM, 'upstream: { host: 127.0.0.1, port: 2222, hostKeys: [ "${file:host.pub}" ] }']],
    [`config.loop ${ssh}.upstream.port`],
  ],
  [
    'a login that nothing proves is a mistake',
    [[LOGIN, 'credential: { user: deploy }']],
    [`config.missing ${ssh}.credential`],
  ],
  [
    'and so is one that is proven in two ways',
    [[LOGIN, 'credential: { user: deploy, privateKeyFile: deploy, passwordFile: password }']],
    [`config.conflict ${ssh}.credential.passwordFile`],
  ],
  [
    'a certificate without its key has no effect',
    [
      [
        LOGIN,
        'credential: { user: deploy, passwordFile: password, passphraseFile: password, certificateFile: other-cert.pub }',
      ],
    ],
    [`config.no-effect ${ssh}.credential.certificateFile`, `config.no-effect ${ssh}.credential.passphraseFile`],
  ],
  [
    'a certificate for another key is a mistake',
    [[LOGIN, 'credential: { user: deploy, privateKeyFile: deploy, certificateFile: other-cert.pub }']],
    [`config.file ${ssh}.credential.certificateFile`],
  ],
  [
    'a certificate must outlive its connection’s start',
    [[LOGIN, 'credential: { user: deploy, certificate: { authorityFile: authority, validity: 1s } }']],
    [`config.value ${ssh}.credential.certificate.validity`],
  ],
  [
    'an agent without a login upstream is a mistake',
    [[LOGIN, 'credential: { users: { bob: { user: deploy, privateKeyFile: deploy } } }']],
    [`config.no-role ${ssh}.agent.users.ann`],
  ],
  [
    'a login of one of many users is checked like the only one',
    [[LOGIN, 'credential: { users: { ann: { user: deploy, privateKeyFile: locked } } }']],
    [`config.file ${ssh}.credential.users.ann.privateKeyFile`],
  ],
  [
    'what the host is known by is not written over',
    [['hostKeyFile: agent-host', 'hostKeyFile: agent-host, knownHosts: known_hosts']],
    [`config.conflict ${ssh}.agent.knownHosts`],
  ],
  [
    'the legs share no key',
    [['hostKeyFile: agent-host', 'hostKeyFile: deploy']],
    [`config.conflict ${ssh}.agent.hostKeyFile`],
  ],
  [
    'a line-gated shell needs a POSIX shell',
    [['knownHostsFile: known_hosts', 'knownHostsFile: known_hosts, shell: other']],
    [`config.conflict ${ssh}.shell`],
  ],
  [
    'variables that change what runs are not let through',
    [[SHELL, 'environment: [ BUILD, LD_PRELOAD, BASH_ENV, PATH, GIT_SSH_COMMAND, GIT_AUTHOR_NAME, PYTHONPATH ]']],
    [1, 2, 3, 4, 6].map((index) => `config.environment ${ssh}.environment.${index}`),
  ],
  [
    'limits below which nothing would pass are refused',
    [['limits: { idle: 10m }', 'limits: { handshake: 0s, command: 0B, inFlight: 1KiB, rekey: 1KiB }']],
    ['handshake', 'command', 'inFlight', 'rekey'].map((key) => `config.value ${ssh}.limits.${key}`),
  ],
  [
    'a limit beyond what a packet takes is refused',
    [['limits: { idle: 10m }', 'limits: { command: 33KiB }']],
    [`config.value ${ssh}.limits.command`],
  ],
  [
    'a command must be given as a list',
    [[LOGIN, 'credential: { user: deploy, certificate: { command: issue } }']],
    [`config.value ${ssh}.credential.certificate.command`],
  ],
  [
    'a locked host key cannot be opened',
    [['hostKeyFile: agent-host', 'hostKeyFile: locked']],
    [`config.file ${ssh}.agent.hostKeyFile`],
  ],
  [
    'a public key is no private key',
    [['privateKeyFile: deploy', 'privateKeyFile: deploy.pub']],
    [`config.file ${ssh}.credential.privateKeyFile`],
  ],
  [
    'a known_hosts line that cannot be read is a mistake',
    [['knownHostsFile: known_hosts', 'knownHostsFile: broken_hosts']],
    [`config.file ${ssh}.upstream.knownHostsFile`],
  ],
  [
    'a file cannot be written where there is no directory',
    [['hostKeyFile: agent-host', 'hostKeyFile: agent-host, knownHosts: nowhere/line']],
    [`config.file ${ssh}.agent.knownHosts`],
  ],
]

sshKeyIn(folder, 'locked', 'a-passphrase')
execFileSync('ssh-keygen', ['-q', '-s', join(folder, 'authority'), '-I', 'id', '-n', 'x', join(folder, 'other.pub')])
writeFileSync(
  join(folder, 'broken_hosts'),
  `build.internal ${publicKeyIn(folder, 'host')}\n@revokd * ${publicKeyIn(folder, 'other')}\n`,
)

for (const [title, changes, errors] of ERRORS) {
  t.test(title, async (t) => {
    const all = found(...changes).errors
    t.same(named(all).sort(), [...errors].sort())
    for (const { line, remedy, message } of all) {
      t.ok(line !== null && line > 17, 'it names its line')
      t.ok(remedy !== '' && message !== '')
    }
  })
}

t.test('mistakes of public keys and known_hosts say what is wrong and what would be right', async (t) => {
  const [key] = found(['"${file:someone.pub}"', '"restrict ${file:someone.pub}"']).errors
  t.match(key, {
    line: 22,
    message: 'begins with restrict, not with a type of key',
    remedy: /without options before it/,
  })
  const [host] = found(['host: build.internal', 'host: other.internal']).errors
  t.match(host, { message: /known_hosts has no key of other\.internal/, remedy: /ssh-keyscan -p 22 other\.internal/ })
  const [broken] = found(['knownHostsFile: known_hosts', 'knownHostsFile: broken_hosts']).errors
  t.match(broken, { message: /line 2: its marker is neither @cert-authority nor @revoked/ })
  const [locked] = found(['privateKeyFile: deploy', 'privateKeyFile: locked']).errors
  t.match(locked, { message: 'is locked by a passphrase', remedy: 'give its passphraseFile' })
})

t.test('a locked key with its passphrase, and a certificate for its key, are good', async (t) => {
  execFileSync('ssh-keygen', ['-q', '-s', join(folder, 'authority'), '-I', 'id', '-n', 'x', join(folder, 'locked.pub')])
  const login =
    'credential: { user: d, privateKeyFile: locked, passphraseFile: password, certificateFile: locked-cert.pub }'
  t.same(named(found([LOGIN, login]).errors), [])
  const text = page([LOGIN, login])
  t.match(text, `its passphrase in ${join(folder, 'password')}, its certificate in ${join(folder, 'locked-cert.pub')}`)
})

t.test('hashed names, ports and authorities of known_hosts count; revoked keys do not', async (t) => {
  const [host, other] = [publicKeyIn(folder, 'host'), publicKeyIn(folder, 'other')]
  const file = join(folder, 'hosts')
  const known = (text: string, ...more: Change[]) => {
    writeFileSync(file, text)
    return named(found(['knownHostsFile: known_hosts', 'knownHostsFile: hosts'], ...more).errors)
  }
  const unknown = [`config.unknown-host ${ssh}.upstream.knownHostsFile`]
  t.same(known(`@cert-authority *.internal ${other}\n`), [])
  t.same(known(`[build.internal]:2200 ${host}\n`), unknown)
  t.same(known(`[build.internal]:2200 ${host}\n`, ['host: build.internal', 'host: build.internal, port: 2200']), [])
  t.same(known(`build.internal ${host}\n@revoked * ${host}\n`), unknown)
  t.same(known(`build.internal ${host}\nbuild.internal ${other}\n@revoked * ${host}\n`), [])
  writeFileSync(file, `build.internal ${host}\n`)
  execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' })
  t.same(known(readFileSync(file, 'utf8')), [])
  t.match(readFileSync(file, 'utf8'), /^\|1\|/)
})

t.test('two targets do not write one file for different keys', async (t) => {
  const second = GOOD_SSH.slice(GOOD_SSH.indexOf('  build-host:'))
    .replace('build-host', 'second')
    .replace('2222', '2223')
  const one: Change = ['hostKeyFile: agent-host', 'knownHosts: line']
  const both = (text: string) => {
    const file = changed([one])
    writeFileSync(file, `${readFileSync(file, 'utf8')}${text}`)
    try {
      loadConfiguration(file, {})
      return []
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      return named(error.problems as readonly Located[])
    }
  }
  t.same(both(second.replace('hostKeyFile: agent-host', 'knownHosts: line')), [
    'config.conflict targets.second.agent.knownHosts',
  ])
  t.same(both(second.replace('hostKeyFile: agent-host', 'knownHosts: second-line')), [])
})

const WEAKNESSES: readonly [title: string, changes: readonly Change[], weakness: string][] = [
  ['a recorded shell', [[SHELL, 'shell: recorded']], `config.recorded-shell ${ssh}.shell`],
  [
    'a host key that agents on a network cannot know',
    [EXPOSED, [', hostKeyFile: agent-host', '']],
    `config.host-key ${ssh}.agent.hostKeyFile`,
  ],
  [
    'a certificate for long',
    [[LOGIN, 'credential: { user: deploy, certificate: { authorityFile: authority, validity: 7d } }']],
    `config.long-certificate ${ssh}.credential.certificate.validity`,
  ],
]
for (const [title, changes, weakness] of WEAKNESSES) {
  t.test(`${title} is allowed and shown as a weakness`, async (t) => {
    const { errors, weaknesses } = found(...changes)
    t.same([named(errors), named(weaknesses)], [[], [weakness]])
    t.match(page(...changes), /<red>What weakens it \(1\)<\/red>/)
  })
}

t.test('a recorded shell is red in the posture of its target', async (t) => {
  t.match(
    page([SHELL, 'shell: recorded']),
    /shells +<red>.*RECORDED ONLY: what is typed is not judged before it runs<\/red>/,
  )
})

t.test('a private key that everyone on the machine may read is red', async (t) => {
  chmodSync(join(folder, 'deploy'), 0o644)
  t.teardown(() => chmodSync(join(folder, 'deploy'), 0o600))
  t.same(named(found().weaknesses), [`config.open-secret ${ssh}.credential.privateKeyFile`])
  t.match(
    page(),
    /<red>targets\.build-host\.credential\.privateKeyFile \(line 25\): \S+deploy may be read by every user/,
  )
})

t.test('a known_hosts file that everyone on the machine may write is red', async (t) => {
  chmodSync(join(folder, 'known_hosts'), 0o646)
  t.teardown(() => chmodSync(join(folder, 'known_hosts'), 0o644))
  t.same(named(found().weaknesses), [`config.open-trust ${ssh}.upstream.knownHostsFile`])
})
