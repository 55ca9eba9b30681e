import fc from 'fast-check'
import t, { type Test as Tap } from 'tap'
import { stringify } from 'yaml'
import { parseYaml } from '../../../../../src/protocols/kubernetes/body/yaml/parse.ts'
import { decoded } from '../requests.ts'

const read = (text: string) => parseYaml(Buffer.from(text))
const refused = (t: Tap, text: string, message: RegExp) => t.throws(() => read(text), { message }, text.slice(0, 60))

t.test('Plain YAML is the JSON that it means', async (t) => {
  t.same(
    read(
      'kind: Pod\nspec:\n  containers:\n  - name: "8080"\n    ports: [80, 443]\n  on: "yes"\n'.replace(
        '  on',
        '  "on"',
      ),
    ),
    {
      kind: 'Pod',
      spec: { containers: [{ name: '8080', ports: [80, 443] }], on: 'yes' },
    },
  )
  t.same(read('a: |\n  two\n  lines\nb: 2001-12-14\nc: ~\nd: 1.5\n'), {
    a: 'two\nlines\n',
    b: '2001-12-14',
    c: null,
    d: 1.5,
  })
})

t.test('Whatever JSON is written as YAML comes back as that JSON', async (t) => {
  const value = fc.jsonValue({ maxDepth: 4 }).filter((json) => {
    const text = JSON.stringify(json)
    return !text.includes('__proto__') && !text.includes('<<') && !/[0-9]{16}|-0[,\]}]|-0$|e[+-]?[0-9]/.test(text)
  })
  fc.assert(
    fc.property(value, (json) => {
      const text = stringify(json, {
        defaultStringType: 'QUOTE_DOUBLE',
        defaultKeyType: 'QUOTE_DOUBLE',
        aliasDuplicateObjects: false,
      })
      t.same(read(text), json)
    }),
    { numRuns: 200 },
  )
})

t.test('YAML that its versions, or its readers, take differently is refused', async (t) => {
  refused(t, 'a: yes', /differently/)
  refused(t, 'a: 0777', /differently/)
  refused(t, 'a: 1:30', /differently/)
  refused(t, 'on: 1', /no string|differently/)
  refused(t, '8080: web', /no string/)
  refused(t, '? [a, b]\n: c', /no string/)
})

t.test('What YAML has beyond JSON is refused', async (t) => {
  refused(t, 'a: &x 1\nb: *x', /alias/)
  refused(t, 'a: &x {b: 1}\nc:\n  <<: *x', /alias|merge/)
  refused(t, 'a: {<<: {b: 1}}', /merge key/)
  refused(t, 'a: !!binary aGk=', /tag|not YAML|JSON has not/)
  refused(t, 'a: !!str 1', /tag/)
  refused(t, 'a: !custom 1', /tag|not YAML|JSON has not/)
  refused(t, 'a: !!set {b, c}', /tag|not YAML|JSON has not/)
  refused(t, 'a: 1\na: 2', /twice/)
  refused(t, 'b: [{a: 1, "a": 2}]', /twice/)
  refused(t, 'a: 1\n---\nb: 2', /not YAML/)
  refused(t, 'a: .inf', /./)
  refused(t, 'a: 9007199254740993', /exactly/)
})

t.test('An alias bomb, or what would hold the parser, is refused at once', async (t) => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefghi'.split('').map((name, at) => `${name}: &${name} [${`*${'abcdefgh'[at]},`.repeat(9)}]`),
  ]
  refused(t, bomb.join('\n'), /alias/)
  refused(t, `a: ${'['.repeat(20_000)}`, /nested|not YAML/)
  refused(t, `a: "${'x'.repeat(150_000)}"`, /larger than/)
})

t.test('A server-side apply is sent on as JSON under its own content type, however it was written', async (t) => {
  const target = '/api/v1/namespaces/default/configmaps/c?fieldManager=agent'
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { key: 'value' } }
  for (const body of [stringify(object), ` ${JSON.stringify(object)}`]) {
    const found = decoded('PATCH', target, { type: 'application/apply-patch+yaml', body })
    t.equal(found.contentType, 'application/apply-patch+yaml')
    t.same(JSON.parse(Buffer.from(found.bytes).toString()), object)
    t.same(found.patch, {
      type: 'apply',
      paths: ['/apiVersion', '/kind', '/metadata/name', '/data/key'],
      operations: [],
    })
  }
  t.throws(() => decoded('PATCH', target, { type: 'application/apply-patch+yaml', body: 'a: .nan' }))
  const created = decoded('POST', '/api/v1/namespaces/default/configmaps', {
    type: 'application/yaml',
    body: stringify(object),
  })
  t.equal(created.contentType, 'application/json')
})
