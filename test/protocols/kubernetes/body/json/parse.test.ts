import fc from 'fast-check'
import t, { type Test as Tap } from 'tap'
import { parseJson } from '../../../../../src/protocols/kubernetes/body/json/parse.ts'
import { Refused } from '../../../../../src/protocols/kubernetes/request/refused.ts'

const read = (text: string) => parseJson(Buffer.from(text))
const refused = (t: Tap, text: string, message: RegExp) => t.throws(() => read(text), { message }, text.slice(0, 80))

/** A value, as the members of its objects in order, repeated ones too. */
type Tree =
  | string
  | number
  | boolean
  | null
  | readonly Tree[]
  | { readonly members: readonly (readonly [string, Tree])[] }

const space = fc.constantFrom('', ' ', '\n\t')
const key = fc.oneof(fc.constantFrom('a', 'b', 'c', '"', '\\', ':', '{', 'é', ''), fc.string())
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.string(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !/^-?[0-9]{16}/.test(String(number))),
    fc.constantFrom(true, false, null),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('tree')), { maxLength: 4 }).map((members) => ({ members })),
  ),
}))

function write(of: Tree, pad: string): string {
  if (of === null || typeof of !== 'object') return `${pad}${JSON.stringify(of)}${pad}`
  if ('members' in of)
    return `{${pad}${of.members.map(([name, value]) => `${escaped(name)}${pad}:${write(value, pad)}`).join(',')}}`
  return `[${pad}${of.map((item) => write(item, pad)).join(',')}${pad}]`
}

/** One key in two spellings is one key. */
function escaped(name: string): string {
  return name === 'a' ? '"\\u0061"' : JSON.stringify(name)
}

/** Slow and plain. */
function repeats(of: Tree): boolean {
  if (of === null || typeof of !== 'object') return false
  if (!('members' in of)) return of.some(repeats)
  const names = of.members.map(([name]) => name)
  return names.some((name, index) => names.indexOf(name) !== index) || of.members.some(([, value]) => repeats(value))
}

/** As the last of repeated members has it. */
function plain(of: Tree): unknown {
  if (of === null || typeof of !== 'object') return of
  if (!('members' in of)) return of.map(plain)
  return Object.fromEntries(of.members.map(([name, value]) => [name, plain(value)]))
}

t.test('A body with a repeated key at any depth is refused, every other is read as it was written', async (t) => {
  fc.assert(
    fc.property(tree, space, (of, pad) => {
      const text = write(of, pad)
      try {
        return JSON.stringify(read(text)) === JSON.stringify(plain(of)) && !repeats(of)
      } catch (error) {
        return error instanceof Refused && (repeats(of) || text.includes('__proto__'))
      }
    }),
    { numRuns: 5_000 },
  )
  t.pass('whatever was sent')
})

t.test('Bytes that are no JSON are refused, and never fail', async (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), fc.uint8Array({ maxLength: 8 }), (text, noise) => {
      const bytes = Buffer.concat([Buffer.from(text), noise])
      try {
        parseJson(bytes)
        JSON.parse(bytes.toString())
      } catch (error) {
        if (!(error instanceof Refused)) throw error
      }
    }),
    { numRuns: 1_000 },
  )
  t.pass('whatever was sent')
})

t.test('No key hides behind its escapes, whatever was parsed before', async (t) => {
  for (const poison of ['spe\\\\', '\\\\', '\\\\u00', 'meta\\\\u00', 'a\\\\u006']) {
    JSON.parse(`{"h":[],"${poison}":0}`)
    JSON.parse(`{"${poison}":0}`)
  }
  t.same(read('{"h":1,"spe\\u0063":{"hostPID":true}}'), { h: 1, spec: { hostPID: true } })
  t.same(read('{"spe\\u0063":{"hostPID":true}}'), { spec: { hostPID: true } })
  t.same(read('{"h":1,"\\"":2}'), { h: 1, '"': 2 })
  t.same(read(' { "h" : [ 1 , {} , [ ] , "\\n" ] , "\\u0061" : null , "b\\\\" : -1.5e3 } '), {
    h: [1, {}, [], '\n'],
    a: null,
    'b\\': -1500,
  })
  refused(t, '{"spec":{},"spe\\u0063":{"hostPID":true}}', /twice/)
  refused(t, '{"a":[{"\\u005f_proto__":1}]}', /__proto__/)
  refused(t, '{"\\u0061":1,}', /not JSON/)
})

t.test('Keys that readers take differently are refused', async (t) => {
  refused(t, '{"a":1,"a":1}', /twice/)
  refused(t, '{"a":1,"\\u0061":2}', /twice/)
  refused(t, '[{"x":{"spec":{},"spec":{"privileged":true}}}]', /twice/)
  refused(t, '{"__proto__":{}}', /__proto__/)
  refused(t, '{"a":{"\\u005f_proto__":1}}', /__proto__/)
})

t.test('Text that is no well-formed Unicode is refused', async (t) => {
  refused(t, '{"a":"\\ud800"}', /well-formed/)
  refused(t, '{"\\udc00":1}', /well-formed/)
  t.same(read('{"a":"\\ud83d\\ude00"}'), { a: '😀' })
  t.throws(() => parseJson(Buffer.from([0x22, 0xff, 0x22])), { message: /not JSON in UTF-8/ })
  t.throws(() => parseJson(Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d])), { message: /not JSON in UTF-8/ })
})

t.test('Numbers that a policy would see otherwise than the API server are refused, all others kept', async (t) => {
  refused(t, '{"n":9007199254740993}', /exactly/)
  refused(t, '[-9223372036854775807]', /exactly/)
  refused(t, '[1e400]', /too large/)
  const kept = [
    '9007199254740992',
    '9223372036854775808',
    '18446744073709551615',
    '0.1',
    '1e21',
    '-0.000000000000000012345',
  ]
  for (const number of kept) t.same(read(`[${number}]`), [Number(number)], number)
})

t.test('What is nested deeper, or is more, than any object of Kubernetes is refused', async (t) => {
  t.ok(read('['.repeat(200) + ']'.repeat(200)))
  refused(t, '['.repeat(201) + ']'.repeat(201), /nested deeper/)
  refused(t, '{"a":'.repeat(1_000_000), /nested deeper/)
  refused(t, `[${'1,'.repeat(100_000)}1]`, /more than 100000 values/)
})
