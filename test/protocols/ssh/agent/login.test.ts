/** Every way to log in, by OpenSSH's own client. */
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import type { AcceptedAgent } from '../../../../src/protocols/ssh/legs.ts'
import { runClient, ssh } from '../../../support/ssh-clients.ts'
import { makeSshKey, signSshKey } from '../../../support/ssh-keys.ts'
import { gateFor, openGate, scratch } from './gate.ts'

const directory = scratch()
const file = (name: string) => join(directory, name)

function proven(outcome: AcceptedAgent) {
  if (outcome.kind !== 'session') throw new Error(`no session but ${JSON.stringify(outcome)}`)
  return outcome.leg.proven
}

t.test('on loopback an agent logs in without a proof, and is its workload', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' })
  const { code, stdout, stderr } = await ssh(gate.client('deploy'), ['there', 'hello'])
  t.equal(stdout.toString(), 'none deploy: hello\n')
  t.equal(stderr, '')
  t.equal(code, 0)
  const { principal, user, attributes, restriction } = proven(await gate.next())
  t.equal(principal.subject, 'system:serviceaccount:shop:agent')
  t.strictSame([user, attributes, restriction], ['deploy', {}, undefined])
})

t.test('from elsewhere nobody logs in without a proof, and is told so', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' }, { from: '192.0.2.7' })
  const { code, stderr } = await ssh(gate.client('deploy', { LogLevel: 'INFO' }), ['there', 'hello'])
  t.equal(code, 255)
  t.match(stderr, 'sidegate: without a proof, only loopback may connect [identity.missing]')
  t.match(await gate.next(), { kind: 'refused', refusal: { code: 'identity.missing' } })
})

t.test('an agent logs in with any of its keys, of every type, and nobody with another', async (t) => {
  const keys = await Promise.all([
    makeSshKey(file('ed25519')),
    makeSshKey(file('ecdsa256'), { type: 'ecdsa', bits: 256 }),
    makeSshKey(file('ecdsa384'), { type: 'ecdsa', bits: 384 }),
    makeSshKey(file('ecdsa521'), { type: 'ecdsa', bits: 521 }),
    makeSshKey(file('rsa'), { type: 'rsa', bits: 2048 }),
  ])
  const other = await makeSshKey(file('other'))
  const gate = await gateFor(t, {
    authenticate: 'key',
    users: { deploy: { keys: keys.map(({ line }) => line) }, else: { keys: [other.line] } },
  })
  for (const key of keys) {
    const { code, stdout, stderr } = await ssh(gate.client('deploy', {}, key.file), ['there', 'hello'])
    t.equal(stdout.toString(), 'key deploy: hello\n', key.line)
    t.equal(stderr, '')
    t.equal(code, 0)
    const { principal, attributes } = proven(await gate.next())
    const { stdout: listed } = await runClient('ssh-keygen', ['-lf', `${key.file}.pub`])
    t.equal(attributes['key'], listed.toString().split(' ')[1], 'the fingerprint is ssh-keygen’s')
    t.match(principal, { subject: 'deploy', issuer: 'key', claims: { fingerprint: attributes['key'] } })
  }
  for (const [user, key] of [
    ['deploy', other],
    ['else', keys[0]],
    ['nobody', other],
    ['__proto__', other],
    ['constructor', other],
  ] as const) {
    const { code, stderr } = await ssh(gate.client(user, { LogLevel: 'INFO' }, key?.file), ['there', 'hello'])
    t.equal(code, 255)
    t.match(stderr, `sidegate: the key that was offered is none of ${user}’s [identity.invalid]`)
    t.match(await gate.next(), { kind: 'refused', refusal: { code: 'identity.invalid' } })
  }
})

t.test('an agent logs in by the key that its ssh-agent holds, after others that it holds too', async (t) => {
  const [wrong, right] = [await makeSshKey(file('held-wrong')), await makeSshKey(file('held-right'))]
  const gate = await gateFor(t, { authenticate: 'key', users: { deploy: { keys: [right.line] } } })
  const started = await runClient('ssh-agent', ['-s', '-a', file('agent.sock')])
  const pid = /SSH_AGENT_PID=(\d+)/.exec(started.stdout.toString())?.[1] ?? ''
  t.teardown(() => process.kill(Number(pid)))
  const env = { SSH_AUTH_SOCK: file('agent.sock') }
  for (const key of [wrong, right]) {
    t.equal((await runClient('ssh-add', ['-q', key.file], { env })).code, 0)
  }
  const client = gate.client('deploy', { IdentityAgent: file('agent.sock'), IdentitiesOnly: 'no' })
  const { code, stdout } = await ssh(client, ['there', 'hello'])
  t.equal(stdout.toString(), 'key deploy: hello\n')
  t.equal(code, 0)
})

t.test('an agent logs in with a certificate of a known authority, whatever their types', async (t) => {
  const authorities = await Promise.all([
    makeSshKey(file('ca-ed25519')),
    makeSshKey(file('ca-ecdsa'), { type: 'ecdsa', bits: 384 }),
    makeSshKey(file('ca-rsa'), { type: 'rsa', bits: 2048 }),
  ])
  const gate = await gateFor(t, {
    authenticate: 'certificate',
    authorities: authorities.map(({ line }) => line),
  })
  for (const [index, authority] of authorities.entries()) {
    for (const type of ['ed25519', 'ecdsa', 'rsa'] as const) {
      const key = await makeSshKey(file(`certified-${type}-${index}`), type === 'rsa' ? { type, bits: 2048 } : { type })
      const certificate = await signSshKey(authority.file, key, {
        principals: ['deploy', 'read'],
        identity: 'agent@ci',
        serial: 42,
      })
      const client = gate.client('deploy', { CertificateFile: certificate }, key.file)
      const { code, stdout, stderr } = await ssh(client, ['there', 'hello'])
      t.equal(stderr, '', `${type} by ${authority.file}`)
      t.equal(stdout.toString(), 'certificate deploy: hello\n')
      t.equal(code, 0)
      const { principal, attributes, restriction } = proven(await gate.next())
      t.match(attributes, { certificate: 'agent@ci', serial: '42', key: /^SHA256:/, authority: /^SHA256:/ })
      t.match(principal, {
        subject: 'deploy',
        issuer: attributes['authority'],
        claims: { principals: ['deploy', 'read'] },
      })
      t.equal(restriction?.forcedCommand, null)
      t.strictSame([...(restriction?.permits ?? [])].sort(), [
        'permit-X11-forwarding',
        'permit-agent-forwarding',
        'permit-port-forwarding',
        'permit-pty',
      ])
    }
  }
})

t.test('what a certificate restricts is told to the session', async (t) => {
  const authority = await makeSshKey(file('ca-restricting'))
  const key = await makeSshKey(file('restricted'))
  const certificate = await signSshKey(authority.file, key, {
    principals: ['deploy'],
    options: ['clear', 'permit-pty', 'force-command=/bin/date -u', 'source-address=127.0.0.0/8,2001:db8::/32'],
  })
  const gate = await gateFor(t, { authenticate: 'certificate', authorities: [authority.line] })
  t.equal((await ssh(gate.client('deploy', { CertificateFile: certificate }, key.file), ['there', 'hello'])).code, 0)
  const { restriction } = proven(await gate.next())
  t.equal(restriction?.forcedCommand, '/bin/date -u')
  t.strictSame([...(restriction?.permits ?? [])], ['permit-pty'])
})

t.test('a certificate that does not hold opens nothing, and the agent is told why', async (t) => {
  const authority = await makeSshKey(file('ca'))
  const stranger = await makeSshKey(file('ca-stranger'))
  const gate = await gateFor(t, { authenticate: 'certificate', authorities: [authority.line] })
  const good = { principals: ['deploy'] }
  const cases = [
    ['another authority', stranger, good, 'identity.invalid', /signed by SHA256:.*, which is not trusted/],
    ['expired', authority, { ...good, validity: '-2h:-1h' }, 'identity.expired', /has expired/],
    ['not yet', authority, { ...good, validity: '+1h:+2h' }, 'identity.invalid', /not valid yet/],
    ['another principal', authority, { principals: ['root'] }, 'identity.invalid', /not for the login deploy/],
    ['no principal', authority, {}, 'identity.invalid', /names no login/],
    [
      'elsewhere',
      authority,
      { ...good, options: ['source-address=192.0.2.0/24'] },
      'identity.invalid',
      /from 127.0.0.1/,
    ],
    ['unknown', authority, { ...good, options: ['critical:no-such@x=1'] }, 'identity.invalid', /demands no-such@x/],
    ['touch', authority, { ...good, options: ['verify-required'] }, 'identity.invalid', /demands verify-required/],
  ] as const
  for (const [name, by, options, code, message] of cases) {
    const key = await makeSshKey(file(`bad-${name.replaceAll(' ', '-')}`))
    const certificate = await signSshKey(by.file, key, options)
    const client = gate.client('deploy', { CertificateFile: certificate, LogLevel: 'INFO' }, key.file)
    const ended = await ssh(client, ['there', 'hello'])
    t.equal(ended.code, 255, name)
    t.match(ended.stderr, message, name)
    t.match(ended.stderr, `[${code}]`, name)
    t.match(await gate.next(), { kind: 'refused' }, name)
  }
  const key = await makeSshKey(file('plain'))
  const plain = await ssh(gate.client('deploy', { LogLevel: 'INFO' }, key.file), ['there', 'hello'])
  t.match(plain.stderr, 'sidegate: this target takes a certificate, and no plain key [identity.invalid]')
})

t.test('the certificate of a host logs nobody in', async (t) => {
  const authority = await makeSshKey(file('ca-of-hosts'))
  const key = await makeSshKey(file('host-as-user'))
  const certificate = await signSshKey(authority.file, key, { kind: 'host', principals: ['deploy'] })
  const gate = await gateFor(t, { authenticate: 'certificate', authorities: [authority.line] })
  const client = gate.client('deploy', { CertificateFile: certificate }, key.file)
  t.equal((await ssh(client, ['there', 'hello'])).code, 255)
})

const ISSUER = 'https://issuer.example'

async function tokenGate(t: Test, limits: object = {}) {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const keys = file('jwks.json')
  writeFileSync(keys, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] }))
  const agent = { authenticate: 'jwt', issuer: ISSUER, audience: 'ssh', keys: { file: keys }, algorithms: ['ES256'] }
  const gate = await gateFor(t, agent, { limits })
  const token = async (claims: object = {}, expires: number | string = '5m') =>
    await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer(ISSUER)
      .setAudience('ssh')
      .setSubject('agent-7')
      .setExpirationTime(expires)
      .sign(privateKey)
  /** The client that asks a program for passwords; the program gets the prompt, and answers from the file. */
  const login = async (secret: string, methods: string, program: string) => {
    writeFileSync(file('token'), secret)
    writeFileSync(file('askpass'), program, { mode: 0o755 })
    const client = gate.client('deploy', { BatchMode: 'no', LogLevel: 'INFO', PreferredAuthentications: methods })
    return await ssh(client, ['there', 'hello'], {
      env: { SSH_ASKPASS: file('askpass'), SSH_ASKPASS_REQUIRE: 'force', TOKEN: file('token') },
    })
  }
  return { gate, token, login }
}

const WHOLE = '#!/bin/sh\nexec cat "$TOKEN"\n'
/** By parts, as the prompt asks for them. */
const PARTS = `#!/bin/sh
from=$(echo "$1" | sed -n 's/.*from character \\([0-9]*\\) on.*/\\1/p')
exec tail -c "+\${from:-1}" "$TOKEN" | head -c 1023
`

t.test('an agent logs in with a token as password, and is whom the token names', async (t) => {
  const { gate, token, login } = await tokenGate(t)
  for (const methods of ['password', 'keyboard-interactive', 'keyboard-interactive,password']) {
    const { code, stdout, stderr } = await login(await token({ groups: ['ci'] }), methods, WHOLE)
    t.equal(stdout.toString(), 'password deploy: hello\n', methods)
    t.equal(code, 0, stderr)
    t.match(proven(await gate.next()).principal, { subject: 'agent-7', issuer: ISSUER })
  }
})

t.test('a token that is longer than OpenSSH reads comes through in parts, and a cut one says so', async (t) => {
  const { gate, token, login } = await tokenGate(t)
  for (const length of [800, 2_100, 1_023 * 2 + 700]) {
    const long = await token({ padding: 'x'.repeat(length) })
    const { code, stderr } = await login(long, 'keyboard-interactive', PARTS)
    t.equal(code, 0, `${long.length} characters: ${stderr}`)
    t.equal(proven(await gate.next()).principal.subject, 'agent-7')
  }
  const { code, stderr } = await login(await token({ padding: 'x'.repeat(2_000) }), 'password', WHOLE)
  t.equal(code, 255)
  t.match(stderr, 'the token was cut off by the client after 1023 characters [identity.invalid]')
})

t.test('a token that does not hold opens nothing, and is not repeated to anybody', async (t) => {
  const { gate, token, login } = await tokenGate(t)
  const expired = await token({}, Math.floor(Date.now() / 1_000) - 60)
  const old = await login(expired, 'password', WHOLE)
  t.equal(old.code, 255)
  t.match(old.stderr, 'sidegate: the token has expired [identity.expired]')
  t.notMatch(old.stderr, expired.slice(0, 20))
  t.match(await gate.next(), { kind: 'refused', refusal: { code: 'identity.expired' } })
  const forged = `${(await token()).slice(0, -4)}AAAA`
  const wrong = await login(forged, 'keyboard-interactive', WHOLE)
  t.match(wrong.stderr, 'sidegate: the token was not signed by a key of its issuer [identity.invalid]')
  t.notMatch(JSON.stringify(await gate.next()), forged.slice(0, 20))
})

t.test('the host key is the configured one, and its line is written whole for agents to trust', async (t) => {
  const key = await makeSshKey(file('host'))
  const known = file('known_hosts')
  writeFileSync(known, 'what was there before')
  const gate = await gateFor(t, { authenticate: 'none', hostKeyFile: key.file, knownHosts: known })
  t.equal(gate.side.knownHostsLine, `* ${key.line}`)
  t.equal(readFileSync(known, 'utf8'), `* ${key.line}\n`)
  const client = gate.client('deploy', { UserKnownHostsFile: known })
  t.equal((await ssh(client, ['there', 'hello'])).code, 0)
  const { stdout } = await runClient('ssh-keygen', ['-lf', `${key.file}.pub`])
  t.equal(gate.side.fingerprint, stdout.toString().split(' ')[1])
})

t.test('without a configured host key each start has its own', async (t) => {
  const [one, two] = [await gateFor(t, { authenticate: 'none' }), await gateFor(t, { authenticate: 'none' })]
  t.match(one.side.knownHostsLine, /^\* ssh-ed25519 AAAA/)
  t.not(one.side.knownHostsLine, two.side.knownHostsLine)
})

for (const [type, bits] of [
  ['rsa', 2048],
  ['ecdsa', 256],
] as const) {
  t.test(`a host key of type ${type} serves, in OpenSSH’s format and in PEM`, async (t) => {
    const key = await makeSshKey(file(`host-${type}`), { type, bits })
    for (const format of ['RFC4716', 'PKCS8', 'PEM']) {
      await runClient('ssh-keygen', ['-p', '-q', '-N', '', '-m', format, '-f', key.file])
      const gate = await gateFor(t, { authenticate: 'none', hostKeyFile: key.file })
      t.equal((await ssh(gate.client('deploy'), ['there', 'hello'])).code, 0, format)
    }
  })
}

t.test('a host key, authority or user key that cannot be used is named with its key and file', async (t) => {
  const locked = await makeSshKey(file('locked'), { passphrase: 'secret words' })
  const refuse = async (agent: object, code: string, message: RegExp) => {
    await t.rejects(openGate(agent), { code, message })
  }
  const none = { authenticate: 'none' }
  await refuse({ ...none, hostKeyFile: file('absent') }, 'ssh.host-key', /agent\.hostKeyFile .*absent: .*ENOENT/)
  await refuse({ ...none, hostKeyFile: locked.file }, 'ssh.host-key', /locked: the private key is encrypted/)
  await refuse({ ...none, hostKeyFile: `${locked.file}.pub` }, 'ssh.host-key', /holds no private key/)
  await refuse({ ...none, knownHosts: '/nowhere/known_hosts' }, 'ssh.known-hosts', /agent\.knownHosts .*ENOENT/)
  await refuse({ authenticate: 'certificate', authorities: ['ssh-ed25519 AAAA'] }, 'ssh.public-key', /authorities\[0\]/)
  const users = { deploy: { keys: ['ssh-dss AAAA'] } }
  await refuse({ authenticate: 'key', users }, 'ssh.public-key', /agent\.users\.deploy\.keys\[0\] is a DSA key/)
})

t.test('the greeting says nothing of what stands here', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' })
  const socket = connect(gate.port, '127.0.0.1')
  const [greeting] = (await once(socket, 'data')) as [Buffer]
  t.equal(greeting.toString().split('\r\n')[0], 'SSH-2.0-OpenSSH_9.9')
  socket.destroy()
})
