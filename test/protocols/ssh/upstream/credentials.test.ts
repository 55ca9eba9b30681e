import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { signSshKey, type SshKey } from '../../../support/ssh-keys.ts'
import { startSshd } from '../../../support/sshd.ts'
import { connect, directory, end, file, log, prepare, refusalOf, run, targetOf } from './dialing.ts'
import { connectAgain, keyOf, knownKey, login, REJECTED, server, UNUSABLE, upstream, user } from './logins.ts'

t.teardown(() => server.stop())

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

t.test('Settings that cannot work are said at start, by key and file', async (t) => {
  const key = await keyOf({ passphrase: 'open sesame' })
  const plain = await keyOf()
  const certified = await keyOf()
  const other = {
    certificateFile: await signSshKey(server.authority.file, certified, { principals: [user] }),
  }
  const ofHost = await signSshKey(server.authority.file, plain, { kind: 'host', principals: ['box'] })
  const text = file('no key at all')
  const forced = await keyOf()
  const options = { principals: [user], options: ['force-command=date'] }
  const forcing = {
    privateKeyFile: forced.file,
    certificateFile: await signSshKey(server.authority.file, forced, options),
  }
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
    [forcing, /whose certificate has the host run a command of its own.*force-command/],
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
