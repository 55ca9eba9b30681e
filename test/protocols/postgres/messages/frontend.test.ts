import fc from 'fast-check'
import { serialize } from 'pg-protocol'
import t from 'tap'
import {
  type Bind,
  decodeFrontend,
  encodeBind,
  encodeFrontend,
  encodeParse,
  type Format,
  formatOf,
  type FrontendMessage,
} from '../../../../src/protocols/postgres/messages.ts'

const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\0', ''))
const value = fc.option(fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)))
const format = fc.constantFrom<Format>(0, 1)
const values = fc
  .array(value, { maxLength: 12 })
  .chain((list) =>
    fc
      .oneof(fc.constant([]), fc.tuple(format), fc.array(format, { minLength: list.length, maxLength: list.length }))
      .map((formats) => ({ list, formats })),
  )
const oid = fc.integer({ min: 0, max: 0xffffffff })
const of = fc.constantFrom('statement' as const, 'portal' as const)

const message: fc.Arbitrary<FrontendMessage> = fc.oneof(
  text.map((text): FrontendMessage => ({ name: 'Query', text })),
  fc.record({ name: fc.constant('Parse'), statement: text, text, parameterTypes: fc.array(oid) }),
  fc
    .tuple(text, text, values, fc.array(format, { maxLength: 5 }))
    .map(([portal, statement, { list, formats }, resultFormats]): FrontendMessage => ({
      name: 'Bind',
      portal,
      statement,
      parameterFormats: formats,
      parameters: list,
      resultFormats,
    })),
  fc.record({ name: fc.constantFrom('Describe' as const, 'Close' as const), of, target: text }),
  fc.record({ name: fc.constant('Execute'), portal: text, maxRows: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) }),
  fc.uint8Array().map((data): FrontendMessage => ({ name: 'CopyData', data: Buffer.from(data) })),
  text.map((reason): FrontendMessage => ({ name: 'CopyFail', reason })),
  fc.tuple(oid, values, format).map(([fn, { list, formats }, resultFormat]): FrontendMessage => ({
    name: 'FunctionCall',
    function: fn,
    argumentFormats: formats,
    arguments: list,
    resultFormat,
  })),
  fc.constantFrom<FrontendMessage>({ name: 'Sync' }, { name: 'Flush' }, { name: 'CopyDone' }, { name: 'Terminate' }),
)

/** fast-check stops at a failure that throws, and shrinks it; tap's own assertions only report. */
function same(found: unknown, wanted: unknown): void {
  const [one, other] = [found, wanted].map((side) => JSON.stringify(side))
  if (one !== other) throw new Error(`${one} is not ${other}`)
}

function refuses(bytes: Buffer): boolean {
  try {
    decodeFrontend(bytes, 0, bytes.length)
    return false
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'protocol.violation') return true
    throw error
  }
}

t.test('every message that an agent may send is read as it was written', async (t) => {
  fc.assert(
    fc.property(message, fc.nat(20), (one, padding) => {
      const bytes = encodeFrontend(one)
      same(bytes.readUInt32BE(1), bytes.length - 1)
      const placed = Buffer.concat([Buffer.alloc(padding, 0xff), bytes, Buffer.alloc(padding, 0)])
      same(decodeFrontend(placed, padding, padding + bytes.length), one)
    }),
    { numRuns: 500 },
  )
  t.pass('500 messages')
})

t.test('a message that is cut short, or goes on after its fields, is refused', async (t) => {
  fc.assert(
    fc.property(message, fc.nat(), (one, at) => {
      const bytes = encodeFrontend(one)
      if (one.name === 'CopyData') return
      same(refuses(Buffer.concat([bytes, Buffer.from([0])])), true)
      const shorter = bytes.subarray(0, 5 + (at % Math.max(1, bytes.length - 5)))
      if (shorter.length < bytes.length) same(refuses(shorter), true)
    }),
    { numRuns: 500 },
  )
  t.pass('500 messages')
})

t.test('arbitrary bytes in the body of a message are read or refused, and nothing else happens', async (t) => {
  const types = fc.constantFrom(...Array.from('QPBDECSHFXdcf', (letter) => letter.charCodeAt(0)))
  fc.assert(
    fc.property(types, fc.uint8Array({ maxLength: 100 }), (type, body) => {
      refuses(Buffer.concat([Buffer.from([type, 0, 0, 0, body.length + 4]), body]))
    }),
    { numRuns: 2_000 },
  )
  t.pass('2,000 bodies')
})

t.test('what this codec writes is byte for byte what pg-protocol writes', async (t) => {
  t.strictSame(encodeFrontend({ name: 'Query', text: 'SELECT é' }), serialize.query('SELECT é'))
  t.strictSame(encodeParse('s', 'SELECT $1', [23]), serialize.parse({ name: 's', text: 'SELECT $1', types: [23] }))
  const bind = { portal: 'p', statement: 's', parameterFormats: [0, 0], resultFormats: [0] } as const
  const ours = encodeBind({ ...bind, parameters: [Buffer.from('ä'), null] } satisfies Omit<Bind, 'name'>)
  t.strictSame(ours, serialize.bind({ portal: 'p', statement: 's', values: ['ä', null] }))
  t.strictSame(
    encodeFrontend({ name: 'Execute', portal: 'p', maxRows: 7 }),
    serialize.execute({ portal: 'p', rows: 7 }),
  )
  t.strictSame(
    encodeFrontend({ name: 'Describe', of: 'portal', target: 'p' }),
    serialize.describe({ type: 'P', name: 'p' }),
  )
  t.strictSame(
    encodeFrontend({ name: 'Close', of: 'statement', target: 's' }),
    serialize.close({ type: 'S', name: 's' }),
  )
  t.strictSame(encodeFrontend({ name: 'Sync' }), serialize.sync())
  t.strictSame(encodeFrontend({ name: 'CopyFail', reason: 'no' }), serialize.copyFail('no'))
})

t.test('text that is not UTF-8 is refused, in short strings and in long ones', async (t) => {
  for (const length of [1, 10, 64, 65, 1000]) {
    const body = Buffer.concat([Buffer.alloc(length, 0x61), Buffer.from([0xc3, 0x28, 0])])
    const head = Buffer.from([0x51, 0, 0, 0, 0])
    head.writeInt32BE(body.length + 4, 1)
    t.ok(refuses(Buffer.concat([head, body])), `${length} bytes before it`)
  }
})

t.test('a NUL within a text ends it, so that what follows is refused as left over', async (t) => {
  t.ok(refuses(Buffer.from('Q\0\0\0\x18SELECT 1\0; DROP x\0', 'latin1')))
  t.throws(() => encodeFrontend({ name: 'Query', text: 'SELECT 1\0' }), { code: 'protocol.violation' })
})

t.test('counts are unsigned, so that 65,535 parameters are read as 65,535', async (t) => {
  const parameters = Array.from({ length: 65_535 }, () => null)
  const bytes = encodeBind({ portal: '', statement: '', parameterFormats: [], parameters, resultFormats: [] })
  const bind = decodeFrontend(bytes, 0, bytes.length) as Bind
  t.equal(bind.parameters.length, 65_535)
})

t.test('a count that promises more than the message holds is refused before memory is taken for it', async (t) => {
  const parse = encodeParse('', 'SELECT 1', [])
  parse.writeUInt16BE(0xffff, parse.length - 2)
  t.ok(refuses(parse))
})

t.test('a value of length -2, two formats for three values, and format 2 are refused', async (t) => {
  const bind = (tail: number[]) => {
    const body = Buffer.from([0, 0, ...tail])
    return refuses(Buffer.concat([Buffer.from([0x42, 0, 0, 0, body.length + 4]), body]))
  }
  t.notOk(bind([0, 0, 0, 1, 255, 255, 255, 255, 0, 0]), 'NULL')
  t.ok(bind([0, 0, 0, 1, 255, 255, 255, 254, 0, 0]), 'length -2')
  t.ok(bind([0, 2, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255, 0, 0]), 'two formats, one value')
  t.ok(bind([0, 1, 0, 2, 0, 1, 255, 255, 255, 255, 0, 0]), 'format 2')
})

t.test('no format means text, one format holds for all, several for one each', async (t) => {
  t.equal(formatOf([], 3), 0)
  t.equal(formatOf([1], 3), 1)
  t.strictSame(
    [0, 1].map((at) => formatOf([0, 1], at)),
    [0, 1],
  )
})
