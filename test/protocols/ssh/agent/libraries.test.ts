/** Libraries log in each in their own way: paramiko, asyncssh, ssh2 and PuTTY, with every proof that they know. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import t from 'tap'
import { parsePublicKey } from '../../../../src/config/public-key.ts'
import { runClient } from '../../../support/ssh-clients.ts'
import { makeSshKey, signSshKey } from '../../../support/ssh-keys.ts'
import { type AgentGate, gateFor, scratch } from './gate.ts'
import { rawClient } from './raw.ts'

const directory = scratch()
const file = (name: string) => join(directory, name)

const TYPES = [{ type: 'ed25519' }, { type: 'ecdsa', bits: 521 }, { type: 'rsa', bits: 3072 }] as const

function python({ port }: AgentGate, library: 'paramiko' | 'asyncssh', how: string, secret: string) {
  const script = join(import.meta.dirname, 'login.py')
  return runClient('/usr/bin/python3', [script, library, '127.0.0.1', String(port), 'deploy', how, secret])
}

t.test('keys of every type open the gate to every library', async (t) => {
  const keys = await Promise.all(TYPES.map((kind) => makeSshKey(file(`key-${kind.type}`), kind)))
  const gate = await gateFor(t, { authenticate: 'key', users: { deploy: { keys: keys.map(({ line }) => line) } } })
  const { blob } = parsePublicKey(gate.side.knownHostsLine.slice(2))
  for (const key of keys) {
    for (const library of ['paramiko', 'asyncssh'] as const) {
      const { stdout, stderr } = await python(gate, library, 'key', key.file)
      t.equal(stdout.toString(), 'key deploy: hello\n', `${library} ${key.line.slice(0, 20)}: ${stderr}`)
    }
    await runClient('puttygen', [key.file, '-O', 'private', '-o', `${key.file}.ppk`])
    const hostkey = `SHA256:${gate.side.fingerprint.slice('SHA256:'.length)}`
    const args = [
      '-batch',
      '-P',
      String(gate.port),
      '-hostkey',
      hostkey,
      '-i',
      `${key.file}.ppk`,
      'deploy@127.0.0.1',
      'hello',
    ]
    const { stdout, stderr } = await runClient('plink', args, { env: { HOME: directory } })
    t.equal(stdout.toString(), 'key deploy: hello\n', `plink ${key.line.slice(0, 20)}: ${stderr}`)
    const raw = await rawClient(gate.port, {
      username: 'deploy',
      privateKey: readFileSync(key.file),
      hostVerifier: (shown: Buffer) => shown.equals(blob),
    })
    t.equal(await raw.ready, true, `ssh2 ${key.line.slice(0, 20)}`)
    raw.client.end()
  }
})

t.test('asyncssh shows certificates', async (t) => {
  const authority = await makeSshKey(file('ca'))
  const gate = await gateFor(t, { authenticate: 'certificate', authorities: [authority.line] })
  for (const kind of TYPES) {
    const key = await makeSshKey(file(`certified-${kind.type}`), kind)
    await signSshKey(authority.file, key, { principals: ['deploy'] })
    const { stdout, stderr } = await python(gate, 'asyncssh', 'certificate', key.file)
    t.equal(stdout.toString(), 'certificate deploy: hello\n', `${kind.type}: ${stderr}`)
  }
})

t.test('a token is a password to every library, and a wrong one an ordinary failure', async (t) => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  writeFileSync(file('jwks'), JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256' }] }))
  const demands = { issuer: 'https://issuer.example', audience: 'ssh', keys: { file: file('jwks') } }
  const gate = await gateFor(t, { authenticate: 'jwt', ...demands, algorithms: ['ES256'] })
  const token = await new SignJWT({ padding: 'x'.repeat(3_000) })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(demands.issuer)
    .setAudience('ssh')
    .setSubject('agent-7')
    .setExpirationTime('5m')
    .sign(privateKey)
  for (const library of ['paramiko', 'asyncssh'] as const) {
    const { stdout, stderr } = await python(gate, library, 'password', token)
    t.equal(stdout.toString(), 'password deploy: hello\n', `${library}: ${stderr}`)
    const wrong = await python(gate, library, 'password', `${token}x`)
    t.equal(wrong.code, 1)
    t.match(wrong.stderr, /^(AuthenticationException|PermissionDenied): /, library)
  }
  const raw = await rawClient(gate.port, { username: 'deploy', password: token })
  t.equal(await raw.ready, true, 'ssh2')
  raw.client.end()
  const args = ['-batch', '-P', String(gate.port), '-hostkey', gate.side.fingerprint, '-pw', token, 'deploy@127.0.0.1']
  const { stdout, stderr } = await runClient('plink', [...args, 'hello'], { env: { HOME: directory } })
  t.equal(stdout.toString(), 'password deploy: hello\n', `plink: ${stderr}`)
})

t.test('without a proof to give, scripts that send one all the same work unchanged', async (t) => {
  const key = await makeSshKey(file('needless'), { type: 'rsa', bits: 2048 })
  const gate = await gateFor(t, { authenticate: 'none' })
  const ways = [
    ['paramiko', 'password', 'whatever'],
    ['paramiko', 'key', key.file],
    ['asyncssh', 'none', '-'],
    ['asyncssh', 'key', key.file],
    ['asyncssh', 'password', 'whatever'],
  ] as const
  for (const [library, how, secret] of ways) {
    const { stdout, stderr } = await python(gate, library, how, secret)
    t.equal(stdout.toString(), 'none deploy: hello\n', `${library} ${how}: ${stderr}`)
  }
})
