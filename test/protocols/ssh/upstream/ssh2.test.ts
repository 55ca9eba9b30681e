import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import t, { type Test } from 'tap'
import type { UpstreamLeg } from '../../../../src/protocols/ssh/legs.ts'
import { checkSsh2, KexInit, SSH2_VERSION } from '../../../../src/protocols/ssh/upstream/ssh2/inside.ts'
import { makeSshKey, signSshKey } from '../../../support/ssh-keys.ts'
import { startSshd } from '../../../support/sshd.ts'
import { connect, directory, end, refusalOf, run, targetOf } from './dialing.ts'
import { type HostOptions, hostKey, insideOf, startHost, targetAt } from './host.ts'

const require = createRequire(import.meta.url)

/** What was read of ssh2, and is relied on. Where one of these differs, `upstream/ssh2.ts` must be read beside it again. */
const READ = {
  'client.js': 'edd3484daa9d942bc5a6412edc9cf11f',
  'Channel.js': '53e92988a025009b192b72be110bd240',
  'utils.js': 'bbae8286bc64b049499ce353e8dc4eef',
  'protocol/Protocol.js': 'c1104b49087de7a91cd3ffaac8807c05',
  'protocol/kex.js': '054ba4b81801596350f0e2e939746d29',
  'protocol/handlers.misc.js': '8927c504c3c338187f36f0304a3452d6',
  'protocol/utils.js': '402b39e75ede9e3dc99af5e8af008602',
  'protocol/zlib.js': '8cd9f4c1825cbc394ddf9cf076a5ba91',
}

t.test('The inside of ssh2 is the one that was read', (t) => {
  t.doesNotThrow(checkSsh2)
  t.match(require('ssh2/package.json'), { version: SSH2_VERSION })
  for (const [file, hash] of Object.entries(READ)) {
    const text = readFileSync(require.resolve(`ssh2/lib/${file}`))
    t.equal(createHash('sha256').update(text).digest('hex').slice(0, 32), hash, file)
  }
  t.end()
})

const accepting: HostOptions['authenticate'] = (context) => context.accept()

async function hostWith(t: Test, options: Partial<HostOptions>) {
  const host = await startHost({ authenticate: accepting, ...options })
  t.teardown(() => host.close())
  return host
}

/** What ssh2's server signs and shows by, of a private key that is not the host's. */
async function thiefsKey() {
  const { file } = await makeSshKey(join(directory, `thief-${Math.random()}`))
  const parsed = ssh2.utils.parseKey(readFileSync(file))
  if (parsed instanceof Error) throw parsed
  return parsed
}

const blobOf = (line: string) => Buffer.from(line.split(' ')[1] ?? '', 'base64')

t.test('A host that shows the pinned key, and does not hold it, is not logged in to', async (t) => {
  const thief = await thiefsKey()
  let asked = false
  const host = await hostWith(t, {
    authenticate: () => {
      asked = true
    },
    connected: (_, inside) => {
      const shown = Object.assign(Object.create(thief) as object, { getPublicSSH: () => blobOf(hostKey.line) })
      Object.assign(inside, { _hostKeys: { 'ssh-ed25519': shown } })
    },
  })
  const message = 'the target does not hold the key that it showed'
  t.match(await refusalOf(connect(targetAt(host))), { code: 'upstream.untrusted', message })
  t.notOk(asked, 'it never saw a login')
})

interface Lists {
  readonly lists: { readonly kex: { array: string[] }; readonly cs: never }
}

/** A host that shows a certificate, and signs by a key of its choice under the name of an algorithm. */
async function certifiedHost(t: Test, certificate: Buffer, signs: object, algorithm: string) {
  const name = 'ssh-ed25519-cert-v01@openssh.com'
  return await hostWith(t, {
    connected: (_, inside) => {
      const { kex } = (inside['_offer'] as Lists).lists
      const both = { cipher: ['aes128-gcm@openssh.com'], mac: ['hmac-sha2-256'], compress: ['none'], lang: [] }
      let exchange: { negotiated: { serverHostKey: string } } | undefined
      const shown = Object.assign(Object.create(signs) as object, { getPublicSSH: () => certificate })
      Object.assign(inside, {
        _offer: new KexInit({ kex: kex.array, serverHostKey: [name], cs: both, sc: both }),
        _hostKeys: { [algorithm]: shown },
      })
      Object.defineProperty(inside, '_kex', {
        get: () => exchange,
        set: (made: typeof exchange) => {
          exchange = made
          if (made !== undefined) made.negotiated.serverHostKey = algorithm
        },
      })
    },
  })
}

t.test('A certificate proves only him who holds its key', async (t) => {
  const authority = await makeSshKey(join(directory, 'host-authority'))
  const certificate = await signSshKey(authority.file, hostKey, { kind: 'host', principals: ['127.0.0.1'] })
  const blob = blobOf(readFileSync(certificate, 'utf8'))
  const owner = ssh2.utils.parseKey(readFileSync(hostKey.file))
  if (owner instanceof Error) throw owner
  const at = ({ port }: { port: number }) =>
    targetOf({
      upstream: { host: '127.0.0.1', port, hostAuthorities: [authority.line] },
      credential: { user: 'deploy' },
    })

  const honest = await certifiedHost(t, blob, owner, 'ssh-ed25519')
  const leg = await connect(at(honest))
  t.equal(leg.host.by, 'authority')
  await end(leg)

  const stolen = await certifiedHost(t, blob, await thiefsKey(), 'ssh-ed25519')
  const message = 'the target does not hold the key that it showed'
  t.match(await refusalOf(connect(at(stolen))), { code: 'upstream.untrusted', message })

  const misnamed = await certifiedHost(t, blob, owner, 'ssh-ed25519-cert-v01@openssh.com')
  t.match(await refusalOf(connect(at(misnamed))), { code: 'upstream.untrusted', message })

  const forged = Buffer.from(blob)
  forged.writeUInt8(forged.readUInt8(forged.length - 1) ^ 1, forged.length - 1)
  const forger = await certifiedHost(t, forged, owner, 'ssh-ed25519')
  t.match(await refusalOf(connect(at(forger))), { code: 'upstream.untrusted', message: /signature of the certificate/ })

  const garbled = await certifiedHost(t, blob.subarray(0, -9), owner, 'ssh-ed25519')
  t.match(await refusalOf(connect(at(garbled))), { code: 'upstream.untrusted', message: /cannot be read/ })
})

function closing({ client }: UpstreamLeg): Promise<void> {
  return new Promise((resolve) => {
    client.once('close', () => resolve())
  })
}

/** What happens to a leg whose host does something. */
async function endOf(leg: UpstreamLeg): Promise<Error | null> {
  let failure: Error | null = null
  leg.client.on('error', (error: Error) => {
    failure ??= error
  })
  await closing(leg)
  return failure
}

type Sends = Record<string, (...values: unknown[]) => void>

t.test('A host that takes packets of no size, or of a byte, is left before anything is written', async (t) => {
  for (const size of [0, 1, 1023]) {
    const host = await hostWith(t, {
      connected: (_, inside) => {
        const protocol = inside as Sends
        const confirm = protocol['channelOpenConfirm']?.bind(inside)
        protocol['channelOpenConfirm'] = (remote, local, window) => confirm?.(remote, local, window, size)
      },
    })
    const leg = await connect(targetAt(host))
    const ended = endOf(leg)
    leg.client.exec('anything', () => {})
    t.match(await ended, { message: `the host does not follow the protocol: packets of ${size} bytes` })
  }
})

for (const [what, misbehave, message] of [
  [
    'sends more than there is room for',
    (protocol: Sends) => {
      for (let sent = 0; sent < 200; sent++) protocol['channelData']?.(0, Buffer.alloc(32 * 1024))
    },
    /more data than there is room for/,
  ],
  [
    'sends data after its end',
    (protocol: Sends) => {
      protocol['channelEOF']?.(0)
      protocol['channelData']?.(0, Buffer.from('more'))
    },
    /data after its end/,
  ],
] as const) {
  t.test(`A host that ${what} is left`, async (t) => {
    const host = await hostWith(t, {
      exec: () => {
        const [connection] = host.connections
        if (connection !== undefined) misbehave(insideOf(connection) as Sends)
      },
    })
    const leg = await connect(targetAt(host))
    const ended = endOf(leg)
    leg.client.exec('anything', (_, channel) => {
      channel.on('error', () => {})
    })
    t.match(await ended, { message })
  })
}

t.test('Keys that a host announces are not asked for', async (t) => {
  const sshd = await startSshd({ settings: { LogLevel: 'DEBUG3' } })
  t.teardown(() => sshd.stop())
  const upstream = { host: sshd.host, port: sshd.port, hostKeys: sshd.hostKeys }
  const leg = await connect(targetOf({ upstream, credential: { user: sshd.user, privateKeyFile: sshd.client.file } }))
  t.equal(await run(leg, 'echo it runs'), 'it runs\n')
  await end(leg)
  t.match(sshd.log(), /notify_hostkeys: sent \d hostkeys/)
  t.notMatch(sshd.log(), 'hostkeys-prove-00@openssh.com')
})

t.test(
  'Keys are made anew while data flows in either direction, by us and by the host, and nothing is lost',
  async (t) => {
    const size = 12 * 1024 ** 2
    const pattern = createHash('sha256').update('pattern').digest()
    const data = Buffer.alloc(size, pattern)
    const hash = createHash('sha256').update(data).digest('hex')
    for (const [rekey, settings] of [
      ['1MiB', {}],
      ['1GiB', { RekeyLimit: '1M' }],
      ['700KiB', { RekeyLimit: '1M' }],
    ] as const) {
      const sshd = await startSshd({ settings, hostCertificate: ['127.0.0.1'] })
      t.teardown(() => sshd.stop())
      const upstream = { host: sshd.host, port: sshd.port, hostAuthorities: [sshd.hostAuthority.line] }
      const credential = { user: sshd.user, privateKeyFile: sshd.client.file }
      const leg = await connect(targetOf({ upstream, credential, limits: { rekey } }))
      let exchanges = 0
      leg.client.on('handshake', () => exchanges++)
      const back = await new Promise<Buffer>((resolve, reject) => {
        leg.client.exec('cat', (error, channel) => {
          if (error !== undefined) return reject(error)
          const chunks: Buffer[] = []
          channel.on('data', (chunk: Buffer) => chunks.push(chunk)).on('close', () => resolve(Buffer.concat(chunks)))
          channel.end(data)
        })
      })
      t.equal(createHash('sha256').update(back).digest('hex'), hash)
      t.ok(exchanges >= 8, `${exchanges} exchanges`)
      await end(leg)
    }
  },
)

t.test('A host that does not answer any more is given up after three questions', async (t) => {
  const host = await hostWith(t, {})
  const leg = await connect(targetAt(host, {}, { keepalive: '50ms' }))
  const ended = endOf(leg)
  await new Promise((resolve) => setTimeout(resolve, 400))
  const [connection] = host.connections
  const inside = connection === undefined ? {} : insideOf(connection)
  Object.assign(inside, { requestFailure: () => {} })
  t.match(await ended, { message: 'Keepalive timeout' })
})

t.test('A host that breaks off, in whatever way, ends the leg and not the process', async (t) => {
  for (const last of ['', 'garbage that is no packet at all, and long enough to be taken for one']) {
    const host = await hostWith(t, {})
    const leg = await connect(targetAt(host))
    const closed = closing(leg)
    const socket = (host.connections[0] as unknown as { _sock: Socket })._sock
    if (last === '') socket.destroy()
    else socket.write(last)
    await closed
    t.pass(last)
  }
})

t.test('A host that speaks without end before its greeting is given up', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    const chatter = setInterval(() => socket.write('chatter\r\n'.repeat(1_000)), 1)
    socket.on('close', () => clearInterval(chatter))
  })
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve())
  })
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  t.match(await refusalOf(connect(targetAt({ port }))), { code: 'upstream.unavailable' })
})
