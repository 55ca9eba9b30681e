import fc from 'fast-check'
import t from 'tap'
import { overlaps, parsePath } from '../../../../src/protocols/kubernetes/masking/path.ts'

t.test('Paths of masks are read as they are written in policies', async (t) => {
  const read: readonly [string, readonly string[]][] = [
    ['data.*', ['data', '*']],
    ['$.data.*', ['data', '*']],
    ['$', []],
    ['spec.containers.*.env.*.value', ['spec', 'containers', '*', 'env', '*', 'value']],
    ['spec.containers[*].env', ['spec', 'containers', '*', 'env']],
    ['metadata.annotations["a.b/c"]', ['metadata', 'annotations', 'a.b/c']],
    ['metadata.annotations["say \\"x\\""].y', ['metadata', 'annotations', 'say "x"', 'y']],
    ['data.tls-key', ['data', 'tls-key']],
    ['["a b"].c', ['a b', 'c']],
    ['$["a"]', ['a']],
  ]
  for (const [text, names] of read) {
    t.same(
      parsePath(text)?.map((segment) => (segment === '*' ? '*' : segment.name)),
      names,
      text,
    )
  }
})

t.test('A path that could mean two things, or nothing, is no path', async (t) => {
  const wrong = [
    '', '.', 'data.', '.data', 'data..a', 'data[0]', "data['a']", 'data["a"', 'data["a"]b', 'data[*', 'data.a b', 'data.*a',
    'data.a*', '$data', '$$', 'a.$', 'data."a"', `a${'.a'.repeat(64)}`,
  ] // prettier-ignore
  for (const text of wrong) t.equal(parsePath(text), null, text)
})

t.test('Any name can be written in brackets', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 8 }), (names) => {
      const text = names.map((name) => `[${JSON.stringify(name)}]`).join('')
      const path = parsePath(text)
      return JSON.stringify(path) === JSON.stringify(names.map((name) => ({ name })))
    }),
  )
  t.pass()
})

t.test('A pointer meets a masked path at it, above it and below it, with indexes or without', async (t) => {
  const path = parsePath('spec.containers.*.env.value') ?? []
  for (const pointer of [
    [],
    ['spec'],
    ['spec', 'containers', '0', 'env'],
    ['spec', 'containers', '0', 'env', '1', 'value'],
    ['spec', 'containers', '0', 'env', 'value', 'deeper'],
    ['spec', 'containers', '-', 'env', '-'],
  ]) {
    t.ok(overlaps(path, pointer), pointer.join('/'))
  }
  for (const pointer of [['metadata'], ['spec', 'nodeName'], ['spec', 'containers', '0', 'image']]) {
    t.notOk(overlaps(path, pointer), pointer.join('/'))
  }
})
