/** What is agreed on with clients that want different things. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ssh } from '../../../support/ssh-clients.ts'
import { gateFor } from './gate.ts'
import { rawClient } from './raw.ts'

/** What OpenSSH says that it agreed on. */
function agreed(stderr: string): string[] {
  return [
    ...stderr.matchAll(/kex: (?:server->client|client->server) cipher: (\S+) MAC: (\S+) compression: (\S+)/g),
  ].map(([, ...words]) => words.join(' '))
}

t.test('OpenSSH as it comes gets AES-GCM, strict key exchange and curve25519', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' })
  const { code, stderr } = await ssh(gate.client('deploy', { LogLevel: 'DEBUG3' }), ['there', 'hello'])
  t.equal(code, 0)
  t.strictSame(new Set(agreed(stderr)), new Set(['aes128-gcm@openssh.com <implicit> none']))
  t.match(stderr, /kex: algorithm: curve25519-sha256/)
  t.match(stderr, 'will use strict KEX ordering')
  const announced = /server-sig-algs=<([^>]*)>/.exec(stderr)?.[1] ?? ''
  t.match(announced, 'ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256')
  t.notMatch(announced, /ssh-rsa|ssh-dss/)
})

t.test('who wants one cipher gets it, if it is a good one', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' })
  for (const Ciphers of ['aes256-gcm@openssh.com', 'aes128-ctr', 'aes192-ctr', 'aes256-ctr']) {
    const { code, stderr } = await ssh(gate.client('deploy', { Ciphers, LogLevel: 'DEBUG' }), ['there', 'hello'])
    t.equal(code, 0, Ciphers)
    t.ok(agreed(stderr).every((words) => words.startsWith(Ciphers)))
  }
  for (const MACs of [
    'hmac-sha2-256',
    'hmac-sha2-512',
    'hmac-sha2-256-etm@openssh.com',
    'hmac-sha2-512-etm@openssh.com',
  ]) {
    const client = gate.client('deploy', { Ciphers: 'aes256-ctr', MACs, LogLevel: 'DEBUG' })
    const { code, stderr } = await ssh(client, ['there', 'hello'])
    t.equal(code, 0, MACs)
    t.ok(agreed(stderr).every((words) => words.startsWith(`aes256-ctr ${MACs}`)))
  }
})

t.test('what is weak is not offered to anybody', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' })
  const weak = [
    { Ciphers: 'chacha20-poly1305@openssh.com' },
    { Ciphers: 'aes128-cbc' },
    { Ciphers: 'aes128-ctr', MACs: 'hmac-sha1' },
    { KexAlgorithms: 'diffie-hellman-group14-sha1' },
    { KexAlgorithms: 'diffie-hellman-group1-sha1' },
    { HostKeyAlgorithms: 'ssh-rsa' },
  ]
  for (const settings of weak) {
    const { code, stderr } = await ssh(gate.client('deploy', { ...settings, LogLevel: 'INFO' }), ['there', 'hello'])
    t.equal(code, 255, JSON.stringify(settings))
    t.match(stderr, /no matching (cipher|MAC|key exchange method|host key type) found/, JSON.stringify(settings))
  }
})

t.test('what only calls itself OpenSSH, and waits for us, is not waited for in turn', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' })
  const socket = connect(gate.port, '127.0.0.1')
  const seen: Buffer[] = []
  socket.on('data', (chunk: Buffer) => seen.push(chunk))
  await once(socket, 'connect')
  socket.write('SSH-2.0-OpenSSH_lookalike\r\n')
  for (let n = 0; n < 40 && Buffer.concat(seen).length < 100; n++) await sleep(50)
  t.match(Buffer.concat(seen).toString('latin1'), 'aes128-ctr', 'our offer, whole')
  socket.destroy()
  const raw = await rawClient(gate.port, { username: 'deploy', ident: 'OpenSSH_but_not_really' })
  t.equal(await raw.ready, true)
  raw.client.end()
  const broken = connect(gate.port, '127.0.0.1')
  broken.on('error', () => {})
  await once(broken, 'connect')
  broken.write('SSH-2.0-OpenSSH_9\r\n\0\0\0\x08\x04')
  await sleep(50)
  broken.write('garbage, and more than one packet of it'.repeat(8))
  await once(broken.resume(), 'close')
  t.pass('a packet that is no offer ends the connection as ever')
})
