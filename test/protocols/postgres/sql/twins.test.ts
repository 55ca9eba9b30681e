import fc from 'fast-check'
import t from 'tap'
import { POSTGRES_LIMITS } from '../../../../src/config/schema.ts'
import type { Catalogue } from '../../../../src/protocols/postgres/catalogue.ts'
import { analyse } from '../../../../src/protocols/postgres/sql/analyse.ts'
import { loadParser } from '../../../../src/protocols/postgres/sql/parse.ts'
import { Twins } from '../../../../src/protocols/postgres/sql/twins.ts'

await loadParser()

const column = (name: string, attnum: number) => ({ name, attnum, typeOid: 23, baseTypeOid: 23 })
const TABLE = {
  oid: 1,
  schema: 'public',
  name: 't',
  kind: 'table',
  columns: [column('a', 1), column('b', 2)],
  parents: [],
  children: [],
  reads: [],
  rules: false,
  triggers: false,
} as const
const CATALOGUE: Catalogue = {
  revision: 1,
  serverVersion: 180000,
  searchPath: ['pg_catalog', 'public'],
  relation: (_, name) => (name === 't' ? TABLE : undefined),
  relationByOid: () => undefined,
  functions: () => [],
  operators: () => [],
  type: () => undefined,
}

const analysed = (text: string) => analyse(text, CATALOGUE, POSTGRES_LIMITS)

/** What a text's twin says, once another text was learnt. */
function told(learnt: string, asked: string) {
  const twins = new Twins()
  twins.find(learnt, 1)
  twins.learn(learnt, analysed(learnt))
  return twins.find(asked, 1)
}

t.test('a text that differs in the constant of a comparison only is known without parsing', async (t) => {
  for (const [learnt, asked] of [
    ['SELECT a FROM t WHERE a = 1;', 'SELECT a FROM t WHERE a = 123456789;'],
    ['SELECT a FROM t WHERE a = 1', 'SELECT a FROM t WHERE a = 0'],
    ['SELECT a FROM t WHERE (a = 1) AND b < 2', 'SELECT a FROM t WHERE (a = 7) AND b < 9'],
  ] as const) {
    const twin = told(learnt, asked)
    t.ok(twin, asked)
    t.match(twin, { statements: [{ shape: { text: asked } }] })
  }
})

t.test('whatever could mean something else with another number is parsed', async (t) => {
  for (const [learnt, asked] of [
    ['SELECT a FROM t LIMIT 1', 'SELECT a FROM t LIMIT 2'],
    ['SELECT a FROM t WHERE a = 1 LIMIT 1', 'SELECT a FROM t WHERE a = 2 LIMIT 1'],
    ['SELECT 1', 'SELECT 2'],
    ["SELECT a FROM t WHERE b = ' 1 '", "SELECT a FROM t WHERE b = ' 2 '"],
    ['SELECT a FROM t WHERE a = 1 /* 5 */', 'SELECT a FROM t WHERE a = 1 /* 6 */'],
    ['SELECT a FROM t WHERE a = 1 -- 5\n', 'SELECT a FROM t WHERE a = 1 -- 6\n'],
    ['SELECT a FROM t WHERE a = 1', 'SELECT a FROM t WHERE a = 1234567890'],
    ['SELECT a FROM t WHERE a = 1', 'SELECT a FROM t WHERE a = 1.5'],
    ['SELECT a FROM t WHERE a = 1', 'SELECT a FROM t WHERE a = 1e5'],
    ['SELECT a FROM t WHERE a = 1', 'SELECT a FROM t WHERE a = 1 OR b = 2'],
    ['UPDATE t SET a = 1 WHERE b = 1', 'UPDATE t SET a = 1 WHERE b = 2'],
    ['DELETE FROM t WHERE a = 7 OR NOT a = 5/**/', 'DELETE FROM t WHERE a = 5 OR NOT a = 5/**/'],
    ['SET statement_timeout = 1', 'SET statement_timeout = 2'],
    ['SELECT a FROM t ORDER BY 1', 'SELECT a FROM t ORDER BY 2'],
  ] as const) {
    t.equal(told(learnt, asked), undefined, asked)
  }
})

t.test('another catalogue forgets what was learnt', async (t) => {
  const twins = new Twins()
  const text = 'SELECT a FROM t WHERE a = 1'
  twins.find(text, 1)
  twins.learn(text, analysed(text))
  t.ok(twins.find(text, 1))
  t.equal(twins.find(text, 2), undefined)
})

t.test('a twin never says anything but what parsing would have said', async (t) => {
  const integer = fc.oneof(
    fc.nat(99),
    fc.nat(),
    fc.constantFrom('00', '0x1F', '1_0', '1.5', '$1', "'1'", '-1', '+1', '1e1'),
  )
  const space = fc.constantFrom(' ', '', '\n', '\t', '/**/', ' -- 1\n')
  const operator = fc.constantFrom('=', '<', '>', '<>', '>=', '||')
  const tail = fc.constantFrom('', ';', ' ', ' LIMIT 3', ' OR NOT a = 5', ' ORDER BY 1', ') x', '::int', '||')
  const head = fc.constantFrom(
    'SELECT a FROM t WHERE a',
    'SELECT * FROM t WHERE (b',
    'DELETE FROM t WHERE a',
    'SELECT a, 5 FROM t WHERE a',
  )
  const text = fc.tuple(head, space, operator, space, integer, space, tail).map((parts) => parts.join(''))
  fc.assert(
    fc.property(text, text, integer, integer, (learnt, other, from, to) => {
      for (const asked of [other, learnt.replace(String(from), String(to)), learnt.replace(/\d+/, String(to))]) {
        const twin = told(learnt, asked)
        if (twin === undefined) continue
        const parsed = analysed(asked)
        if (twin.kind !== 'statements' || parsed.kind !== 'statements') throw new Error(`${asked}: ${parsed.kind}`)
        const [a, b] = [twin.statements[0]?.shape, parsed.statements[0]?.shape]
        if (JSON.stringify(a) !== JSON.stringify(b))
          throw new Error(`${asked}: ${JSON.stringify(a)} is not ${JSON.stringify(b)}`)
      }
    }),
    { numRuns: 3000 },
  )
  t.pass('3,000 pairs')
})
