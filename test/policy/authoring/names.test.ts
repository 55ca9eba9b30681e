/** Names in policies, as those who honour them read them. */
import fc from 'fast-check'
import t from 'tap'
import { wrongFieldPath } from '../../../src/policy/authoring/names.ts'
import { parsePath } from '../../../src/protocols/kubernetes/masking/path.ts'

const PARTS = [
  'data',
  '*',
  '.',
  '[',
  ']',
  '["a.b/c"]',
  '[*]',
  '"',
  '\\"',
  '$',
  '0',
  ' ',
  "'",
  '/',
  '-',
  'é',
  '\\u0041',
  '\\x',
]

t.test('a path of a mask that is no mistake is one that can be honoured, and the other way round', (t) => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PARTS), { maxLength: 8 }), (parts) => {
      const path = parts.join('')
      return (wrongFieldPath(path) === null) === (parsePath(path) !== null)
    }),
    { numRuns: 5_000 },
  )
  t.pass('for all of them')
  t.end()
})

t.test('the paths that policies are told to write can be honoured', (t) => {
  for (const path of ['data.*', 'spec.users[*].token', 'metadata.annotations["a.b/c"]', '$', '$.data["tls.key"]']) {
    t.equal(wrongFieldPath(path), null, path)
    t.ok(parsePath(path), path)
  }
  t.end()
})
