import { X509Certificate } from 'node:crypto'
import { connect, createServer } from 'node:tls'
import t from 'tap'
import { Authority } from '../../src/net/authority.ts'

const NAMES = ['kubernetes', 'kubernetes.default.svc', '127.0.0.1', '::1']

t.test(
  'a certificate holds for the names it was issued for, and is signed by an authority that may sign no other',
  async (t) => {
    const authority = Authority.create('sidegate test')
    const root = new X509Certificate(authority.certificate)
    const issued = authority.issue(NAMES)
    const own = new X509Certificate(issued.cert)
    t.ok(root.ca)
    t.ok(root.verify(root.publicKey))
    t.notOk(own.ca)
    t.ok(own.checkIssued(root))
    t.ok(own.verify(root.publicKey))
    t.ok(own.checkHost('kubernetes.default.svc'))
    t.ok(own.checkIP('::1'))
    t.notOk(own.checkHost('kubernetes.default'))
    t.ok(new Date(own.validFrom).getTime() < Date.now())
    t.equal(Math.floor(new Date(own.validTo).getTime() / 1000), Math.floor(issued.expiresAt / 1000))
    t.not(own.serialNumber, new X509Certificate(authority.issue(NAMES).cert).serialNumber)
  },
)

t.test('a client that trusts the authority connects by each name, and one that trusts another does not', async (t) => {
  const authority = Authority.create('sidegate test')
  const { cert, key } = authority.issue(NAMES)
  const server = createServer({ cert, key }, (socket) => socket.end('hello'))
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const attempt = async (ca: string, servername: string) =>
    await new Promise<string>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, ca, servername }, () => resolve('connected'))
      socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message))
      socket.resume()
    })
  t.equal(await attempt(authority.certificate, 'kubernetes'), 'connected')
  t.equal(await attempt(authority.certificate, ''), 'connected', 'by address, as clients inside a cluster do')
  t.equal(await attempt(authority.certificate, 'elsewhere'), 'ERR_TLS_CERT_ALTNAME_INVALID')
  t.not(await attempt(Authority.create('other').certificate, 'kubernetes'), 'connected')
})
