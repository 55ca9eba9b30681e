import { isIP } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import {
  destinationText,
  readListener,
  readPath,
  readTarget,
} from '../../../../src/protocols/ssh/forwards/destination.ts'

function host(text: string): string | null {
  const read = readTarget(text, 80)
  return 'destination' in read ? read.destination.host : null
}

t.test('a name is taken in lower case, an address in its one text', async (t) => {
  t.equal(host('DB.Internal'), 'db.internal')
  t.equal(host('_srv-1.a'), '_srv-1.a')
  t.equal(host('LOCALHOST'), 'localhost')
  t.equal(host('10.0.0.1'), '10.0.0.1')
  t.equal(host('2001:0DB8::0:1'), '2001:db8::1')
  t.equal(host('127.0.0.1'), '127.0.0.1')
  t.equal(host('0:0:0:0:0:0:0:1'), '::1')
})

t.test('no text that a resolver would read as an address by itself is taken for a name', async (t) => {
  const part = fc.oneof(
    fc.nat(0xffff_ffff).map(String),
    fc.nat(0xffff_ffff).map((value) => `0x${value.toString(16)}`),
    fc.nat(0xffff_ffff).map((value) => `0${value.toString(8)}`),
    fc.constantFrom('0x', '0X7F', '00'),
  )
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.constantFrom('', '.'), (parts, dot) => {
      const text = parts.join('.') + dot
      const read = host(text)
      return read === null || (isIP(text) === 4 && read === text)
    }),
  )
  t.pass()
})

t.test('whatever text an agent sends, what is taken is a plain name or an address, and reads as itself', async (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.domain(), fc.ipV4(), fc.ipV6()), (text) => {
      const read = host(text)
      return read === null || (/^[a-z0-9_.:-]+$/.test(read) && host(read) === read)
    }),
  )
  t.pass()
})

t.test('the path of a socket is absolute and has one reading', async (t) => {
  for (const path of ['/run/x.sock', '/a', '/var/run/docker.sock', '/tmp/a b', '/tmp/..x']) {
    t.match(readPath(path), { destination: { host: null, port: null, path } }, path)
  }
  const long = `/${'x'.repeat(103)}`
  for (const path of [
    '',
    'run/x',
    '/',
    '/run//x',
    '/run/../x',
    '/run/./x',
    '/run/',
    '/a\0b',
    '/a\nb',
    '/\ufffd',
    long,
  ]) {
    t.match(readPath(path), { refusal: { code: 'command.unparsable' } }, JSON.stringify(path))
  }
})

t.test('a listener may be on all addresses and on any port', async (t) => {
  t.match(readListener('', 0), { destination: { host: '', port: 0 } })
  t.match(readListener('*', 80), { destination: { host: '*', port: 80 } })
  t.match(readListener('localhost', 8080), { destination: { host: 'localhost', port: 8080 } })
  t.match(readListener('::', 8080), { destination: { host: '::', port: 8080 } })
  t.match(readListener('0x7f.1', 8080), { refusal: { code: 'command.unparsable' } })
  t.match(readListener('', 65_536), { refusal: { code: 'command.unparsable' } })
})

t.test('a destination reads as rules compare it', async (t) => {
  t.equal(destinationText({ host: 'db', port: 1, path: null }), 'db:1')
  t.equal(destinationText({ host: '::1', port: 1, path: null }), '[::1]:1')
  t.equal(destinationText({ host: null, port: null, path: '/x' }), '/x')
})
