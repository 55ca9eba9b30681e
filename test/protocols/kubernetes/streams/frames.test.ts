import fc from 'fast-check'
import t from 'tap'
import { FrameDecoder } from '../../../../src/protocols/kubernetes/streams/decoder.ts'
import {
  CLOSE,
  encodeFrame,
  FrameViolation,
  OPCODE,
  type Opcode,
} from '../../../../src/protocols/kubernetes/streams/frames.ts'

/** What a decoder said, with the pieces of a message put together. */
type Heard =
  | { readonly kind: 'message'; readonly bytes: string }
  | { readonly kind: 'ping' | 'pong'; readonly bytes: string }
  | { readonly kind: 'close'; readonly code: number | null }

function listen(masked: boolean) {
  const heard: Heard[] = []
  let pieces: Buffer[] = []
  const decoder = new FrameDecoder(masked, {
    data: (bytes, last) => {
      pieces.push(Buffer.from(bytes))
      if (!last) return
      heard.push({ kind: 'message', bytes: Buffer.concat(pieces).toString('hex') })
      pieces = []
    },
    ping: (bytes) => heard.push({ kind: 'ping', bytes: bytes.toString('hex') }),
    pong: (bytes) => heard.push({ kind: 'pong', bytes: bytes.toString('hex') }),
    close: (code) => heard.push({ kind: 'close', code }),
  })
  return { heard, push: (bytes: Uint8Array) => decoder.push(Buffer.from(bytes)) }
}

/** One frame by the letter of RFC 6455, section 5.2, without a shortcut. */
function frame(first: number, payload: Uint8Array, mask: readonly number[] | null, form?: 7 | 16 | 64): Buffer {
  const { length } = payload
  const chosen = form ?? (length < 126 ? 7 : length < 65_536 ? 16 : 64)
  const bytes = [first, (mask === null ? 0 : 0x80) | (chosen === 7 ? length : chosen === 16 ? 126 : 127)]
  const size = chosen === 7 ? 0 : chosen / 8
  for (let at = size - 1; at >= 0; at--) bytes.push(Math.floor(length / 2 ** (8 * at)) % 256)
  if (mask !== null) bytes.push(...mask)
  payload.forEach((byte, at) => bytes.push(mask === null ? byte : byte ^ (mask[at % 4] as number)))
  return Buffer.from(bytes)
}

const mask = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
const bytes = (most: number) => fc.uint8Array({ maxLength: most })
const control = fc.record({ kind: fc.constantFrom('ping' as const, 'pong' as const), bytes: bytes(125) })
/** A message in fragments, with control frames between them. */
const message = fc.record({
  text: fc.boolean(),
  fragments: fc.array(fc.record({ bytes: bytes(400), between: fc.array(control, { maxLength: 2 }) }), {
    minLength: 1,
    maxLength: 4,
  }),
})

t.test('any sequence of messages is heard as it was sent, wherever the network cuts it', async (t) => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(message, { maxLength: 5 }),
      fc.array(mask, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(2_000), { maxLength: 12 }),
      (masked, messages, masks, cuts) => {
        const wire: Buffer[] = []
        const model: Heard[] = []
        const put = (opcode: Opcode, last: boolean, payload: Uint8Array) =>
          wire.push(
            frame((last ? 0x80 : 0) | opcode, payload, masked ? (masks[wire.length % masks.length] ?? null) : null),
          )
        for (const { text, fragments } of messages) {
          for (const [at, { bytes, between }] of fragments.entries()) {
            const opcode = at > 0 ? OPCODE.CONTINUATION : text ? OPCODE.TEXT : OPCODE.BINARY
            put(opcode, at === fragments.length - 1, bytes)
            if (at === fragments.length - 1) {
              const whole = Buffer.concat(fragments.map((fragment) => fragment.bytes))
              model.push({ kind: 'message', bytes: whole.toString('hex') })
            }
            for (const { kind, bytes: said } of between) {
              put(kind === 'ping' ? OPCODE.PING : OPCODE.PONG, true, said)
              model.push({ kind, bytes: Buffer.from(said).toString('hex') })
            }
          }
        }
        const all = Buffer.concat(wire)
        const { heard, push } = listen(masked)
        const places = [...new Set(cuts.map((cut) => Math.min(cut, all.length)))].toSorted((a, b) => a - b)
        let from = 0
        for (const place of [...places, all.length]) {
          push(all.subarray(from, place))
          from = place
        }
        t.strictSame(heard, model)
      },
    ),
    { numRuns: 150 },
  )
})

t.test('a message is heard the same when it comes byte by byte, and when it is cut at any byte', async (t) => {
  const whole = Buffer.concat([
    frame(OPCODE.BINARY, Buffer.alloc(130, 'a'), [1, 2, 3, 4]),
    frame(0x80 | OPCODE.PING, Buffer.from('there?'), [9, 8, 7, 6]),
    frame(0x80 | OPCODE.CONTINUATION, Buffer.from('end'), [0, 0, 0, 0]),
    frame(0x80 | OPCODE.CLOSE, Buffer.from([0x03, 0xe8]), [5, 5, 5, 5]),
  ])
  const model = listen(true)
  model.push(whole)
  t.equal(model.heard.length, 3)
  for (let cut = 0; cut <= whole.length; cut++) {
    const { heard, push } = listen(true)
    push(whole.subarray(0, cut))
    push(whole.subarray(cut))
    t.strictSame(heard, model.heard)
  }
  const { heard, push } = listen(true)
  for (const byte of whole) push(Buffer.of(byte))
  t.strictSame(heard, model.heard)
})

t.test('what is encoded is decoded as it was, at every size of a length', async (t) => {
  const sizes = fc.constantFrom(0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 70_000)
  fc.assert(
    fc.property(sizes, fc.option(mask), fc.option(fc.nat(255)), (size, key, channel) => {
      const payload = Buffer.alloc(size, 'sidegate')
      const prefix = channel === null ? [] : [channel]
      const encoded = encodeFrame(OPCODE.BINARY, payload, key === null ? null : Buffer.from(key), prefix)
      t.ok(encoded.equals(frame(0x80 | OPCODE.BINARY, Buffer.from([...prefix, ...payload]), key)))
      const { heard, push } = listen(key !== null)
      push(encoded)
      t.strictSame(heard, [{ kind: 'message', bytes: Buffer.from([...prefix, ...payload]).toString('hex') }])
    }),
    { numRuns: 40 },
  )
})

const KEY = [1, 2, 3, 4]
const VIOLATIONS: Readonly<
  Record<string, { readonly bytes: Buffer; readonly masked?: boolean; readonly close?: number }>
> = {
  'a client that does not mask': { bytes: frame(0x82, Buffer.from('x'), null) },
  'a server that masks': { bytes: frame(0x82, Buffer.from('x'), KEY), masked: false },
  'a reserved bit, which is an extension': { bytes: frame(0xc2, Buffer.from('x'), KEY) },
  'an opcode that nobody knows': { bytes: frame(0x83, Buffer.from('x'), KEY) },
  'a length that is longer than it need be': { bytes: frame(0x82, Buffer.from('x'), KEY, 16) },
  'a long length that is longer than it need be': { bytes: frame(0x82, Buffer.alloc(1_000), KEY, 64) },
  'a continuation of nothing': { bytes: frame(0x80, Buffer.from('x'), KEY) },
  'a message within another': {
    bytes: Buffer.concat([frame(0x02, Buffer.from('x'), KEY), frame(0x82, Buffer.from('y'), KEY)]),
  },
  'a fragmented ping': { bytes: frame(0x09, Buffer.from('x'), KEY) },
  'a ping of 126 bytes': { bytes: frame(0x89, Buffer.alloc(126), KEY) },
  'a Close of one byte': { bytes: frame(0x88, Buffer.alloc(1), KEY) },
  'a Close with a code that may not be sent': { bytes: frame(0x88, Buffer.from([0x03, 0xed]), KEY) },
  'bytes behind the Close': { bytes: Buffer.concat([frame(0x88, Buffer.alloc(0), KEY), Buffer.of(0x82)]) },
  'a frame that is too large': {
    bytes: Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x02, 0, 0, 1, 1, 2, 3, 4]),
    close: CLOSE.TOO_LARGE,
  },
  'a length beyond all numbers': {
    bytes: Buffer.from([0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]),
    close: CLOSE.TOO_LARGE,
  },
}

for (const [what, { bytes, masked = true, close = CLOSE.PROTOCOL }] of Object.entries(VIOLATIONS)) {
  t.test(`${what} ends the connection`, async (t) => {
    const { push } = listen(masked)
    try {
      push(bytes)
      t.fail('it was taken')
    } catch (error) {
      t.ok(error instanceof FrameViolation)
      t.equal(error instanceof FrameViolation && error.close, close)
    }
  })
}
