import pg from 'pg'
import t, { type Test } from 'tap'
import { CatalogueLoader, type Query } from '../../../../src/protocols/postgres/catalogue/loader.ts'
import { sharedPostgres } from '../../../support/postgres.ts'
import { textQuery } from './client.ts'

interface Opened {
  readonly client: pg.Client
  readonly query: Query
  readonly run: (sql: string) => Promise<unknown>
}

async function opened(t: Test): Promise<Opened> {
  const server = await sharedPostgres()
  const client = new pg.Client(server.connection(await server.createDatabase()))
  await client.connect()
  t.teardown(() => client.end())
  return { client, query: textQuery(client), run: (sql) => client.query(sql) }
}

void t.test(
  'a snapshot knows relations, columns, views, partitions, rules, triggers, functions and types',
  async (t) => {
    const { query, run } = await opened(t)
    await run(`
    CREATE DOMAIN ssn AS text; CREATE DOMAIN strict_ssn AS ssn CHECK (VALUE <> '');
    CREATE TABLE customers (id int PRIMARY KEY, gone int, "Odd Name" strict_ssn);
    ALTER TABLE customers DROP COLUMN gone;
    CREATE VIEW one AS SELECT id FROM customers;
    CREATE VIEW two AS SELECT one.id, pg_authid.rolname FROM one, pg_authid WHERE EXISTS (SELECT FROM pg_stats);
    CREATE MATERIALIZED VIEW kept AS SELECT * FROM two WITH NO DATA;
    CREATE TABLE measures (at int, value int) PARTITION BY RANGE (at);
    CREATE TABLE measures_1 PARTITION OF measures FOR VALUES FROM (0) TO (9);
    CREATE TABLE employees () INHERITS (customers);
    CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER t AFTER INSERT ON measures_1 FOR EACH ROW EXECUTE FUNCTION touched();
    CREATE TRIGGER off AFTER INSERT ON employees FOR EACH ROW EXECUTE FUNCTION touched();
    ALTER TABLE employees DISABLE TRIGGER off;
    CREATE RULE r AS ON DELETE TO employees DO INSTEAD NOTHING;
    CREATE FUNCTION lower(int, int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION many(VARIADIC text[]) RETURNS SETOF text LANGUAGE sql AS 'SELECT unnest($1)';
    CREATE PROCEDURE act() LANGUAGE sql AS 'SELECT 1';
    CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = lower);
    CREATE OPERATOR ~~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
    CREATE TEMP TABLE fleeting (id int);
    CREATE SCHEMA app; CREATE TABLE app.customers (x int); CREATE SEQUENCE app.ids;`)
    const known = await new CatalogueLoader(['public', 'missing', 'app']).load(query)
    t.same(known.searchPath, ['pg_catalog', 'public', 'app'])
    t.equal(Math.floor(known.serverVersion / 10_000), 18)

    const customers = known.relation(null, 'customers')
    t.match(customers, { schema: 'public', kind: 'table', rules: false, triggers: false, system: undefined })
    t.same(
      customers?.columns.map(({ name, attnum }) => [name, attnum]),
      [
        ['id', 1],
        ['Odd Name', 3],
      ],
    )
    t.equal(customers?.columns[1]?.typeOid, known.type(null, 'strict_ssn'))
    t.equal(customers?.columns[1]?.baseTypeOid, known.type('pg_catalog', 'text'))
    t.match(known.relation('app', 'customers'), { columns: [{ name: 'x' }] })
    t.match(known.relation(null, 'ids'), { schema: 'app', kind: 'sequence' })
    t.equal(known.relation(null, 'fleeting'), undefined)
    t.match(known.relation(null, 'customers_pkey'), { kind: 'index', columns: [] })

    t.same(known.relation(null, 'customers_pkey')?.reads, [customers?.oid])

    const names = (oids: readonly number[] | undefined) => oids?.map((oid) => known.relationByOid(oid)?.name).sort()
    t.same(names(known.relation(null, 'one')?.reads), ['customers'])
    const reads = names(known.relation(null, 'kept')?.reads)
    for (const below of ['two', 'one', 'customers', 'pg_authid', 'pg_stats', 'pg_statistic'])
      t.ok(reads?.includes(below), below)
    t.same(names(known.relation(null, 'measures')?.children), ['measures_1'])
    t.same(names(known.relation(null, 'employees')?.parents), ['customers'])
    t.match(known.relation(null, 'measures'), { kind: 'partitioned', triggers: false })
    t.match(known.relation(null, 'measures_1'), { triggers: true, rules: false })
    t.match(known.relation(null, 'employees'), { triggers: false, rules: true })

    t.match(known.relation(null, 'pg_authid'), { schema: 'pg_catalog', system: 'secret' })
    t.match(known.relation('information_schema', 'columns'), { kind: 'view', system: 'open' })
    t.equal(known.relation(null, 'columns'), undefined)
    const toast = known.relationByOid(customers?.oid ?? 0)
    t.ok(toast)
    t.match(known.relation('pg_toast', `pg_toast_${customers?.oid}`), {
      kind: 'toast',
      system: 'secret',
      reads: [customers?.oid],
    })

    t.same(
      known
        .functions(null, 'lower')
        .map((each) => [each.schema, each.class])
        .at(-1),
      ['public', 'unknown'],
    )
    t.same(
      known.functions('pg_catalog', 'lower').map((each) => each.class),
      ['pure', 'pure', 'pure'],
    )
    t.match(known.functions('public', 'lower'), [{ defaults: 1, variadic: false, arguments: [23, 23] }])
    t.match(known.functions(null, 'many'), [{ variadic: true, returnsSet: true }])
    t.match(known.functions(null, 'act'), [{ kind: 'procedure', class: 'unknown' }])
    t.match(known.operators(null, '==='), [{ name: 'lower', class: 'unknown' }])
    t.match(known.operators(null, '~~~'), [{ name: 'texteq', class: 'pure' }])
    t.same(known.operators(null, '='), [])
    t.ok(known.type('public', 'customers'))
  },
)

void t.test('the revision moves when a name may mean something else, and only then', async (t) => {
  const { query, run } = await opened(t)
  const loader = new CatalogueLoader(['public', 'later'])
  let before = await loader.load(query)
  for (const ddl of [
    'CREATE TABLE a (x int, y int)',
    'ALTER TABLE a RENAME x TO z',
    'ALTER TABLE a ALTER y TYPE text',
    'ALTER TABLE a DROP COLUMN y',
    'CREATE VIEW v AS SELECT z FROM a',
    'CREATE TABLE b (z int); CREATE OR REPLACE VIEW v AS SELECT z FROM b',
    'ALTER TABLE a RENAME TO c',
    'CREATE SCHEMA later',
    'ALTER TABLE c SET SCHEMA later',
    'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
    'DROP FUNCTION f()',
    'CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$; CREATE TRIGGER t AFTER INSERT ON b EXECUTE FUNCTION g()',
    'ALTER TABLE b DISABLE TRIGGER t',
    'CREATE DOMAIN d AS int',
    'DROP TABLE later.c',
    'BEGIN; DROP TABLE b CASCADE; CREATE TABLE b (z int); COMMIT',
  ]) {
    await run(ddl)
    const after = await loader.load(query)
    t.ok(after.revision > before.revision, ddl)
    t.equal(await loader.load(query), after, `${ddl}: read again, it is the same object`)
    before = after
  }
  for (const other of [
    'INSERT INTO b VALUES (1)',
    'ANALYZE',
    'VACUUM FULL b',
    'CREATE TEMP TABLE q (id int)',
    "CREATE OR REPLACE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    'CREATE ROLE somebody_else',
    'BEGIN; CREATE TABLE never (id int); ROLLBACK',
  ]) {
    await run(other)
    t.equal(await loader.load(query), before, other)
  }
  await run('DROP ROLE somebody_else')
})

void t.test('foreign keys that act are known from the relation that they refer to', async (t) => {
  const { query, run } = await opened(t)
  const loader = new CatalogueLoader(['public'])
  await run(`CREATE TABLE p (x int, id int PRIMARY KEY, code text UNIQUE);
    CREATE TABLE a (p int REFERENCES p ON DELETE CASCADE, c text REFERENCES p (code) ON UPDATE CASCADE);
    CREATE TABLE b (p int REFERENCES p ON DELETE SET NULL); CREATE TABLE c (p int REFERENCES p)`)
  const before = await loader.load(query)
  const oid = (name: string) => before.relation(null, name)?.oid
  t.same(before.relation(null, 'p')?.cascades, [
    { oid: oid('a'), onDelete: 'delete', onUpdate: [] },
    { oid: oid('a'), onDelete: null, onUpdate: ['code'] },
    { oid: oid('b'), onDelete: 'update', onUpdate: [] },
  ])
  t.equal(before.relation(null, 'a')?.cascades, undefined)
  await run('ALTER TABLE c DROP CONSTRAINT c_p_fkey, ADD FOREIGN KEY (p) REFERENCES p ON DELETE CASCADE')
  t.equal((await loader.load(query)).relation(null, 'p')?.cascades?.length, 4)
})

void t.test('a schema that the role may not use is not in its path, as on the server', async (t) => {
  const { client, query, run } = await opened(t)
  await run('CREATE SCHEMA closed; CREATE TABLE closed.a (x int); CREATE TABLE public.a (y int)')
  await run('DROP ROLE IF EXISTS guest; CREATE ROLE guest')
  t.teardown(() => client.query('RESET ROLE; DROP OWNED BY guest; DROP ROLE guest').catch(() => {}))
  const loader = new CatalogueLoader(['closed', 'public'])
  t.equal((await loader.load(query)).relation(null, 'a')?.schema, 'closed')
  await run('SET ROLE guest')
  const guest = await loader.load(query)
  t.same(guest.searchPath, ['pg_catalog', 'public'])
  t.equal(guest.relation(null, 'a')?.schema, 'public')
  await run('RESET ROLE; GRANT USAGE ON SCHEMA closed TO guest; SET ROLE guest')
  t.equal((await loader.load(query)).relation(null, 'a')?.schema, 'closed')
  await run('RESET ROLE')
})

void t.test('revisions of different databases are never the same number', async (t) => {
  const [one, other] = [await opened(t), await opened(t)]
  const first = await new CatalogueLoader(['public']).load(one.query)
  const second = await new CatalogueLoader(['public']).load(other.query)
  t.not(first.revision, second.revision)
})
