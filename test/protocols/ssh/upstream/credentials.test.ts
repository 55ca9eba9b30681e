import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  makeSshKey,
  publicLine,
  signSshKey,
  type SshCertificateOptions,
  type SshKey,
} from '../../../support/ssh-keys.ts'
import { startSshd } from '../../../support/sshd.ts'
import { connect, directory, end, file, log, prepare, refusalOf, run, targetOf } from './dialing.ts'

const server = await startSshd({ settings: { RequiredRSASize: '2048' } })
t.teardown(() => server.stop())
const upstream = { host: server.host, port: server.port, hostKeys: server.hostKeys }
const { user } = server

const login = (credential: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  targetOf({ upstream: { ...upstream, ...more }, credential: { user, ...credential } })

let keys = 0
async function keyOf(options: Parameters<typeof makeSshKey>[1] = {}): Promise<SshKey> {
  return await makeSshKey(join(directory, `key-${++keys}`), options)
}

async function knownKey(options: Parameters<typeof makeSshKey>[1] = {}): Promise<SshKey> {
  const key = await keyOf(options)
  appendFileSync(server.authorizedKeysFile, `${key.line}\n`)
  return key
}

async function certified(options: SshCertificateOptions, authority = server.authority.file) {
  const key = await keyOf()
  return { privateKeyFile: key.file, certificateFile: await signSshKey(authority, key, options) }
}

const REJECTED = {
  code: 'upstream.rejected',
  message: 'the target did not accept the credential of the sidecar',
}
const UNUSABLE = {
  code: 'upstream.unavailable',
  message: 'the sidecar cannot use its credential for the target',
}

for (const options of [
  { type: 'ed25519' },
  { type: 'ecdsa', bits: 256 },
  { type: 'ecdsa', bits: 384 },
  { type: 'ecdsa', bits: 521 },
  { type: 'rsa', bits: 2048 },
] as const) {
  t.test(
    `A private key of ${options.type}${'bits' in options ? ` (${options.bits})` : ''} opens the host`,
    async (t) => {
      const key = await knownKey(options)
      const leg = await connect(login({ privateKeyFile: key.file }))
      t.equal(await run(leg, 'echo it runs'), 'it runs\n')
      t.match(leg, { user, software: /^OpenSSH_\S+/, host: { by: 'key', fingerprint: /^SHA256:[A-Za-z0-9+/]{43}$/ } })
      await end(leg)
    },
  )
}

t.test('RSA signs with SHA-2 only', async (t) => {
  const key = await knownKey({ type: 'rsa', bits: 2048 })
  await end(await connect(login({ privateKeyFile: key.file })))
  t.match(server.log(), /Accepted publickey for \S+ from \S+ port \d+ ssh2: RSA SHA256:/)
  const old = await startSshd({ settings: { PubkeyAcceptedAlgorithms: 'ssh-rsa' } })
  t.teardown(() => old.stop())
  copyFileSync(server.authorizedKeysFile, old.authorizedKeysFile)
  const target = login({ privateKeyFile: key.file }, { port: old.port, hostKeys: old.hostKeys })
  t.match(await refusalOf(connect(target)), REJECTED)
})

t.test('A private key may be in PEM, in PKCS #8, and under a passphrase', async (t) => {
  for (const [type, format] of [
    ['ecdsa', 'PEM'],
    ['rsa', 'PEM'],
    ['rsa', 'PKCS8'],
    ['ecdsa', 'PKCS8'],
  ] as const) {
    const key = await knownKey({ type })
    execFileSync('ssh-keygen', ['-q', '-p', '-m', format, '-N', 'open sesame', '-P', '', '-f', key.file])
    const credential = { privateKeyFile: key.file, passphraseFile: file('open sesame\n') }
    await t.resolves(connect(login(credential)).then(end), `${type} in ${format}`)
  }
})

t.test('A passphrase is asked for at start, and one that was rotated holds at once', async (t) => {
  const key = await knownKey({ passphrase: 'open sesame' })
  const passphraseFile = file('open sesame')
  const config = login({ privateKeyFile: key.file, passphraseFile })
  await end(await connect(config))
  const side = await prepare(config)
  writeFileSync(passphraseFile, 'open barley')
  await t.rejects(side.check(), { message: /passphrase does not open/ })
  t.match(await refusalOf(connectAgain(side)), UNUSABLE)
  execFileSync('ssh-keygen', ['-q', '-p', '-N', 'open barley', '-P', 'open sesame', '-f', key.file])
  await end(await connectAgain(side))
})

async function connectAgain(side: Awaited<ReturnType<typeof prepare>>) {
  const { connectUpstream } = await import('../../../../src/protocols/ssh/upstream.ts')
  return await connectUpstream(side, 'agent', new AbortController().signal)
}

t.test('A key that the host does not know is refused without a word of the host', async (t) => {
  const key = await keyOf()
  t.match(await refusalOf(connect(login({ privateKeyFile: key.file }))), { ...REJECTED, cause: /it offers publickey/ })
})

t.test('A private key that was rotated holds for the next connection', async (t) => {
  const [first, second] = [await knownKey(), await knownKey()]
  const place = join(directory, 'rotated')
  copyFileSync(first.file, place)
  const side = await prepare(login({ privateKeyFile: place }))
  const fingerprint = (key: SshKey) =>
    execFileSync('ssh-keygen', ['-lf', `${key.file}.pub`])
      .toString()
      .split(' ')[1] ?? ''
  await end(await connectAgain(side))
  t.match(server.log(), fingerprint(first))
  writeFileSync(place, readFileSync(second.file))
  await end(await connectAgain(side))
  t.match(server.log(), fingerprint(second))
})

t.test('A certificate that was signed elsewhere stands for its key', async (t) => {
  for (const type of ['ed25519', 'ecdsa', 'rsa'] as const) {
    const key = await keyOf({ type })
    const certificateFile = await signSshKey(server.authority.file, key, { principals: [user], identity: `by-${type}` })
    const leg = await connect(login({ privateKeyFile: key.file, certificateFile }))
    t.equal(await run(leg, 'echo it runs'), 'it runs\n')
    await end(leg)
    t.match(server.log(), new RegExp(`Accepted publickey .* ID by-${type} `))
  }
})

t.test('A certificate that has expired is not shown, and the log says so', async (t) => {
  const credential = await certified({ principals: [user], validity: '-2h:-1h' })
  t.match(await refusalOf(connect(login(credential))), { ...UNUSABLE, cause: /not valid now/ })
})

t.test('A certificate for another login, or of an authority that the host does not trust, is refused', async (t) => {
  const other = await certified({ principals: ['somebody-else'] })
  t.match(await refusalOf(connect(login(other))), REJECTED)
  const stranger = await certified({ principals: [user] }, (await keyOf()).file)
  t.match(await refusalOf(connect(login(stranger))), REJECTED)
})

t.test('An authority signs a new key for each connection, and the host’s log says for whom', async (t) => {
  const config = login({ certificate: { authorityFile: server.authority.file, validity: '2m' } })
  for (const session of ['first', 'second']) {
    const leg = await connect(config, { session })
    t.equal(await run(leg, 'echo it runs'), 'it runs\n')
    await end(leg)
  }
  const accepted = server.log().match(/Accepted publickey for .* ID sidegate:\S+ \(serial \d+\)/g) ?? []
  t.match(accepted[0], 'ID sidegate:session=first,target=box,workload=shop/agent-0 ')
  t.match(accepted[1], 'ID sidegate:session=second,target=box,workload=shop/agent-0 ')
  const shown = accepted.map((line) => /SHA256:\S+/.exec(line)?.[0])
  t.not(shown[0], shown[1], 'the keys differ')
})

t.test('An authority of RSA or ECDSA, and one with a passphrase, signs as well', async (t) => {
  for (const options of [{ type: 'rsa' }, { type: 'ecdsa', bits: 384 }, { passphrase: 'open sesame' }] as const) {
    const authority = await keyOf(options)
    const trusting = await startSshd({ settings: { TrustedUserCAKeys: `${authority.file}.pub` } })
    t.teardown(() => trusting.stop())
    const passphrase = 'passphrase' in options ? { passphraseFile: file(options.passphrase) } : {}
    const credential = { certificate: { authorityFile: authority.file }, ...passphrase }
    const target = login(credential, { port: trusting.port, hostKeys: trusting.hostKeys })
    await t.resolves(connect(target).then(end), JSON.stringify(options))
  }
})

t.test('The principals of an issued certificate are those of the configuration', async (t) => {
  const principals = file('role-deploy\n')
  const mapped = await startSshd({ settings: { AuthorizedPrincipalsFile: principals } })
  t.teardown(() => mapped.stop())
  const at = { port: mapped.port, hostKeys: mapped.hostKeys }
  const authorityFile = mapped.authority.file
  await end(await connect(login({ certificate: { authorityFile, principals: ['role-deploy'] } }, at)))
  t.match(await refusalOf(connect(login({ certificate: { authorityFile } }, at))), REJECTED)
})

/** A signing service: a program that gets a public key, and answers with what ssh-keygen makes of it. */
function signer(principal: string, more = ''): string[] {
  const script = join(directory, `signer-${++keys}`)
  writeFileSync(
    script,
    `#!/bin/sh
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/key.pub"
${more}
ssh-keygen -q -s "$1" -I "$SIDEGATE_TARGET/$SIDEGATE_SESSION/$SIDEGATE_USER" -n ${principal} -V -1m:+5m "$work/key.pub"
cat "$work/key-cert.pub"
`,
  )
  chmodSync(script, 0o755)
  return [script, server.authority.file]
}

t.test('A command signs a new key for each connection', async (t) => {
  const leg = await connect(login({ certificate: { command: signer(user) } }), { session: 'by-command' })
  t.equal(await run(leg, 'echo it runs'), 'it runs\n')
  await end(leg)
  t.match(server.log(), `ID box/by-command/${user} `)
})

t.test('A command’s certificate must be for the key and the login', async (t) => {
  const otherKey = publicLine(`${server.client.file}.pub`)
  for (const [command, cause] of [
    [signer('somebody-else'), /is not for the login/],
    [signer(user, `echo "${otherKey}" >"$work/key.pub"`), /is for another key/],
    [['/bin/echo', 'nothing of the kind'], /not one of a -cert.pub file/],
    [['/bin/sh', '-c', 'echo some complaint >&2; exit 3'], /ended with status 3.*some complaint/],
    [['/bin/sh', '-c', 'kill -TERM $$'], /was ended by SIGTERM/],
    [['/bin/sh', '-c', 'yes'], /more than 65536 bytes/],
    [['/nonexistent'], /cannot be run/],
  ] as const) {
    const refusal = await refusalOf(connect(login({ certificate: { command } })))
    t.match(refusal, { ...UNUSABLE, cause }, command.join(' '))
  }
})

t.test('A command that does not answer is ended with all that it started', async (t) => {
  const mark = `31.${process.pid}`
  const command = ['/bin/sh', '-c', `sleep ${mark} & wait`]
  const config = targetOf({ upstream, credential: { user, certificate: { command } }, limits: { handshake: '300ms' } })
  t.match(await refusalOf(connect(config)), { ...UNUSABLE, cause: /did not answer in time/ })
  t.throws(() => execFileSync('pgrep', ['-f', `sleep ${mark}`]), 'nothing of it runs')
})

t.test('Settings that cannot work are said at start, by key and file', async (t) => {
  const key = await keyOf({ passphrase: 'open sesame' })
  const plain = await keyOf()
  const other = await certified({ principals: [user] })
  const ofHost = await signSshKey(server.authority.file, plain, { kind: 'host', principals: ['box'] })
  const text = file('no key at all')
  for (const [credential, message] of [
    [{ privateKeyFile: '/nonexistent' }, /targets\.box\.credential\.privateKeyFile names \/nonexistent: /],
    [{ privateKeyFile: text }, `credential.privateKeyFile names ${text}: it holds no private key`],
    [{ privateKeyFile: `${plain.file}.pub` }, /holds no private key/],
    [{ privateKeyFile: key.file }, /is encrypted, and no passphrase is given/],
    [{ privateKeyFile: key.file, passphraseFile: text }, /passphrase does not open/],
    [{ passphraseFile: text }, /credential\.passphraseFile has no effect/],
    [{ passwordFile: '/nonexistent' }, /credential\.passwordFile names/],
    [{ certificateFile: other.certificateFile }, /certificateFile has no effect without/],
    [{ privateKeyFile: plain.file, certificateFile: other.certificateFile }, /is for another private key/],
    [{ privateKeyFile: plain.file, certificateFile: ofHost }, /holds the certificate of a host/],
    [{ privateKeyFile: plain.file, certificateFile: text }, /not one of a -cert.pub file/],
    [{ certificate: { authorityFile: text } }, /credential\.certificate\.authorityFile names/],
    [{ certificate: { authorityFile: plain.file }, privateKeyFile: plain.file }, /privateKeyFile has no effect/],
  ] as const) {
    const failure = { name: 'UpstreamConfigurationError', code: 'config.upstream', message }
    await t.rejects(prepare(login(credential)), failure, JSON.stringify(credential))
  }
})

t.test('Each user name of an agent has its own login, and other names have none', async (t) => {
  const users = { reporting: { user, privateKeyFile: server.client.file } }
  const config = targetOf({ upstream, credential: { users } })
  const side = await prepare(config)
  t.equal(side.loginOf('reporting').user, user)
  for (const name of ['root', 'constructor', '__proto__', '']) {
    t.throws(() => side.loginOf(name), { name: 'UpstreamError', refusal: { code: 'target.forbidden' } })
    t.match(await refusalOf(connect(config, { user: name })), { code: 'target.forbidden' })
  }
  await end(await connect(config, { user: 'reporting' }))
  t.equal((await prepare(login({ privateKeyFile: server.client.file }))).loginOf('whoever').user, user)
  const wrong = targetOf({ upstream, credential: { users: { ops: { user, privateKeyFile: '/nonexistent' } } } })
  await t.rejects(prepare(wrong), { message: /targets\.box\.credential\.users\.ops\.privateKeyFile/ })
})

t.test('What was logged holds no secret', async (t) => {
  t.notMatch(log.join(''), /sesame|barley|PRIVATE KEY/)
})
