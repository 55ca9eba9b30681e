import { execFileSync } from 'node:child_process'
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeSshKey, signSshKey, type SshCertificateOptions, type SshKey } from '../../../support/ssh-keys.ts'
import { type SshServer, startSshd } from '../../../support/sshd.ts'
import { connect, directory, end, file, prepare, refusalOf, run, targetOf } from './dialing.ts'

const server = await startSshd()
t.teardown(() => server.stop())
const [ed25519 = '', ecdsa = '', rsa = ''] = server.hostKeys
const stranger = await makeSshKey(join(directory, 'stranger'))
const strangersAuthority = await makeSshKey(join(directory, 'strangers-authority'))

function host(upstream: Record<string, unknown>, { port, user, client }: SshServer = server) {
  return targetOf({
    upstream: { host: '127.0.0.1', port, ...upstream },
    credential: { user, privateKeyFile: client.file },
  })
}

const fingerprintOf = (line: string) =>
  execFileSync('ssh-keygen', ['-lf', '-'], { input: line }).toString().split(' ')[1] ?? ''

for (const [name, key] of Object.entries({ ed25519, ecdsa, rsa })) {
  t.test(`A host with keys of three kinds shows the one that is pinned: ${name}`, async (t) => {
    const leg = await connect(host({ hostKeys: [key] }))
    t.same(leg.host, { by: 'key', fingerprint: fingerprintOf(key) })
    await end(leg)
  })
}

t.test('A host with a key that is not pinned is not logged in to', async (t) => {
  const before = server.log().length
  for (const hostKeys of [[stranger.line], [ed25519.replace('AAAAC3', 'AAAAC3').slice(0, -4) + 'AAAA']]) {
    const refusal = await refusalOf(connect(host({ hostKeys })))
    t.match(refusal, { code: 'upstream.untrusted', message: /^the target could not prove who it is: its key, SHA256:/ })
    t.match(refusal.message, fingerprintOf(ed25519))
  }
  t.notMatch(server.log().slice(before), /Accepted|Failed|userauth/)
})

const known = (...lines: string[]) => ({ knownHostsFile: file(lines.map((line) => `${line}\n`).join('')) })
const name = `[127.0.0.1]:${server.port}`

t.test('A host is known by a file as OpenSSH writes it, hashed or not', async (t) => {
  for (const lines of [
    [`${name} ${ed25519}`],
    ['# a comment', '', `other,${name} ${rsa} with a comment`],
    [`* ${ecdsa}`],
    [`[127.0.0.?]:* ${ed25519}`],
  ]) {
    const leg = await connect(host(known(...lines)))
    t.equal(leg.host.by, 'known-hosts', lines.join('; '))
    await end(leg)
  }
  const { knownHostsFile } = known(`${name} ${rsa}`)
  execFileSync('ssh-keygen', ['-q', '-H', '-f', knownHostsFile], { stdio: 'ignore' })
  await end(await connect(host({ knownHostsFile })))
})

t.test('A file that knows other hosts, other ports or other keys does not prove this one', async (t) => {
  for (const lines of [[`${name} ${stranger.line}`], [`${name} ${stranger.line}`, `other ${ed25519}`]]) {
    t.match(await refusalOf(connect(host(known(...lines)))), { code: 'upstream.untrusted' })
  }
  for (const lines of [[`127.0.0.1 ${ed25519}`], [`*,!${name} ${ed25519}`], [`@revoked * ${stranger.line}`]]) {
    await t.rejects(prepare(host(known(...lines))), { message: /knownHostsFile knows no key of 127.0.0.1 at port/ })
  }
})

t.test('A key that is revoked proves nothing, whatever else names it', async (t) => {
  for (const lines of [
    [`${name} ${ed25519}`, `@revoked ${name} ${ed25519}`],
    [`@revoked * ${ed25519}`, `${name} ${ed25519}`],
    [`${name} ${ed25519}`, `@revoked 127.0.0.1 ${ed25519}`],
  ]) {
    const refusal = await refusalOf(connect(host(known(...lines))))
    t.match(refusal, {
      code: 'upstream.untrusted',
      message: 'the target could not prove who it is: its key is revoked',
    })
  }
  const both = { hostKeys: [ed25519], ...known(`@revoked ${name} ${ed25519}`) }
  t.match(await refusalOf(connect(host(both))), { code: 'upstream.untrusted', message: /is revoked/ })
})

t.test(
  'A change of the file holds for the next connection, and a file that cannot be read any more trusts nobody',
  async (t) => {
    const { knownHostsFile } = known(`${name} ${ed25519}`)
    const side = await prepare(host({ knownHostsFile }))
    const { connectUpstream } = await import('../../../../src/protocols/ssh/upstream.ts')
    const again = () => connectUpstream(side, 'agent', new AbortController().signal)
    await end(await again())
    appendFileSync(knownHostsFile, `@revoked ${name} ${ed25519}\n`)
    t.match(await refusalOf(again()), { code: 'upstream.untrusted', message: /revoked/ })
    writeFileSync(knownHostsFile, `${name} ${ed25519.slice(0, 40)}\n`)
    const message = 'the keys that the target is known by cannot be read'
    t.match(await refusalOf(again()), { code: 'upstream.untrusted', message, cause: /line 1: it holds no whole key/ })
    writeFileSync(knownHostsFile, `${name} ${ed25519}\n`)
    await end(await again())
  },
)

t.test('A host that is known wrongly is said at start, by key, file and line', async (t) => {
  for (const [upstream, message] of [
    [{ hostKeys: [ed25519, 'ssh-ed25519 AAAA'] }, /targets\.box\.upstream\.hostKeys\[1\] is/],
    [{ hostAuthorities: ['what'] }, /targets\.box\.upstream\.hostAuthorities\[0\] begins with what/],
    [{ knownHostsFile: directory }, /upstream\.knownHostsFile names \S+, which cannot be read/],
    [known(`${name} ${ed25519}`, `${name} ssh-ed25519`), /knownHostsFile names \S+, line 2: it is not names/],
    [known(`@trusted ${name} ${ed25519}`), /line 1: its marker is neither/],
  ] as const) {
    const failure = { name: 'UpstreamConfigurationError', code: 'config.upstream', message }
    await t.rejects(prepare(host(upstream)), failure)
  }
})

const CERTIFICATES = {
  'ssh-ed25519': { type: 'ed25519' },
  'ecdsa-sha2-nistp256': { type: 'ecdsa', bits: 256 },
  'ecdsa-sha2-nistp384': { type: 'ecdsa', bits: 384 },
  'ecdsa-sha2-nistp521': { type: 'ecdsa', bits: 521 },
  'rsa-sha2-512': { type: 'rsa', bits: 2048 },
  'rsa-sha2-256': { type: 'rsa', bits: 2048 },
} as const

let hosts = 0
/** A host that shows this certificate first, of a key of its own. */
async function certifiedHost(
  options: SshCertificateOptions,
  {
    authority = server.hostAuthority.file,
    algorithm = 'ssh-ed25519',
    only = false,
  }: { authority?: string; algorithm?: keyof typeof CERTIFICATES; only?: boolean } = {},
): Promise<{ host: SshServer; key: SshKey }> {
  const key = await makeSshKey(join(directory, `host-${++hosts}`), CERTIFICATES[algorithm])
  const certificate = await signSshKey(authority, key, { kind: 'host', ...options })
  const own = `${algorithm}-cert-v01@openssh.com`
  const settings = {
    HostKey: key.file,
    HostCertificate: certificate,
    HostKeyAlgorithms: only ? own : `${own},ssh-ed25519`,
  }
  return { host: await startSshd({ settings }), key }
}

for (const algorithm of Object.keys(CERTIFICATES) as (keyof typeof CERTIFICATES)[]) {
  t.test(`A host is known by a certificate of its authority: ${algorithm}`, async (t) => {
    const { host: certified, key } = await certifiedHost({ principals: ['127.0.0.1'] }, { algorithm, only: true })
    t.teardown(() => certified.stop())
    const leg = await connect(host({ hostAuthorities: [server.hostAuthority.line] }, certified))
    t.same(leg.host, { by: 'authority', fingerprint: fingerprintOf(key.line) })
    t.equal(await run(leg, 'echo it runs'), 'it runs\n')
    await end(leg)
  })
}

t.test('An authority may be one of the file, and its certificate may hold for a pattern or for the port', async (t) => {
  for (const principals of [['127.0.0.1'], ['127.0.*', 'other'], ['[127.0.0.1]:*']]) {
    const { host: certified } = await certifiedHost({ principals })
    t.teardown(() => certified.stop())
    const at = `[127.0.0.1]:${certified.port}`
    const leg = await connect(host(known(`@cert-authority ${at} ${server.hostAuthority.line}`), certified))
    t.equal(leg.host.by, 'authority')
    await end(leg)
  }
})

t.test('A host with certificates of every kind of key proves itself by one', async (t) => {
  const certified = await startSshd({ hostCertificate: ['127.0.0.1'] })
  t.teardown(() => certified.stop())
  const leg = await connect(host({ hostAuthorities: [certified.hostAuthority.line] }, certified))
  t.equal(leg.host.by, 'authority')
  await end(leg)
  // A host of which a key is pinned, and which has a certificate of an authority that nobody asked for.
  const pinned = await connect(host({ hostKeys: certified.hostKeys, hostAuthorities: [stranger.line] }, certified))
  t.equal(pinned.host.by, 'key')
  await end(pinned)
})

for (const [what, options, message] of [
  ['has expired', { principals: ['127.0.0.1'], validity: '-2h:-1h' }, /the certificate has expired/],
  ['is not valid yet', { principals: ['127.0.0.1'], validity: '+1h:+2h' }, /the certificate is not valid yet/],
  ['is for another host', { principals: ['127.0.0.2'] }, /the certificate is not for the host/],
  ['is for every host', { principals: [] }, /the certificate names no host/],
] as const) {
  t.test(`A certificate that ${what} proves nothing`, async (t) => {
    const { host: certified } = await certifiedHost(options)
    t.teardown(() => certified.stop())
    const refusal = await refusalOf(connect(host({ hostAuthorities: [server.hostAuthority.line] }, certified)))
    t.match(refusal, { code: 'upstream.untrusted', message })
  })
}

t.test('A certificate of another authority, or of one that is revoked, proves nothing', async (t) => {
  const { host: other } = await certifiedHost({ principals: ['127.0.0.1'] }, { authority: strangersAuthority.file })
  t.teardown(() => other.stop())
  const ours = { hostAuthorities: [server.hostAuthority.line] }
  const refusal = await refusalOf(connect(host(ours, other)))
  t.match(refusal, { code: 'upstream.untrusted', message: /which is not trusted/ })
  const { host: certified, key } = await certifiedHost({ principals: ['127.0.0.1'] })
  t.teardown(() => certified.stop())
  const revoked = { ...ours, ...known(`@revoked * ${server.hostAuthority.line}`) }
  t.match(await refusalOf(connect(host(revoked, certified))), { message: /its authority is revoked/ })
  const itsKey = { ...ours, ...known(`@revoked * ${key.line}`) }
  t.match(await refusalOf(connect(host(itsKey, certified))), { message: /its certified key is revoked/ })
})

t.test('The key of an authority is no key of a host', async (t) => {
  const authority = await startSshd({
    settings: { HostKey: server.hostAuthority.file, HostKeyAlgorithms: 'ssh-ed25519' },
  })
  t.teardown(() => authority.stop())
  const refusal = await refusalOf(connect(host({ hostAuthorities: [server.hostAuthority.line] }, authority)))
  t.match(refusal, { code: 'upstream.untrusted', message: /is not known/ })
})
