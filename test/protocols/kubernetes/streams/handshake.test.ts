import t from 'tap'
import {
  acceptOf,
  switchedTo,
  readHandshake,
  spdyVersions,
  upgradeOf,
} from '../../../../src/protocols/kubernetes/streams/handshake.ts'
import { readHeaders } from '../../../../src/protocols/kubernetes/transport/headers.ts'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const GOOD = {
  Host: 'x',
  Connection: 'keep-alive, Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': KEY,
  'Sec-WebSocket-Protocol': 'v5.channel.k8s.io',
}

function headers(changed: Readonly<Record<string, string>> = {}) {
  const read = readHeaders(Object.entries({ ...GOOD, ...changed }).flat())
  if ('code' in read) throw new Error(read.message)
  return read
}

t.test('a key is answered as RFC 6455 says', async (t) => {
  t.equal(acceptOf(KEY), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

t.test('of the subprotocols, only those that are understood go on, and never a token', async (t) => {
  const offered =
    'base64url.bearer.authorization.k8s.io.c2VjcmV0, base64.channel.k8s.io, v4.channel.k8s.io, v5.channel.k8s.io'
  t.strictSame(readHandshake(headers({ 'Sec-WebSocket-Protocol': offered }), 'GET', 'exec'), {
    key: KEY,
    protocols: ['v4.channel.k8s.io', 'v5.channel.k8s.io'],
  })
  t.strictSame(
    readHandshake(headers({ 'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io' }), 'GET', 'portforward'),
    {
      key: KEY,
      protocols: ['SPDY/3.1+portforward.k8s.io'],
    },
  )
})

t.test('a handshake that is none is refused', async (t) => {
  const wrong: readonly [Readonly<Record<string, string>>, string, string, string][] = [
    [{ 'Sec-WebSocket-Protocol': 'base64.channel.k8s.io' }, 'GET', 'exec', 'command.unsupported'],
    [{ 'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io' }, 'GET', 'exec', 'command.unsupported'],
    [{ 'Sec-WebSocket-Protocol': '' }, 'GET', 'exec', 'command.unsupported'],
    [{ 'Sec-WebSocket-Version': '8' }, 'GET', 'exec', 'command.unparsable'],
    [{ 'Sec-WebSocket-Key': 'short' }, 'GET', 'exec', 'command.unparsable'],
    [{}, 'POST', 'exec', 'command.unparsable'],
  ]
  for (const [changed, method, subresource, code] of wrong) {
    const read = readHandshake(headers(changed), method, subresource)
    t.equal('code' in read && read.code, code)
  }
})

t.test('what a connection is to become is known, or nothing', async (t) => {
  t.equal(upgradeOf(headers()), 'websocket')
  t.equal(upgradeOf(headers({ Upgrade: 'SPDY/3.1' })), 'spdy')
  t.equal(upgradeOf(headers({ Upgrade: 'h2c' })), null)
  t.equal(upgradeOf(headers({ Upgrade: 'websocket, h2c' })), null)
  t.equal(upgradeOf(headers({ Connection: 'keep-alive' })), null)
  t.strictSame(spdyVersions(headers({ 'X-Stream-Protocol-Version': 'v4.channel.k8s.io, odd' })), ['v4.channel.k8s.io'])
})

t.test('a server has switched only when it says so in every part, to what it was asked for', async (t) => {
  const said = {
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-accept': acceptOf(KEY),
    'sec-websocket-protocol': 'v5.channel.k8s.io',
  }
  const asked = ['v5.channel.k8s.io']
  t.equal(switchedTo(said, KEY, asked), 'v5.channel.k8s.io')
  for (const change of [
    { upgrade: 'h2c' },
    { connection: 'close' },
    { 'sec-websocket-accept': acceptOf('other') },
    { 'sec-websocket-protocol': 'v4.channel.k8s.io' },
    { 'sec-websocket-extensions': 'permessage-deflate' },
  ]) {
    t.equal(switchedTo({ ...said, ...change }, KEY, asked), null)
  }
})
