import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { Mask } from '../../../../src/gate/decision.ts'
import type { Json, JsonObject } from '../../../../src/gate/json.ts'
import { parsePath, type Segment } from '../../../../src/protocols/kubernetes/masking/path.ts'
import { ALLOW } from '../../../support/fakes.ts'
import { base64, list, MARKED, MARKED_BYTES, mask, plan, rewriterOf, rewritten, secret, SECRETS } from './sketch.ts'

const DATA = [mask('data.*')]
const WATCH = `${SECRETS}?watch=true`
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

function event(type: string, object: Json): string {
  return `${JSON.stringify({ type, object })}\n`
}

t.test('However an answer is cut into pieces, the agent gets the same bytes', async (t) => {
  const applied = {
    [LAST_APPLIED]: JSON.stringify({ data: { k: base64('abcdef') } }),
    quoted: 'a "b\\" abcdef ä\u2028',
  }
  const items = [
    secret('one', { k: 'abcdef', l: 'x' }, { annotations: applied }),
    secret('two', {}),
    secret('three', { k: 'ä€😀' }),
  ]
  const compact = JSON.stringify(list(...items))
  const pretty = JSON.stringify(list(...items), null, 2)
  const events = items.map((item) => event('ADDED', item)).join('') + event('BOOKMARK', secret('b', {}))
  const denied = [mask('data.l', 'deny')]
  const cases: readonly [string, string, readonly Mask[]][] = [
    [compact, SECRETS, DATA],
    [pretty, SECRETS, DATA],
    [compact, SECRETS, denied],
    [pretty, SECRETS, denied],
    [events, WATCH, DATA],
    [events, WATCH, denied],
    [JSON.stringify(items[0]), `${SECRETS}/one`, DATA],
    ['{"items":[],"metadata":{"resourceVersion":"1"},"n":12}', SECRETS, DATA],
  ]
  for (const [answer, target, masks] of cases) {
    const whole = rewritten(rewriterOf(plan(masks, { target })), answer)
    for (const size of [1, 2, 3, 7, 16, 61, 500]) {
      t.equal(rewritten(rewriterOf(plan(masks, { target })), answer, size), whole, `${size}`)
    }
    for (let at = 1; at < answer.length; at += 1) {
      const rewriter = rewriterOf(plan(masks, { target }))
      const bytes = Buffer.from(answer)
      const parts = [...rewriter.chunk(bytes.subarray(0, at)), ...rewriter.chunk(bytes.subarray(at)), ...rewriter.end()]
      if (Buffer.concat(parts).toString() !== whole) t.fail(`cut at ${at}`)
    }
  }
})

t.test('Generated objects are masked as a plain reading of the same paths would', async (t) => {
  const key = fc.constantFrom('a', 'b', 'data', 'k"ey', 'ü', 'a.b')
  const leaf = fc.oneof(
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
  )
  const tree = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  })).value
  const object = fc.dictionary(key, tree, { maxKeys: 5 }) as fc.Arbitrary<JsonObject>
  const segment = fc.oneof(key, fc.constant('*'))
  const path = fc
    .array(segment, { minLength: 1, maxLength: 4 })
    .map((names) => names.map((name) => (name === '*' ? '[*]' : `[${JSON.stringify(name)}]`)).join(''))
  const target = '/apis/example.com/v1/namespaces/a/things'
  fc.assert(
    fc.property(
      fc.array(object, { maxLength: 4 }),
      fc.array(path, { minLength: 1, maxLength: 3 }),
      fc.nat(40),
      (items, paths, size) => {
        const answer = JSON.stringify({ apiVersion: 'example.com/v1', items, kind: 'ThingList', metadata: {} })
        const got = rewritten(
          rewriterOf(
            plan(
              paths.map((each) => mask(each)),
              { target },
            ),
          ),
          answer,
          size + 1,
        )
        const parsed = paths.map((each) => parsePath(each) ?? [])
        // Through JSON, which has no -0.
        const wanted = JSON.parse(JSON.stringify(items.map((item) => reference(item, parsed)))) as Json
        return isDeepStrictEqual((JSON.parse(got) as JsonObject)['items'], wanted)
      },
    ),
    { numRuns: 300 },
  )
  t.pass()
})

/** As slow and as plain as can be. */
function reference(value: Json, paths: readonly (readonly Segment[])[]): Json {
  if (paths.some((path) => path.length === 0)) {
    if (value === null || typeof value !== 'object') return typeof value === 'string' ? MARKED : null
  }
  if (Array.isArray(value)) {
    const below = paths.map((path) => (path[0] === '*' ? path.slice(1) : path))
    return value.map((element: Json) => reference(element, below))
  }
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      const below = paths.flatMap((path) => {
        const [first] = path
        if (first === undefined) return [path]
        return first === '*' || first.name === key ? [path.slice(1)] : []
      })
      return [key, reference(child, below)]
    }),
  )
}

t.test('A list keeps its versions and pages whatever the masks say', async (t) => {
  const given = list(secret('one', { k: 'abcdef' }))
  const got = JSON.parse(
    rewritten(rewriterOf(plan([mask('metadata.*')], { target: SECRETS })), JSON.stringify(given)),
  ) as JsonObject
  t.same(got['metadata'], given['metadata'])
  const odd = { ...given, metadata: { resourceVersion: '1', annotations: { x: 'secret' } } }
  const masked = rewritten(rewriterOf(plan([mask('metadata.annotations.*')], { target: SECRETS })), JSON.stringify(odd))
  t.notMatch(masked, 'secret"}', 'but one that is an object in disguise is masked as one')
})

t.test('A watch that leaves events out has no empty lines, and passes every bookmark and every error', async (t) => {
  const shown = event('ADDED', secret('shown', {}))
  const hidden = event('MODIFIED', secret('hidden', { l: 'x' }))
  const bookmark = event('BOOKMARK', { kind: 'Secret', apiVersion: 'v1', metadata: { resourceVersion: '12' } })
  const error = event('ERROR', { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 410, reason: 'Expired' })
  const masks = [mask('data.l', 'deny'), mask('$', 'deny')]
  const get = (_: string, name: string) => (name === 'shown' ? { ...ALLOW, masks } : null)
  const got = rewritten(
    rewriterOf(plan(masks, { target: WATCH, get })),
    hidden + shown + hidden + bookmark + hidden + error,
  )
  t.equal(got, shown + bookmark + error)
})

t.test('An event goes on as soon as it is complete', async (t) => {
  const rewriter = rewriterOf(plan(DATA, { target: WATCH }))
  const bytes = Buffer.from(event('ADDED', secret('one', { k: 'abcdef' })))
  t.same(rewriter.chunk(bytes.subarray(0, 40)), [])
  const rest = rewriter.chunk(bytes.subarray(40))
  t.equal(Buffer.concat(rest).toString(), bytes.toString().replace(base64('abcdef'), MARKED_BYTES))
})

t.test('Tables have their rows masked, their cells too, and no more of an object than was asked for', async (t) => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
  const row = {
    cells: ['one', 'Opaque', 2, 'has abcdef'],
    object: secret('one', { k: 'abcdef' }, { labels: { l: 'abcdef' } }),
  }
  const table = {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: {},
    columnDefinitions: [{ name: 'Name' }],
    rows: [row],
  }
  const cells = ['one', 'Opaque', 2, MARKED]
  const metadata = { ...(row.object['metadata'] as JsonObject), labels: { l: MARKED } }
  const partial = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
  const whole = { ...row.object, metadata, data: { k: MARKED_BYTES } }
  for (const [query, object] of [
    ['', partial],
    ['?includeObject=None', null],
    ['?includeObject=Object', whole],
  ] as const) {
    const made = plan(DATA, { target: `${SECRETS}${query}`, accept })
    t.equal(made.instead?.target, `${SECRETS}?includeObject=Object`)
    const got = rewritten(rewriterOf(made), JSON.stringify(table), 13)
    t.same(JSON.parse(got), { ...table, rows: [{ cells, object }] }, query)
  }
  const watched = rewritten(rewriterOf(plan(DATA, { target: WATCH, accept })), event('ADDED', table))
  t.same((JSON.parse(watched) as JsonObject)['object'], { ...table, rows: [{ cells, object: partial }] })
  const single = plan(DATA, { accept })
  t.same(JSON.parse(rewritten(rewriterOf(single), JSON.stringify(table))), {
    ...table,
    rows: [{ cells, object: partial }],
  })
})

t.test('A table is not asked for where its columns could show what is masked', async (t) => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
  const plain = plan([mask('status.podIP')], { target: '/api/v1/namespaces/a/pods', accept })
  t.equal(plain.instead?.accept, 'application/json')
  t.throws(
    () =>
      rewritten(
        rewriterOf(plain),
        '{"kind":"Table","apiVersion":"meta.k8s.io/v1","rows":[{"cells":["10.0.0.1"],"object":{}}]}',
      ),
    { name: 'Unmaskable' },
  )
  t.equal(plan([mask('data.k', 'deny')], { target: WATCH, accept }).instead?.accept, 'application/json')
  t.match(plan([mask('data.k', 'deny')], { target: SECRETS, accept }).instead?.accept, 'as=Table')
})

t.test('Metadata alone is made of whole objects, in which masked values can be found', async (t) => {
  const accept =
    'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
  const made = plan(DATA, { target: SECRETS, accept })
  t.same(made.instead, { accept: 'application/json', target: SECRETS })
  const item = secret('one', { k: 'abcdef' }, { annotations: { a: 'abcdef', b: 'c' } })
  const got = JSON.parse(rewritten(rewriterOf(made), JSON.stringify(list(item)), 50)) as JsonObject
  t.same(got, {
    kind: 'PartialObjectMetadataList',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion: '9', continue: 'abc' },
    items: [
      {
        kind: 'PartialObjectMetadata',
        apiVersion: 'meta.k8s.io/v1',
        metadata: { ...(item['metadata'] as JsonObject), annotations: { a: MARKED, b: 'c' } },
      },
    ],
  })
})

t.test('What is not JSON, not complete, or too large is cut off, and never passed as it is', async (t) => {
  const whole = JSON.stringify(list(secret('one', { k: 'abcdef' })))
  for (const text of [
    whole.slice(0, -1),
    whole.slice(0, 60),
    `${whole}x`,
    `[${whole}]`,
    'null',
    '"text"',
    '{"items":[1]}',
    '{"items":["x"]}',
    '{"items":[null]}',
    '{"items":[[]]}',
    '{"items" [{}]}',
    '{"items":[{}{}]}',
    '{items:[{}]}',
    '{"items":[{"a" 1}]}',
    '{"items":[{"a":}]}',
    '{"items":[{,}]}',
    '{"items":[{"a":1,}]}',
    '{"items":[,{}]}',
    '{"items":[{}],}',
    '{"a":'.repeat(9),
    '{"items":[{"metadata":{},"metadata":{}}]}',
    '\ufeff{}',
    '{"items":[{"data":/**/{}}]}',
  ]) {
    for (const size of [1, 5, 1_000]) {
      t.throws(() => rewritten(rewriterOf(plan(DATA, { target: SECRETS })), text, size), { name: 'Unmaskable' }, text)
    }
  }
  for (const text of ['{"data":{"k":"x"}', '{} {}', '[]', 'plain', '{"data":{"k":"x"}}}']) {
    t.throws(() => rewritten(rewriterOf(plan(DATA)), text), { name: 'Unmaskable' }, text)
  }
  const large = JSON.stringify(list(secret('one', { k: 'x'.repeat(20_000) })))
  for (const size of [1_000, 1_000_000]) {
    const limited = () => rewritten(rewriterOf(plan(DATA, { target: SECRETS, limit: 10_000 })), large, size)
    if (size < large.length) t.throws(limited, { message: /larger than the 10000 bytes/ })
  }
  const many = JSON.stringify(list(...Array.from({ length: 100 }, () => secret('one', { k: 'x'.repeat(1_000) }))))
  t.doesNotThrow(() => rewritten(rewriterOf(plan(DATA, { target: SECRETS, limit: 10_000 })), many, 500))
  t.throws(() =>
    rewritten(rewriterOf(plan(DATA, { limit: 100 })), JSON.stringify(secret('one', { k: 'x'.repeat(200) }))),
  )
  const deep = `{"items":[{"data":${'['.repeat(5_000)}${']'.repeat(5_000)}}]}`
  t.throws(() => rewritten(rewriterOf(plan(DATA, { target: SECRETS })), deep), { message: /too deep/ })
})

t.test('Of two members with one name, none passes: clients would read one or the other', async (t) => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
  const row = '{"cells":["abcdef"],"object":{"data":{"k":"YWJjZGVm"}},"object":{}}'
  const twice: readonly [string, string][] = [
    [SECRETS, `{"kind":"Table","apiVersion":"meta.k8s.io/v1","rows":[${row}]}`],
    [`${SECRETS}/one`, '{"kind":"Secret","apiVersion":"v1","kind":"Status","data":{"k":"YWJjZGVm"}}'],
    [SECRETS, '{"items":[{"metadata":{"labels":{"a":"abcdef"},"labels":{}},"data":{"k":"YWJjZGVm"}}]}'],
    [WATCH, '{"type":"ADDED","object":{"data":{"k":"YWJjZGVm"}},"object":{}}'],
  ]
  for (const [target, text] of twice) {
    t.throws(() => rewritten(rewriterOf(plan(DATA, { target, accept })), text), { name: 'Unmaskable' }, text)
  }
})

t.test('A watch is refused an event that is no event', async (t) => {
  for (const text of [
    '{"type":"ADDED"}',
    '{"object":1,"type":"X"}',
    '{"object":{},"object":{}}',
    '{"type":"A","other":{}}',
    '7\n',
    'x',
  ]) {
    t.throws(() => rewritten(rewriterOf(plan(DATA, { target: WATCH })), `${text}\n`), { name: 'Unmaskable' }, text)
  }
})
