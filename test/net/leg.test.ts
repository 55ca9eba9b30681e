import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls'
import fc from 'fast-check'
import t from 'tap'
import { adopt, dial, type Handlers, type Leg } from '../../src/net/leg.ts'
import { useStaticReads } from '../../src/net/reads.ts'
import { testStaticReads } from '../../src/net/selftest.ts'

const INFLIGHT = { inFlight: 64 * 1024 }

/** Collects what a leg hears; `over` settles when it is gone. */
function listener(onChunk: (bytes: Buffer) => void = () => {}, onEnd: () => void = () => {}) {
  const chunks: Buffer[] = []
  const over = Promise.withResolvers<Error | null>()
  let ended = false
  const handlers: Handlers = {
    chunk(bytes) {
      chunks.push(Buffer.from(bytes))
      onChunk(bytes)
    },
    end() {
      ended = true
      onEnd()
    },
    drain() {},
    close: (error) => over.resolve(error),
  }
  return { handlers, over: over.promise, text: () => Buffer.concat(chunks), ended: () => ended }
}

async function serve(accept: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, accept)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, port: (server.address() as AddressInfo).port }
}

const dialTo = (port: number, handlers: Handlers) =>
  dial({ host: '127.0.0.1', port, timeout: 2_000 }, handlers, INFLIGHT)

async function echoServer() {
  return serve((socket) => {
    const heard = listener(
      (bytes) => leg.write(Buffer.from(bytes)),
      () => leg.end(),
    )
    const leg = adopt(socket, heard.handlers, INFLIGHT)
  })
}

for (const [name, on] of [
  ['static', true],
  ['plain', false],
] as const) {
  t.test(`with ${name} reads`, async (t) => {
    t.before(() => useStaticReads(on))

    t.test('whatever is written comes back byte for byte from many connections at once', async (t) => {
      const { server, port } = await echoServer()
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(fc.uint8Array({ maxLength: 100_000 }), { maxLength: 5 }), { minLength: 1, maxLength: 6 }),
          async (conversations) => {
            await Promise.all(
              conversations.map(async (writes) => {
                const heard = listener()
                const leg = await dialTo(port, heard.handlers)
                for (const bytes of writes) leg.write(bytes)
                leg.end()
                t.equal(await heard.over, null)
                t.ok(heard.text().equals(Buffer.concat(writes)))
              }),
            )
          },
        ),
        { numRuns: 15 },
      )
      server.close()
    })

    t.test('a half-closed peer still hears the answer', async (t) => {
      const { server, port } = await serve((socket) => {
        const heard = listener(undefined, () => leg.end(Buffer.from('late answer')))
        const leg = adopt(socket, heard.handlers, INFLIGHT)
      })
      const heard = listener()
      const leg = await dialTo(port, heard.handlers)
      leg.end()
      t.equal(await heard.over, null)
      t.equal(heard.text().toString(), 'late answer')
      t.ok(heard.ended())
      server.close()
    })

    t.test('a paused leg hears nothing until every reason is gone', async (t) => {
      const { server, port } = await serve((socket) => socket.resume().write('hello'))
      const heard = listener()
      const leg = await dialTo(port, heard.handlers)
      leg.pause('slow')
      leg.pause('held')
      await delay(30)
      leg.resume('slow')
      await delay(30)
      const before = heard.text().length
      leg.resume('held')
      await delay(30)
      t.equal(before, 0)
      t.equal(heard.text().toString(), 'hello')
      leg.destroy()
      await heard.over
      server.close()
    })

    t.test('a handler that throws ends the leg with its cause and not the process', async (t) => {
      const { server, port } = await serve((socket) => socket.resume().write('boom'))
      const heard = listener(() => {
        throw new Error('lost my place')
      })
      await dialTo(port, heard.handlers)
      const error = await heard.over
      t.match(error, { code: 'net.handler', cause: { message: 'lost my place' } })
      server.close()
    })

    t.test('TLS begins on the same connection after plain bytes', async (t) => {
      const { cert, key } = certificate(t)
      const { server, port } = await serve((socket) => {
        const heard = listener((bytes) => {
          if (bytes.toString() !== 'starttls') {
            leg.write(Buffer.from(`secret ${bytes.toString()}`))
            return
          }
          leg.write(Buffer.from('S'))
          const secureContext = createSecureContext({ cert, key })
          void leg.secure('secure', (plain) => new TLSSocket(plain, { isServer: true, secureContext }))
        })
        const leg = adopt(socket, heard.handlers, INFLIGHT)
      })
      const done = Promise.withResolvers<string>()
      const heard = listener((bytes) => {
        if (bytes.toString() !== 'S') return done.resolve(bytes.toString())
        void leg
          .secure('secureConnect', (socket) => connectTls({ socket, ca: cert, servername: 'localhost' }))
          .then(() => leg.write(Buffer.from('word')))
      })
      const leg: Leg = await dialTo(port, heard.handlers)
      leg.write(Buffer.from('starttls'))
      t.equal(await done.promise, 'secret word')
      leg.destroy()
      t.equal(await heard.over, null)
      server.close()
    })

    t.test('TLS begins with a hello that was read already', async (t) => {
      const { cert, key } = certificate(t)
      const { server, port } = await serve((socket) => {
        const heard = listener((hello) => {
          leg.handlers = listener((bytes) => leg.write(Buffer.from(bytes))).handlers
          const secureContext = createSecureContext({ cert, key })
          void leg.secure('secure', (plain) => new TLSSocket(plain, { isServer: true, secureContext }), hello)
        })
        const leg = adopt(socket, heard.handlers, INFLIGHT)
      })
      const client = connectTls({ port, host: '127.0.0.1', ca: cert, servername: 'localhost' })
      client.write('direct')
      const [answer] = await new Promise<[Buffer]>((resolve) =>
        client.once('data', (...bytes: [Buffer]) => resolve(bytes)),
      )
      t.equal(answer.toString(), 'direct')
      client.destroy()
      server.close()
    })

    t.test('a failed TLS handshake is an error of the leg', async (t) => {
      const { cert, key } = certificate(t)
      const failed = Promise.withResolvers<unknown>()
      const { server, port } = await serve((socket) => {
        const heard = listener((hello) => {
          const secureContext = createSecureContext({ cert, key })
          leg
            .secure('secure', (plain) => new TLSSocket(plain, { isServer: true, secureContext }), hello)
            .catch(failed.resolve)
        })
        const leg = adopt(socket, heard.handlers, INFLIGHT)
      })
      const heard = listener(undefined, () => leg.end())
      const leg: Leg = await dialTo(port, heard.handlers)
      leg.write(Buffer.from('this is no hello'))
      t.match(await failed.promise, { code: /^ERR_SSL_/ })
      await heard.over
      server.close()
    })
  })
}

t.test('static reads pass their own test on this Node', async (t) => {
  t.equal(await testStaticReads(), true)
})

t.test('a target that refuses connections is said to be unreachable', async (t) => {
  const { server, port } = await serve(() => {})
  await new Promise((resolve) => server.close(resolve))
  await t.rejects(dialTo(port, listener().handlers), { code: 'net.unreachable' })
})

t.test('a target that never answers is given up after the timeout, or before', async (t) => {
  const port = await stuckPort(t)
  await t.rejects(dial({ host: '127.0.0.1', port, timeout: 50 }, listener().handlers, INFLIGHT), {
    code: 'net.timeout',
  })
  const signal = AbortSignal.timeout(20)
  const attempt = dial({ host: '127.0.0.1', port, timeout: 5_000, signal }, listener().handlers, INFLIGHT)
  await t.rejects(attempt, { code: 'net.aborted' })
})

/** A port whose process sleeps and whose backlog is full: the kernel drops every further SYN. */
async function stuckPort(t: { teardown(undo: () => void): void }): Promise<number> {
  const script = `const s = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 },
    () => console.log(s.address().port))`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  child.kill('SIGSTOP')
  const port = Number(said.toString())
  const fillers = Array.from({ length: 8 }, () => new Socket().on('error', () => {}).connect(port, '127.0.0.1'))
  t.teardown(() => {
    for (const filler of fillers) filler.destroy()
    child.kill('SIGKILL')
  })
  await delay(50)
  return port
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function certificate(t: { teardown(undo: () => void): void }): { cert: Buffer; key: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-net-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  execFileSync('openssl', [...make, ...name, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { cert: readFileSync(cert), key: readFileSync(key) }
}
