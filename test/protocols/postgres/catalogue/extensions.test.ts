import { readFileSync } from 'node:fs'
import pg from 'pg'
import t, { type Test } from 'tap'
import { extensionClass } from '../../../../src/protocols/postgres/catalogue/extensions.ts'
import { CatalogueLoader } from '../../../../src/protocols/postgres/catalogue/loader.ts'
import type { Catalogue } from '../../../../src/protocols/postgres/catalogue.ts'
import { analyse } from '../../../../src/protocols/postgres/sql/analyse.ts'
import { loadParser } from '../../../../src/protocols/postgres/sql/parse.ts'
import { reviewedExtensions } from '../../../../tools/catalogs/extensions.ts'
import { startPostgres } from '../../../support/postgres.ts'
import { detailOf, LIMITS } from '../sql/fixture.ts'
import { textQuery } from './client.ts'

/** Debian's, which comes with all of these. */
const server = await startPostgres({ system: true })
t.teardown(() => server.stop())
await loadParser()

interface Opened {
  readonly run: (sql: string) => Promise<unknown>
  readonly load: () => Promise<Catalogue>
}

async function opened(t: Test, sql: string): Promise<Opened> {
  const client = new pg.Client(server.connection(await server.createDatabase()))
  await client.connect()
  t.teardown(() => client.end())
  await client.query(sql)
  const loader = new CatalogueLoader(['public'])
  return { run: (more) => client.query(more), load: () => loader.load(textQuery(client)) }
}

/** The worst that a statement calls, and whether it only reads. */
function judged(
  catalogue: Catalogue,
  sql: string,
): { readonly beside: readonly string[]; readonly readsOnly: boolean } {
  const analysis = analyse(sql, catalogue, LIMITS)
  if (analysis.kind === 'refused') throw new Error(`${sql}: ${analysis.refusal.message}`)
  const [only] = analysis.statements
  if (only === undefined) throw new Error(`${sql}: nothing`)
  const { functions, readsOnly } = detailOf(only)
  return {
    beside: functions.filter((each) => each.class !== 'pure').map((each) => `${each.name} ${each.class}`),
    readsOnly,
  }
}

const PLAIN = { beside: [], readsOnly: true }

const EXTENSIONS = [
  'citext',
  'hstore',
  'ltree',
  'pg_trgm',
  'cube',
  'seg',
  'isn',
  'intarray',
  'btree_gist',
  'btree_gin',
  'fuzzystrmatch',
  'unaccent',
  '"uuid-ossp"',
  'tablefunc',
  'pgcrypto',
]
const ALL = EXTENSIONS.map((name) => `CREATE EXTENSION ${name};`).join(' ')
const TABLES = `CREATE TABLE people (id int PRIMARY KEY, email text, tags text[]);`

void t.test('with every reviewed extension in the path, ordinary statements stay plain reads', async (t) => {
  const { load } = await opened(t, `${ALL} ${TABLES} CREATE TABLE members (email citext, extra hstore, at ltree);`)
  const catalogue = await load()
  t.ok(catalogue.operators(null, '=').length > 5, 'operators of extensions are named =')
  for (const sql of [
    'SELECT id FROM people WHERE id = 1',
    'SELECT id FROM people WHERE id <> 1 AND id < 3 OR id >= 4 AND email || email = email',
    "SELECT id FROM people WHERE email LIKE 'a%' AND email ~* 'x' AND tags @> '{a}'",
    'SELECT max(email), min(id), count(*) FROM people GROUP BY tags ORDER BY 1',
    "SELECT replace(email, 'a', 'b'), split_part(email, '@', 1), strpos(email, '@'), translate(email, 'a', 'b') FROM people",
    "SELECT regexp_replace(email, 'a', 'b'), regexp_match(email, 'a') FROM people",
    'SELECT p.id FROM people p JOIN people q USING (id) WHERE p.id IN (1, 2)',
    'SELECT max(email), min(email) FROM members',
    "SELECT email::text, extra -> 'a', at <@ 'x' FROM members WHERE email = 'Ada@example.com'",
    "SELECT similarity(email, 'x'), soundex(email), unaccent(email), digest(email, 'sha256') FROM people",
    "SELECT uuid_generate_v4(), gen_salt('bf'), normal_rand(1, 0, 1)",
    'SELECT email::citext = id::text FROM people',
  ]) {
    t.same(judged(catalogue, sql), PLAIN, sql)
  }
})

void t.test('what runs SQL or changes the session is judged as that', async (t) => {
  const catalogue = await (await opened(t, ALL)).load()
  for (const [sql, beside] of [
    ["SELECT * FROM crosstab('SELECT 1, 2, 3') AS c (a int, b int)", ['crosstab reads']],
    ["SELECT * FROM crosstab2('DELETE FROM people')", ['crosstab2 reads']],
    ["SELECT * FROM connectby('t', 'a', 'b', 'c', 0) AS c (a text)", ['connectby reads']],
    ['SELECT set_limit(0.5)', ['set_limit session']],
    ['SELECT isn_weak(true)', ['isn_weak session']],
  ] as const) {
    t.same(judged(catalogue, sql).beside, beside, sql)
  }
})

void t.test("an operator of somebody's own named = is unknown still, beside those of extensions", async (t) => {
  const { run, load } = await opened(t, `${ALL} ${TABLES}`)
  t.same(judged(await load(), 'SELECT id FROM people WHERE id = 1'), PLAIN)
  await run(`CREATE FUNCTION same(bigint, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
    CREATE OPERATOR = (LEFTARG = bigint, RIGHTARG = text, FUNCTION = same)`)
  t.same(judged(await load(), 'SELECT id FROM people WHERE id = 1'), { beside: ['same unknown'], readsOnly: false })
})

void t.test('a function is no better for being added to an extension, nor an aggregate for its parts', async (t) => {
  const { run, load } = await opened(
    t,
    `${ALL}
    CREATE FUNCTION mine(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
    CREATE AGGREGATE sums(int) (SFUNC = mine, STYPE = int);
    CREATE FUNCTION looks(text) RETURNS int IMMUTABLE LANGUAGE internal AS 'textlen'`,
  )
  const classOf = async (name: string) => (await load()).functions('public', name).map((each) => each.class)
  t.same(await classOf('looks'), ['unknown'], 'compiled, but of no extension')
  await run(`ALTER EXTENSION citext ADD FUNCTION mine(int, int); ALTER EXTENSION citext ADD AGGREGATE sums(int)`)
  t.same(await classOf('mine'), ['unknown'])
  t.same(await classOf('sums'), ['unknown'])
  const before = await load()
  await run('ALTER EXTENSION citext DROP FUNCTION citext_eq(citext, citext)')
  t.not(await load(), before, 'what leaves its extension is looked at again')
  t.same(await classOf('citext_eq'), ['unknown'])
  await run('ALTER EXTENSION citext ADD FUNCTION citext_eq(citext, citext)')
  t.same(await classOf('citext_eq'), ['pure'])
  await run('ALTER FUNCTION citext_eq(citext, citext) SECURITY DEFINER')
  t.same(await classOf('citext_eq'), ['unknown'])
  await run('ALTER FUNCTION citext_larger(citext, citext) VOLATILE')
  t.same([...new Set((await load()).functions('public', 'max').map((each) => each.class))], ['unknown'])
})

void t.test('an extension that nobody has reviewed is unknown', async (t) => {
  const catalogue = await (await opened(t, 'CREATE EXTENSION dblink; CREATE EXTENSION earthdistance CASCADE')).load()
  for (const name of ['dblink', 'dblink_exec', 'geo_distance']) {
    const classes = new Set(catalogue.functions('public', name).map((each) => each.class))
    t.same([...classes], ['unknown'], name)
  }
})

void t.test('the rules of the review, each alone', async (t) => {
  const of = {
    name: 'f',
    extension: 'vector',
    volatility: 'i',
    definer: false,
    language: 'c',
    internal: false,
    aggregate: false,
  }
  t.equal(extensionClass(of), 'pure')
  t.equal(extensionClass({ ...of, volatility: 's' }), 'pure')
  t.equal(extensionClass({ ...of, volatility: 'v', internal: true }), 'pure')
  t.equal(extensionClass({ ...of, extension: 'postgis' }), 'pure')
  for (const odd of [
    { extension: null },
    { extension: 'constructor' },
    { extension: 'Vector' },
    { definer: true },
    { language: 'sql' },
    { language: 'plpgsql' },
    { language: '' },
    { volatility: 'v' },
    { volatility: '' },
    { extension: 'citext', name: 'replace', language: 'sql', definer: true },
    { extension: 'postgis', name: 'st_fromflatgeobuftotable' },
  ]) {
    t.equal(extensionClass({ ...of, ...odd }), 'unknown', JSON.stringify(odd))
  }
  t.equal(extensionClass({ ...of, extension: 'postgis', name: 'st_estimatedextent', volatility: 's' }), 'reads')
  t.equal(extensionClass({ ...of, extension: 'citext', name: 'replace', language: 'sql' }), 'pure')
})

void t.test('what is shipped is what was reviewed', async (t) => {
  const shipped = new URL('../../../../src/protocols/postgres/catalogue/extensions.json', import.meta.url)
  t.equal(readFileSync(shipped, 'utf8'), reviewedExtensions())
})
