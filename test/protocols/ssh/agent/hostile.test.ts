/** Agents that do not mean well, or whose network does not. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import ssh2, { type AnyAuthMethod, type Connection as Client, type ParsedKey } from 'ssh2'
import t, { type Test } from 'tap'
import { ssh } from '../../../support/ssh-clients.ts'
import { makeSshKey, signSshKey } from '../../../support/ssh-keys.ts'
import type { AgentLeg } from '../../../../src/protocols/ssh/legs.ts'
import { gateFor, scratch } from './gate.ts'
import { rawClient } from './raw.ts'

const directory = scratch()
const file = (name: string) => join(directory, name)

/** An ssh-agent that shows one key and signs by whatever the test says. */
function lyingAgent(publicKey: string, signature: (data: Buffer) => Buffer) {
  const key = ssh2.utils.parseKey(publicKey)
  if (key instanceof Error) throw key
  class Lying extends ssh2.BaseAgent {
    override getIdentities(done: (error: undefined, keys: ParsedKey[]) => void): void {
      done(undefined, [key as ParsedKey])
    }

    override sign(_: unknown, data: Buffer, ...rest: unknown[]): void {
      const done = rest.at(-1) as (error: undefined, signature: Buffer) => void
      done(undefined, signature(data))
    }
  }
  return new Lying()
}

t.test('whoever knows a public key and not its private half does not get in', async (t) => {
  for (const type of ['ed25519', 'ecdsa', 'rsa'] as const) {
    const known = await makeSshKey(file(`known-${type}`), type === 'rsa' ? { type, bits: 2048 } : { type })
    const own = await makeSshKey(file(`own-${type}`), type === 'rsa' ? { type, bits: 2048 } : { type })
    const gate = await gateFor(t, { authenticate: 'key', users: { deploy: { keys: [known.line] } } })
    const mine = ssh2.utils.parseKey(readFileSync(own.file))
    if (mine instanceof Error) throw mine
    const forgeries = {
      'another key’s': (data: Buffer) => mine.sign(data, type === 'rsa' ? 'sha256' : undefined),
      noise: () => randomBytes(64),
      empty: () => Buffer.alloc(0),
    }
    for (const [name, forge] of Object.entries(forgeries)) {
      const agent = lyingAgent(known.line, forge)
      const raw = await rawClient(gate.port, {
        username: 'deploy',
        authHandler: [{ type: 'agent', username: 'deploy', agent }] as unknown as AnyAuthMethod[],
      })
      t.equal(await raw.ready, false, `${type}, ${name}`)
      const outcome = await gate.next()
      t.not(outcome.kind, 'session', `${type}, ${name}`)
    }
    // The same way is open to who does hold it.
    const held = ssh2.utils.parseKey(readFileSync(known.file))
    if (held instanceof Error) throw held
    const raw = await rawClient(gate.port, { username: 'deploy', privateKey: readFileSync(known.file) })
    t.equal(await raw.ready, true, type)
    raw.client.end()
  }
})

/** A client that never heard of RFC 8308, and so signs as RSA always has. */
async function signedWithSha1(port: number, key: string) {
  const raw = await rawClient(port, { username: 'deploy', privateKey: readFileSync(key) })
  raw.protocol._handlers['EXT_INFO'] = () => {}
  const error = !(await raw.ready)
  return { error, told: raw.banners.join('') }
}

t.test('RSA with SHA-1 proves nothing', async (t) => {
  const key = await makeSshKey(file('sha1'), { type: 'rsa', bits: 2048 })
  const gate = await gateFor(t, { authenticate: 'key', users: { deploy: { keys: [key.line] } } })
  const client = gate.client('deploy', { PubkeyAcceptedAlgorithms: 'ssh-rsa', LogLevel: 'INFO' }, key.file)
  const { code, stderr } = await ssh(client, ['there', 'hello'])
  t.equal(code, 255)
  t.match(stderr, 'Permission denied (publickey)', 'OpenSSH does not even try')
  const { error, told } = await signedWithSha1(gate.port, key.file)
  t.equal(error, true)
  t.match(
    told,
    'sidegate: the key signs with SHA-1, which is not taken [identity.invalid]\r\nsidegate: sign with rsa-sha2-256',
  )
  for (const algorithm of ['rsa-sha2-512', 'rsa-sha2-256']) {
    const strong = gate.client('deploy', { PubkeyAcceptedAlgorithms: algorithm }, key.file)
    t.equal((await ssh(strong, ['there', 'hello'])).code, 0, algorithm)
  }
  const authority = await makeSshKey(file('sha1-ca'), { type: 'rsa', bits: 2048 })
  const certificate = await signSshKey(authority.file, key, { principals: ['deploy'] })
  const certified = await gateFor(t, { authenticate: 'certificate', authorities: [authority.line] })
  const weak = certified.client(
    'deploy',
    { CertificateFile: certificate, PubkeyAcceptedAlgorithms: 'ssh-rsa-cert-v01@openssh.com,ssh-rsa' },
    key.file,
  )
  t.equal((await ssh(weak, ['there', 'hello'])).code, 255)
})

t.test('the attempts of a connection are counted, and the last one ends it with a reason', async (t) => {
  const gate = await gateFor(t, { authenticate: 'key', users: {} }, { limits: { attempts: 6 } })
  let sent = 0
  const raw = await rawClient(gate.port, {
    username: 'deploy',
    authHandler: () => (++sent > 40 ? false : { type: 'password', username: 'deploy', password: `guess ${sent}` }),
  })
  t.equal(await raw.ready, false)
  t.equal(sent, 6)
  t.match(raw.errors, [/too many attempts to log in: .*\[identity\.missing\]/])
  t.match(await gate.next(), { kind: 'refused', refusal: { code: 'identity.missing' } })
})

t.test('asking what there is costs no attempt, and cannot be asked for ever', async (t) => {
  const gate = await gateFor(t, { authenticate: 'key', users: {} }, { limits: { attempts: 2 } })
  let sent = 0
  const raw = await rawClient(gate.port, {
    username: 'deploy',
    authHandler: () => (++sent > 100 ? false : { type: 'none', username: 'deploy' }),
  })
  t.equal(await raw.ready, false)
  t.equal(sent, 9)
})

t.test('a login name that is not text logs nobody in', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' })
  for (const username of ['', 'a\0b', 'a\nb', 'a\uFFFDb', 'x'.repeat(257)]) {
    const raw = await rawClient(gate.port, { username, authHandler: ['none'] }).catch(() => null)
    if (raw === null) continue
    t.equal(await raw.ready, false, JSON.stringify(username))
  }
})

t.test('a client that sends its password without being asked is let in where nothing is to be proven', async (t) => {
  const key = await makeSshKey(file('unasked'))
  const gate = await gateFor(t, { authenticate: 'none' })
  const methods: AnyAuthMethod[] = [
    { type: 'password', username: 'deploy', password: 'whatever' },
    { type: 'publickey', username: 'deploy', key: readFileSync(key.file) },
    { type: 'keyboard-interactive', username: 'deploy', prompt: (_1, _2, _3, _4, done) => done([]) },
  ]
  for (const method of methods) {
    const raw = await rawClient(gate.port, { username: 'deploy', authHandler: [method] })
    t.equal(await raw.ready, true, method.type)
    const outcome = await gate.next()
    t.match(outcome, { kind: 'session', leg: { proven: { method: 'none' } } })
    raw.client.end()
  }
})

t.test('an attempt that was given up for another lets nobody in, though its token was right', async (t) => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  writeFileSync(file('jwks'), JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256' }] }))
  const demands = { issuer: 'https://issuer.example', audience: 'ssh', keys: { file: file('jwks') } }
  const gate = await gateFor(t, { authenticate: 'jwt', ...demands, algorithms: ['ES256'] })
  const claims = new SignJWT({}).setProtectedHeader({ alg: 'ES256' }).setIssuer(demands.issuer).setAudience('ssh')
  const token = await claims.setSubject('agent-7').setExpirationTime('5m').sign(privateKey)
  const both: AnyAuthMethod = {
    type: 'keyboard-interactive',
    username: 'deploy',
    prompt: (_1, _2, _3, _4, answer) => {
      raw.socket.cork()
      answer([token])
      raw.protocol.authPassword('deploy', 'no token')
      raw.socket.uncork()
    },
  }
  const raw = await rawClient(gate.port, { username: 'deploy', authHandler: [both] })
  t.equal(await raw.ready, false)
  t.match(await gate.next(), { kind: 'refused', refusal: { code: 'identity.invalid' } })
})

/** What a peer sees until its connection ends. */
async function talk(port: number, ...pieces: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const seen: Buffer[] = []
  socket.on('data', (chunk: Buffer) => seen.push(chunk)).on('error', () => {})
  await once(socket, 'connect')
  for (const piece of pieces) {
    if (socket.writable) socket.write(piece)
    await sleep(2)
  }
  if (!socket.destroyed) await once(socket, 'close')
  return Buffer.concat(seen).toString('latin1')
}

t.test('what is no SSH is let go at once', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' })
  const started = Date.now()
  for (const garbage of [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'SSH-1.5-old\r\n',
    Buffer.from('16030100f1010000ed0303', 'hex').toString('latin1') + '\n',
    '\r\n\r\n\r\n',
    'x'.repeat(300),
    `SSH-2.0-${'x'.repeat(300)}\r\n`,
    'SSH-2.0-x\r\n' + 'not a packet at all, and long enough to be one\r\n'.repeat(10),
  ]) {
    await talk(gate.port, garbage)
    t.match(await gate.next(), { kind: 'lost' }, JSON.stringify(garbage.slice(0, 40)))
  }
  t.ok(Date.now() - started < 10_000, 'none of them had to be waited for')
})

t.test('whatever bytes come first, in whatever pieces, the connection ends and nothing else does', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' }, { limits: { handshake: '150ms' } })
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.uint8Array({ maxLength: 200 }).map((tail) => Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), tail])),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 3 }), async (pieces) => {
      await talk(gate.port, ...pieces)
      t.equal((await gate.next()).kind, 'lost')
    }),
    { numRuns: 30 },
  )
})

t.test('a login that stalls ends at its grace, wherever it stalls', async (t) => {
  const gate = await gateFor(t, { authenticate: 'key', users: {} }, { limits: { handshake: '200ms' } })
  const grace = async (name: string, stall: () => Promise<unknown>) => {
    const started = Date.now()
    await stall()
    const outcome = await gate.next()
    t.match(outcome, { kind: 'lost', error: { code: 'net.timeout' } }, name)
    const took = Date.now() - started
    t.ok(took >= 150 && took < 1_900, `${name}: after ${took} ms`)
  }
  await grace('says nothing', () => talk(gate.port))
  await grace('says half a greeting', () => talk(gate.port, 'SSH-2.0-'))
  await grace('says only a greeting', () => talk(gate.port, 'SSH-2.0-x\r\n'))
  await grace('drips', () => talk(gate.port, ...Array.from('SSH-2.0-' + 'x'.repeat(200))))
  await grace('does not log in', async () => {
    const raw = await rawClient(gate.port, { username: 'deploy', authHandler: () => {} })
    await raw.closed
    t.match(raw.errors, [/sidegate: the login took too long/])
  })
})

t.test('an agent that half closes or resets before it has logged in is gone at once', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' })
  const half = connect({ port: gate.port, host: '127.0.0.1', allowHalfOpen: true })
  half.end('SSH-2.0-x\r\n')
  half.resume()
  t.match(await gate.next(), { kind: 'lost' })
  half.destroy()
  const reset = connect({ port: gate.port, host: '127.0.0.1' })
  await once(reset, 'data')
  reset.resetAndDestroy()
  t.match(await gate.next(), { kind: 'lost' })
})

/** Passes bytes on one by one, each in a packet of its own. */
async function byteByByte(t: Test, port: number): Promise<number> {
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true })
    relay(near, far)
    far.pipe(near)
    for (const socket of [near, far]) socket.on('error', () => socket.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

function relay(near: Socket, far: Socket): void {
  let queue: Promise<void> = Promise.resolve()
  near.on('data', (chunk: Buffer) => {
    queue = pass(queue, chunk, far)
  })
  near.on('end', () => {
    queue = pass(queue, Buffer.alloc(0), far).finally(() => far.end())
  })
}

async function pass(before: Promise<void>, chunk: Buffer, far: Socket): Promise<void> {
  await before
  for (const byte of chunk) {
    if (!far.writable) return
    far.write(Buffer.of(byte))
    await new Promise(setImmediate)
  }
}

t.test('a login goes through whose bytes come one by one', async (t) => {
  const key = await makeSshKey(file('split'))
  const gate = await gateFor(t, { authenticate: 'key', users: { deploy: { keys: [key.line] } } })
  const port = await byteByByte(t, gate.port)
  const client = gate.client('deploy', { Port: String(port), StrictHostKeyChecking: 'no' }, key.file)
  const { code, stdout } = await ssh(client, ['-p', String(port), 'there', 'hello'])
  t.equal(stdout.toString(), 'key deploy: hello\n')
  t.equal(code, 0)
})

t.test('what an agent opens before its session begins is not lost, and comes in order', async (t) => {
  const asked: string[] = []
  const gate = await gateFor(
    t,
    { authenticate: 'none' },
    {
      serve: ({ client }) => {
        // As long as it takes to reach the host.
        setTimeout(() => {
          client.on('session', (accept) => {
            accept().on('exec', (acceptExec, _, { command }) => {
              asked.push(command)
              const channel = acceptExec()
              channel.exit(0)
              channel.end(`${command}\n`)
            })
          })
          client.on('request', (accept, _, name) => {
            asked.push(name)
            accept?.()
          })
        }, 150)
      },
    },
  )
  const client = gate.client('deploy', { ExitOnForwardFailure: 'yes' })
  const { code, stdout } = await ssh(client, ['-R', '127.0.0.1:7777:127.0.0.1:7', 'there', 'hello'])
  t.equal(stdout.toString(), 'hello\n')
  t.equal(code, 0)
  t.strictSame(asked, ['tcpip-forward', 'hello'])
})

t.test('an agent that sends ahead without end is let go', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' }, { serve: () => {} })
  const raw = await rawClient(gate.port, { username: 'deploy' })
  t.equal(await raw.ready, true)
  for (let n = 0; n < 40_000 && !raw.socket.destroyed; n++) raw.protocol.session(n, 1024 ** 2, 32 * 1024)
  await raw.closed
  t.pass('it ended')
})

t.test('packets of no size are not asked for', async (t) => {
  let sessions = 0
  const gate = await gateFor(
    t,
    { authenticate: 'none' },
    {
      serve: ({ client }) => {
        client.on('session', (accept) => {
          sessions++
          accept()
        })
      },
    },
  )
  const raw = await rawClient(gate.port, { username: 'deploy' })
  await raw.ready
  const refused = new Promise<unknown[]>((resolve) => {
    raw.protocol._handlers['CHANNEL_OPEN_FAILURE'] = (_, ...args) => resolve(args)
  })
  raw.protocol.session(0, 1024 ** 2, 0)
  t.match(await refused, [0, 2, /packets of less than 1024 bytes are not sent/])
  t.equal(sessions, 0)
  raw.client.end()
})

t.test('an agent that sends more than there is room for is let go, and not half heard', async (t) => {
  const gate = await gateFor(
    t,
    { authenticate: 'none' },
    {
      serve: ({ client }) => {
        client.on('tcpip', (accept) => accept())
      },
    },
  )
  const raw = await rawClient(gate.port, { username: 'deploy' })
  await raw.ready
  const channel = await new Promise<{ outgoing: { id: number } }>((resolve, reject) => {
    raw.client.forwardOut('127.0.0.1', 1, '127.0.0.1', 2, (error, stream) =>
      error === undefined ? resolve(stream as unknown as { outgoing: { id: number } }) : reject(error),
    )
  })
  const chunk = Buffer.alloc(32 * 1024)
  for (let n = 0; n < 250; n++) raw.protocol.channelData(channel.outgoing.id, chunk)
  await raw.closed
  t.match(raw.errors, [/sidegate: more data than there is room for \[protocol\.violation\]/])
})

t.test('an agent with an endless window that does not read does not fill the memory', async (t) => {
  const gate = await gateFor(
    t,
    { authenticate: 'none' },
    {
      serve: ({ client }) => {
        client.on('session', (accept) => {
          accept().on('exec', (acceptExec) => {
            const channel = acceptExec()
            const chunk = Buffer.alloc(256 * 1024)
            const pump = () => {
              while (channel.writable && channel.write(chunk)) written += chunk.length
              channel.once('drain', pump)
            }
            pump()
          })
        })
      },
    },
  )
  let written = 0
  const raw = await rawClient(gate.port, { username: 'deploy' })
  await raw.ready
  raw.socket.pause()
  raw.protocol.session(0, 2 ** 32 - 1, 32 * 1024)
  raw.protocol.exec(0, 'yes', true)
  await sleep(300)
  const before = written
  await sleep(300)
  t.ok(before > 0 && before < 32 * 1024 ** 2, `${before} bytes were written`)
  t.equal(written, before, 'and no more')
  raw.socket.destroy()
})

t.test(
  'an agent that asks on and on behind a request that is held is let go, and few questions are not many',
  async (t) => {
    const held: (() => void)[] = []
    const serve = ({ client }: AgentLeg) => void client.on('request', (accept) => void held.push(accept ?? (() => {})))
    const gate = await gateFor(t, { authenticate: 'none' }, { serve })
    const raw = await rawClient(gate.port, { username: 'deploy' })
    await raw.ready
    raw.protocol.tcpipForward('127.0.0.1', 2000, true)
    for (let n = 0; n < 1000; n++) raw.protocol.ping()
    for (const deadline = Date.now() + 10_000; held.length === 0 && Date.now() < deadline;) await sleep(10)
    held[0]?.()
    for (let n = 0; n < 1000; n++) raw.protocol.ping()
    await sleep(100)
    t.equal(raw.socket.destroyed, false, 'those that are answered do not count')
    raw.protocol.tcpipForward('127.0.0.1', 2001, true)
    for (let n = 0; n < 3000; n++) raw.protocol.ping()
    await raw.closed
    t.pass('those that are not did')
  },
)

t.test('an agent that begins to exchange keys, and asks on and on instead, is let go', async (t) => {
  const gate = await gateFor(t, { authenticate: 'none' })
  const raw = await rawClient(gate.port, { username: 'deploy' })
  await raw.ready
  const { write } = raw.protocol._packetRW
  const { allocStart } = write
  raw.protocol.rekey()
  // It goes on as if it had asked for nothing, and hears nothing.
  raw.protocol._kexinit = undefined
  write.allocStart = allocStart
  raw.protocol._decipher._onPayload = () => {}
  let asked = 0
  for (; asked < 60_000 && !raw.socket.destroyed; asked++) {
    raw.protocol.ping()
    if (asked % 100 === 0) await sleep(1)
  }
  t.ok(raw.socket.destroyed, `it was let go after ${asked} questions`)
  t.ok(asked > 16_000, 'and not before they were many')
  raw.socket.destroy()
})

t.test('long transfers go on under new keys, both ways', async (t) => {
  const rekeys: number[] = []
  const gate = await gateFor(
    t,
    { authenticate: 'none' },
    {
      limits: { rekey: '1MiB' },
      serve: ({ client }) => {
        let count = 0
        client.on('rekey', () => count++)
        client.on('close', () => rekeys.push(count))
        client.on('session', (accept) => {
          accept().on('exec', (acceptExec) => {
            const channel = acceptExec()
            channel.on('data', (chunk: Buffer) => channel.write(chunk) || channel.pause())
            channel.on('drain', () => channel.resume())
            channel.on('end', () => {
              channel.exit(0)
              channel.end()
            })
          })
        })
      },
    },
  )
  const input = randomBytes(12 * 1024 ** 2)
  const { code, stdout } = await ssh(gate.client('deploy'), ['there', 'cat'], { input })
  t.equal(code, 0)
  t.equal(hash(stdout), hash(input))
  while (rekeys.length === 0) await sleep(10)
  t.ok((rekeys[0] ?? 0) >= 4, `${rekeys[0]} times`)
})

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

t.test('an agent that is gone without a word is noticed by its silence', async (t) => {
  const ended: Client[] = []
  const gate = await gateFor(
    t,
    { authenticate: 'none' },
    { limits: { keepalive: '100ms' }, serve: ({ client }) => void client.on('close', () => ended.push(client)) },
  )
  const raw = await rawClient(gate.port, { username: 'deploy' })
  await raw.ready
  raw.protocol._handlers['GLOBAL_REQUEST'] = () => {}
  const started = Date.now()
  while (ended.length === 0 && Date.now() - started < 5_000) await sleep(20)
  t.equal(ended.length, 1)
  raw.socket.destroy()
})
