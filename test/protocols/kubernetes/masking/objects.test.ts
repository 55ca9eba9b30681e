import t from 'tap'
import type { Json, JsonObject } from '../../../../src/gate/json.ts'
import { ALLOW } from '../../../support/fakes.ts'
import {
  answered,
  base64,
  list,
  mask,
  MARKED,
  MARKED_BYTES,
  plan,
  rewriterOf,
  rewritten,
  secret,
  SECRETS,
} from './sketch.ts'

const DATA = [mask('data.*')]
const VALUE = 'correct horse'
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

t.test('A masked Secret still decodes: each value is the base64 of the mask, and all else is as it was', async (t) => {
  const given = secret('one', { password: VALUE, user: 'me' })
  const got = answered(DATA, given)
  t.same(got, { ...given, data: { password: MARKED_BYTES, user: MARKED_BYTES } })
  t.equal(Buffer.from(MARKED_BYTES, 'base64').toString(), MARKED)
  t.equal(JSON.stringify(got), JSON.stringify({ ...given, data: { password: MARKED_BYTES, user: MARKED_BYTES } }))
})

t.test('What is not masked passes byte for byte: numbers, white space, escapes, the order of keys', async (t) => {
  const answer = `{ "kind" : "Secret",\n "z": 1.00000000000000000001e5, "a": "\\u0041\\/", "data":{ "k\\u0065y" : "eA==" },"big":12345678901234567890 }\n`
  const got = rewritten(rewriterOf(plan(DATA)), answer)
  t.equal(got, answer.replace('eA==', MARKED_BYTES))
})

t.test('Each method has its form, and no number is made a text', async (t) => {
  const object = { kind: 'X', s: 'abcdefghij', n: 12.5, b: true, nil: null, o: { a: 'abcdefghij', n: 1 }, l: ['x', 2] }
  const methods: readonly ['redact' | 'partial' | 'null', Json, Json, Json][] = [
    ['redact', MARKED, { a: MARKED, n: null }, [MARKED, null]],
    ['partial', '********ghij', { a: '********ghij', n: null }, ['************', null]],
    ['null', null, null, null],
  ]
  for (const [method, text, inObject, inArray] of methods) {
    const masks = ['s', 'n', 'b', 'nil', 'o', 'l'].map((path) => mask(path, method))
    const got = answered(masks, object, { target: '/api/v1/namespaces/a/configmaps/x' })
    t.same(got, { kind: 'X', s: text, n: null, b: null, nil: null, o: inObject, l: inArray }, method)
  }
  const hashed = answered([mask('*', 'hash')], { s: 'abc', t: 'abc', u: 'abd' })
  t.match(hashed['s'], /^[0-9a-f]{32}$/)
  t.equal(hashed['s'], hashed['t'])
  t.not(hashed['s'], hashed['u'])
})

t.test('Partial masks and hashes of bytes are of what they encode', async (t) => {
  const got = answered([mask('data.*', 'partial')], secret('one', { k: 'a-long-value-1234' }))
  t.same(got['data'], { k: base64('********1234') })
})

t.test('Where masks meet, the most hiding one holds, also for all below', async (t) => {
  const object = { a: { b: 'longer than eight', c: 'longer than eight' } }
  const masks = [mask('a', 'partial'), mask('a.b', 'redact'), mask('*.c', 'null')]
  t.same(answered(masks, object), { a: { b: MARKED, c: null } })
})

t.test('A path without a star goes on into arrays', async (t) => {
  const pod = { spec: { containers: [{ env: [{ name: 'A', value: 'x' }, { name: 'B' }] }, { env: [{ value: 'y' }] }] } }
  const target = '/api/v1/namespaces/a/pods/p'
  const masked = {
    spec: { containers: [{ env: [{ name: 'A', value: MARKED }, { name: 'B' }] }, { env: [{ value: MARKED }] }] },
  }
  t.same(answered([mask('spec.containers.env.value')], pod, { target }), masked)
  t.same(answered([mask('spec.containers.*.env.*.value')], pod, { target }), masked)
})

t.test('What kubectl applied last is masked by the same paths, stringData too, and stays an object', async (t) => {
  const applied = {
    kind: 'Secret',
    data: { k: base64('older') },
    stringData: { s: 'plain' },
    metadata: { name: 'one' },
  }
  const given = secret('one', { k: VALUE }, { annotations: { [LAST_APPLIED]: `${JSON.stringify(applied)}\n` } })
  const { annotations } = answered(DATA, given)['metadata'] as { annotations: Record<string, string> }
  t.same(JSON.parse(annotations[LAST_APPLIED] ?? ''), {
    ...applied,
    data: { k: MARKED_BYTES },
    stringData: { s: MARKED },
  })
  for (const text of ['not JSON', '["x"]', '"x"', `{"data":{"k":"${base64(VALUE)}"`, '{} {}']) {
    const broken = secret('one', {}, { annotations: { [LAST_APPLIED]: text } })
    const got = answered(DATA, broken)['metadata'] as { annotations: Record<string, string> }
    t.equal(got.annotations[LAST_APPLIED], '{}', text)
  }
})

t.test('No label and no annotation says a masked value, in whatever form it is', async (t) => {
  const said = {
    itself: VALUE,
    within: `--password="${VALUE}"`,
    encoded: base64(VALUE),
    'encoded-in-a-longer': base64(`${VALUE} and more`),
    url: Buffer.from(VALUE).toString('base64url'),
  }
  const kept = { other: 'unrelated', none: '', count: '3' }
  const given = secret('one', { password: VALUE, short: '3!' }, { annotations: { ...said, ...kept }, labels: said })
  const metadata = answered(DATA, given)['metadata'] as { annotations: JsonObject; labels: JsonObject }
  t.same(metadata.annotations, { ...Object.fromEntries(Object.keys(said).map((key) => [key, MARKED])), ...kept })
  t.same(metadata.labels, Object.fromEntries(Object.keys(said).map((key) => [key, MARKED])))
})

t.test('A value that is short is only hidden where it stands alone', async (t) => {
  const given = secret('one', { n: '12' }, { annotations: { alone: '12', within: 'at 12:30' } })
  const { annotations } = answered(DATA, given)['metadata'] as { annotations: JsonObject }
  t.same(annotations, { alone: MARKED, within: 'at 12:30' })
})

t.test('What was applied last says no masked value in its own annotations', async (t) => {
  const applied = {
    kind: 'Secret',
    metadata: { annotations: { copy: VALUE, [LAST_APPLIED]: VALUE }, labels: { l: VALUE } },
  }
  const given = secret('one', { k: VALUE }, { annotations: { [LAST_APPLIED]: JSON.stringify(applied) } })
  t.notMatch(JSON.stringify(answered(DATA, given)), VALUE)
})

t.test('Names of managed fields hold the values of sets, and go where those are masked', async (t) => {
  const fields = { 'f:spec': { 'f:args': { [`v:"${VALUE}"`]: {} } } }
  const keyed = { 'f:spec': { 'f:list': { [`k:{"name":"${VALUE}"}`]: { '.': {} } } } }
  for (const fieldsV1 of [fields, keyed]) {
    const given = {
      metadata: { managedFields: [{ manager: 'm', fieldsV1 }] },
      spec: { args: [VALUE], list: [{ name: VALUE }] },
    }
    const masks = [mask('spec.args.*'), mask('spec.list.*.name')]
    const got = answered(masks, given, { target: '/apis/example.com/v1/namespaces/a/things/x' })
    t.same((got['metadata'] as JsonObject)['managedFields'], [])
  }
  const innocent = {
    metadata: { managedFields: [{ manager: 'm', fieldsV1: { 'f:data': { 'f:k': {} } } }] },
    data: { k: 'eHh4eHg=' },
  }
  t.same((answered(DATA, innocent)['metadata'] as JsonObject)['managedFields'], innocent.metadata.managedFields)
})

t.test('More values and texts than can be compared hide the texts', async (t) => {
  const data = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`k${index}`, `value-${index}`]))
  const annotations = { long: 'z'.repeat(100_000) }
  const got = answered(DATA, secret('one', data, { annotations }))['metadata'] as { annotations: JsonObject }
  t.equal(got.annotations['long'], MARKED)
})

t.test('deny refuses one object, and leaves out of many those that have a value', async (t) => {
  const denied = [mask('data.password', 'deny')]
  const [with_, without] = [secret('one', { password: VALUE }), secret('two', { user: 'me' })]
  t.throws(() => answered(denied, with_), { name: 'Unmaskable', message: 'the policy does not show data.password' })
  t.same(answered(denied, without), without)
  for (const [items, left] of [
    [[with_, without, with_], [without]],
    [
      [without, with_, without],
      [without, without],
    ],
    [[with_, with_], []],
    [
      [without, without],
      [without, without],
    ],
  ] as const) {
    t.same(answered(denied, list(...items), { target: SECRETS }), list(...left))
  }
  const made = answered(denied, with_, { method: 'DELETE' })
  t.same(made['data'], { password: null }, 'the echo of a write is not undone by refusing it')
})

t.test(
  'Items of a collection are those that policy would show by themselves, where the path $ is denied',
  async (t) => {
    const items = ['one', 'two', 'three'].map((name) => secret(name, { k: VALUE }))
    const asked: string[] = []
    const got = answered([...DATA, mask('$', 'deny')], list(...items), {
      target: SECRETS,
      get: (namespace, name) => {
        asked.push(`${namespace}/${name}`)
        return name === 'two' ? null : { ...ALLOW, masks: name === 'three' ? [mask('metadata.uid')] : DATA }
      },
    })
    t.same(asked, ['a/one', 'a/two', 'a/three'])
    t.same(
      (got['items'] as readonly { metadata: JsonObject }[]).map(({ metadata }) => metadata['name']),
      ['one'],
      'and what would be masked further by itself is left out too',
    )
  },
)

t.test('A kind that is a list and comes whole has its items masked, and a Status passes', async (t) => {
  const given = list(secret('one', { k: VALUE }))
  t.notMatch(JSON.stringify(answered(DATA, given, { method: 'DELETE', target: SECRETS })), base64(VALUE))
  t.notMatch(JSON.stringify(answered(DATA, given)), base64(VALUE))
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Success', details: { name: 'one', data: { x: 'eA==' } } }
  t.same(answered([mask('details.*')], status, { method: 'DELETE' }), status)
})

t.test(
  'An object whose kind is called a list is masked as an object too, and its items as what they look like',
  async (t) => {
    const given = {
      kind: 'AllowList',
      apiVersion: 'bank.test/v1',
      items: [{ spec: { token: VALUE } }],
      metadata: { name: 'one', annotations: { said: `it is ${VALUE}` } },
      spec: { token: VALUE },
    }
    const target = '/apis/bank.test/v1/namespaces/a/allowlists/one'
    const whole = answered([mask('spec.token')], given, { target })
    t.same(whole, {
      ...given,
      items: [{ spec: { token: MARKED } }],
      metadata: { name: 'one', annotations: { said: MARKED } },
      spec: { token: MARKED },
    })
    const accept = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'
    t.match(answered([mask('spec.token')], given, { target, accept }), {
      kind: 'PartialObjectMetadata',
      metadata: { annotations: { said: MARKED } },
    })
    for (const path of ['items.*.spec.token', '*.token', 'items']) {
      t.throws(() => answered([mask(path)], given, { target }), /may be a list/, path)
    }
  },
)

t.test('Fields that are bytes in other kinds are masked as bytes', async (t) => {
  const csr = '/apis/certificates.k8s.io/v1/certificatesigningrequests/x'
  t.same(answered([mask('status.certificate')], { status: { certificate: base64('pem') } }, { target: csr }), {
    status: { certificate: MARKED_BYTES },
  })
  const map = '/api/v1/namespaces/a/configmaps/x'
  t.same(answered([mask('*.*')], { data: { a: 'b' }, binaryData: { c: base64('d') } }, { target: map }), {
    data: { a: MARKED },
    binaryData: { c: MARKED_BYTES },
  })
})
