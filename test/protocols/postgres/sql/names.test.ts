import t from 'tap'
import { analyse } from '../../../../src/protocols/postgres/sql/analyse.ts'
import { catalogueOf, detailOf, facts, functionsIn, LIMITS, refusalOf, relations } from './fixture.ts'

void t.test('a name means what it means to the server: the nearest scope, and a column before a row', async (t) => {
  t.same(relations('SELECT name FROM customers'), ['public.customers read name'])
  t.same(relations('SELECT c.ssn FROM customers AS c'), ['public.customers read ssn'])
  t.same(relations('SELECT public.customers.ssn FROM customers'), ['public.customers read ssn'])
  t.same(relations('SELECT x.a FROM customers AS x (z, a)'), ['public.customers read name'])
  t.same(relations('SELECT (SELECT ssn FROM orders LIMIT 1) FROM customers'), [
    'public.customers read ssn',
    'public.orders read',
  ])
  t.same(relations('SELECT 1 FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE customer_id = c.id)'), [
    'public.customers read id',
    'public.orders read customer_id',
  ])
  t.same(relations('SELECT c FROM customers c'), ['public.customers read *'])
  t.same(relations('SELECT count(*) FROM customers'), ['public.customers read'])
  t.same(relations('SELECT id, ctid, xmin FROM customers'), ['public.customers read ctid,id,xmin'])
  t.same(relations('SELECT hidden FROM app.customers'), ['app.customers read hidden'])
})

void t.test(
  'names that would take seconds to look up refuse their statement, and wide queries of people do not',
  async (t) => {
    const list = (count: number, each: (at: number) => string) =>
      Array.from({ length: count }, (_, at) => each(at)).join()
    for (const text of [
      `SELECT ${list(12_000, () => 'nowhere')} FROM ${list(6_000, (at) => `orders t${at}`)}`,
      `SELECT ${list(12_000, () => '*')} FROM ${list(3_000, (at) => `orders t${at}`)}`,
      `SELECT ${list(8_000, () => 'x')} FROM ${list(3_000, (at) => `(SELECT 1 AS a) t${at}`)}`,
    ]) {
      const began = performance.now()
      t.equal(refusalOf(text), 'command.too-large')
      t.ok(performance.now() - began < 5_000, 'in no time')
    }
    const wide = list(1_600, (at) => `t${at % 100}.id AS c${at}`)
    t.equal(refusalOf(`SELECT ${wide} FROM ${list(100, (at) => `orders t${at}`)}`), null)
  },
)

void t.test('whole rows and stars are every column, in all their spellings', async (t) => {
  for (const shown of [
    '*',
    'c.*',
    'c',
    'row(c.*)',
    'to_json(c)',
    'c::text',
    "format('%s', c)",
    '(c).ssn',
    'ssn(c)',
    'array_agg(c)',
    '(SELECT c)',
    'c = c',
  ]) {
    t.ok(relations(`SELECT ${shown} FROM customers c`).includes('public.customers read *'), shown)
  }
  t.same(relations('TABLE customers'), ['public.customers read *'])
  t.same(relations('SELECT x FROM (SELECT * FROM customers) x'), ['public.customers read *'])
  t.same(functionsIn('SELECT ssn(c) FROM customers c'), [], 'a projection is no call')
  t.same(functionsIn('SELECT c.secret_of FROM customers c'), ['public.secret_of unknown'])
  t.same(functionsIn('SELECT (c).secret_of FROM customers c'), ['public.secret_of unknown'])
})

void t.test('a CTE hides a table only where the server lets it', async (t) => {
  t.same(relations('WITH customers AS (SELECT 1 AS ssn) SELECT ssn FROM customers'), [])
  t.same(relations('WITH customers AS (SELECT 1) SELECT ssn FROM public.customers'), ['public.customers read ssn'])
  t.same(relations('WITH customers AS (SELECT ssn FROM customers) SELECT ssn FROM customers'), [
    'public.customers read ssn',
  ])
  t.same(
    relations('WITH RECURSIVE customers AS (SELECT 1 AS n UNION SELECT n FROM customers) SELECT n FROM customers'),
    [],
  )
  t.same(relations('WITH a AS (SELECT ssn FROM customers), customers AS (SELECT 1 AS x) SELECT x FROM a, customers'), [
    'public.customers read ssn',
  ])
  t.same(relations('WITH customers AS (SELECT 1) DELETE FROM customers'), ['public.customers delete'])
  t.same(relations("WITH customers AS (SELECT '1' AS id) INSERT INTO customers SELECT id FROM customers"), [
    'public.customers insert *',
  ])
  t.same(relations('SELECT 1 FROM (WITH orders AS (SELECT 1) SELECT 1 FROM orders) x, orders'), ['public.orders read'])
})

void t.test('joins merge, rename and hide columns as the server does', async (t) => {
  t.same(relations('SELECT id FROM customers JOIN orders USING (id)'), [
    'public.customers read id',
    'public.orders read id',
  ])
  t.same(relations('SELECT 1 FROM audited NATURAL JOIN ruled'), [
    'public.audited read id,note',
    'public.ruled read id,note',
  ])
  t.same(relations('SELECT j.a FROM (customers JOIN orders USING (id)) AS j (a)').length, 2)
  t.same(relations('SELECT u.id FROM customers c JOIN orders o USING (id) AS u'), [
    'public.customers read id',
    'public.orders read id',
  ])
  t.same(relations('SELECT (SELECT 1 FROM audited a, orders b JOIN ruled r ON ssn = r.id) FROM customers'), [
    'public.audited read',
    'public.customers read ssn',
    'public.orders read',
    'public.ruled read id',
  ])
  t.same(relations('SELECT 1 FROM customers c, LATERAL (SELECT c.ssn) x'), ['public.customers read ssn'])
  t.same(relations('SELECT 1 FROM customers c, LATERAL unnest(array[c.ssn]) x'), ['public.customers read ssn'])
})

void t.test('columns in every corner are found', async (t) => {
  for (const corner of [
    'SELECT 1 FROM customers ORDER BY ssn',
    'SELECT 1 FROM customers GROUP BY ssn',
    'SELECT 1 FROM customers GROUP BY GROUPING SETS ((ssn), ())',
    'SELECT 1 FROM customers GROUP BY name HAVING max(ssn) > $1',
    'SELECT DISTINCT ON (ssn) 1 FROM customers',
    'SELECT count(*) FILTER (WHERE ssn > $1) FROM customers',
    "SELECT string_agg(name, ',' ORDER BY ssn) FROM customers",
    'SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM customers',
    'SELECT sum(1) OVER (PARTITION BY ssn) FROM customers',
    'SELECT sum(1) OVER w FROM customers WINDOW w AS (ORDER BY ssn)',
    'SELECT sum(1) OVER (ORDER BY id ROWS length(ssn) PRECEDING) FROM customers',
    'SELECT CASE ssn WHEN $1 THEN 1 END FROM customers',
    'SELECT name FROM customers LIMIT (SELECT length(ssn) FROM customers LIMIT 1)',
    'SELECT * FROM xmltable($1 PASSING (SELECT ssn::xml FROM customers) COLUMNS x text DEFAULT $2)',
    'SELECT json_object(name: ssn) FROM customers',
    'SELECT json_array(ssn) FROM customers',
    'SELECT json_objectagg(name: ssn) FROM customers',
    'SELECT json_arrayagg(ssn) FROM customers',
    "SELECT json_value(ssn::jsonb, '$.x') FROM customers",
    "SELECT * FROM customers c, json_table(c.ssn::jsonb, '$' COLUMNS (x text PATH '$.x'))",
    'SELECT xmlelement(name x, ssn) FROM customers',
    'SELECT xmlserialize(CONTENT ssn::xml AS text) FROM customers',
    'SELECT (array[1, 2])[length(ssn)] FROM customers',
    'SELECT ssn COLLATE "C" FROM customers',
    'SELECT ssn IS DISTINCT FROM $1 FROM customers',
    'SELECT $1 = ANY (SELECT ssn FROM customers)',
    'SELECT row(ssn, id) < row($1, $2) FROM customers',
    'VALUES ((SELECT ssn FROM customers LIMIT 1))',
    'SELECT 1 FROM customers TABLESAMPLE bernoulli ((SELECT length(ssn) FROM customers LIMIT 1))',
    "INSERT INTO orders (id) VALUES ('1') RETURNING (SELECT ssn FROM customers LIMIT 1)",
    'UPDATE orders SET (note, total) = (SELECT ssn, name FROM customers LIMIT 1)',
    'UPDATE orders SET note = ssn FROM customers',
    'DELETE FROM orders USING customers WHERE note = ssn',
    'CREATE VIEW v AS SELECT ssn FROM customers',
    'SELECT 1 UNION SELECT length(ssn) FROM customers',
    'SELECT name FROM customers INTERSECT SELECT ssn FROM customers',
    'WITH RECURSIVE r AS (SELECT ssn FROM customers UNION SELECT ssn FROM r) SEARCH DEPTH FIRST BY ssn SET o SELECT 1 FROM r',
  ]) {
    const read = relations(corner).filter((each) => each.startsWith('public.customers read'))
    t.ok(
      read.some((each) => / (\*|.*\bssn\b)/.test(each.slice('public.customers read'.length))),
      `${corner}: ${read.join('; ')}`,
    )
  }
})

void t.test('what is written is told apart from what is read on the way', async (t) => {
  t.same(relations("UPDATE customers SET name = 'x' WHERE id = '1' RETURNING email"), [
    'public.customers read email,id',
    'public.customers update name',
  ])
  t.same(relations('UPDATE customers SET name = $1 RETURNING old.ssn, new.email'), [
    'public.customers read email,ssn',
    'public.customers update name',
  ])
  t.same(relations('UPDATE customers SET name = $1 RETURNING WITH (OLD AS o) o.ssn'), [
    'public.customers read ssn',
    'public.customers update name',
  ])
  t.same(
    relations(
      'INSERT INTO orders (id) VALUES ($1) ON CONFLICT (customer_id) DO UPDATE SET note = excluded.total WHERE orders.id = $2',
    ),
    ['public.orders insert id', 'public.orders read customer_id,id,total', 'public.orders update note'],
  )
  t.same(relations('INSERT INTO orders DEFAULT VALUES'), ['public.orders insert *'])
})

void t.test('a column that nothing known has is anybody’s', async (t) => {
  t.same(relations('SELECT brand_new FROM customers, orders'), [
    'public.customers read brand_new',
    'public.orders read brand_new',
  ])
  t.same(relations('SELECT nobody.x FROM customers'), ['public.customers read *'])
  t.same(relations('SELECT ssn FROM elsewhere'), ['?.elsewhere read ssn'])
  t.same(relations('SELECT id FROM (SELECT 1 FROM elsewhere) x, elsewhere y'), ['?.elsewhere read id'])
  t.same(relations('SELECT id FROM elsewhere, customers'), ['?.elsewhere read id', 'public.customers read id'])
})

void t.test('system relations carry their class, and unknown ones the worst', async (t) => {
  const system = (name: string) => facts(`SELECT 1 FROM ${name}`).relations[0]?.system
  t.equal(system('pg_class'), 'open')
  t.equal(system('information_schema.columns'), 'open')
  t.equal(system('pg_stats'), 'values')
  t.equal(system('pg_catalog.pg_stat_activity'), 'values')
  t.equal(system('pg_authid'), 'secret')
  t.equal(system('pg_user_mappings'), 'secret')
  t.equal(system('pg_of_the_future'), 'secret')
  t.equal(system('pg_catalog.of_the_future'), 'secret')
  t.equal(system('pg_toast.pg_toast_2619'), 'secret')
  t.equal(system('pg_temp.mine'), null)
  t.equal(system('customers'), null)
})

void t.test('new relations are named where the server would make them', async (t) => {
  t.same(relations('CREATE TABLE made (id int)'), ['public.made define *'])
  t.same(relations('CREATE TABLE app.made (id int)'), ['app.made define *'])
  t.same(relations('CREATE TEMP TABLE made (id int)'), ['pg_temp.made define *'])
  t.same(relations('SELECT id INTO made FROM orders'), ['public.made define *', 'public.orders read id'])
  t.same(relations('DROP TABLE app.customers, orders'), ['app.customers define *', 'public.orders define *'])
  t.same(relations('DROP TRIGGER x ON customers'), ['public.customers define *'])
  t.same(relations('COMMENT ON COLUMN app.customers.hidden IS $$x$$'), ['app.customers define *'])
  t.same(relations('ALTER TABLE customers ADD FOREIGN KEY (id) REFERENCES orders'), [
    'public.customers define *',
    'public.orders define *',
  ])
  t.same(relations('GRANT SELECT ON ALL TABLES IN SCHEMA app TO x'), ['app.* grant *'])
  t.same(relations('VACUUM customers'), ['public.customers maintain'])
  t.same(relations('DROP FUNCTION f'), [])
})

void t.test('a call is every function that its name could mean, with the class of each', async (t) => {
  t.same(functionsIn('SELECT lower(name) FROM customers'), ['pg_catalog.lower pure', 'public.lower unknown'])
  t.same(functionsIn('SELECT pg_catalog.lower(name) FROM customers'), ['pg_catalog.lower pure'])
  t.same(functionsIn('SELECT mine($1), mine($1, $2)'), ['?.mine unknown', 'public.mine unknown'])
  t.same(functionsIn('SELECT nowhere()'), ['?.nowhere unknown'])
  t.same(functionsIn('SELECT app.hidden()'), ['app.hidden unknown'])
  t.same(functionsIn("SELECT ts_rewrite('a'::tsquery, 'b'::tsquery, 'c'::tsquery)"), ['pg_catalog.ts_rewrite pure'])
  t.same(functionsIn("SELECT ts_rewrite('a'::tsquery, 'SELECT 1')"), ['pg_catalog.ts_rewrite reads'])
  t.same(functionsIn("SELECT concat(VARIADIC array['a'])"), ['pg_catalog.concat pure'])
  t.same(functionsIn('SELECT make_interval(days => 10)'), ['pg_catalog.make_interval pure'])
  t.same(functionsIn("SELECT * FROM pg_read_file('x')"), ['pg_catalog.pg_read_file external'])
  t.same(functionsIn("SELECT * FROM ROWS FROM (pg_ls_dir('x'), generate_series(1, 2))"), [
    'pg_catalog.generate_series pure',
    'pg_catalog.pg_ls_dir external',
  ])
  t.same(
    functionsIn("SELECT EXTRACT(year FROM now()), CURRENT_USER, x AT TIME ZONE 'utc' FROM (SELECT now() AS x) y"),
    ['pg_catalog.current_user pure', 'pg_catalog.extract pure', 'pg_catalog.now pure', 'pg_catalog.timezone pure'],
  )
  t.same(functionsIn('SELECT * FROM unnest(array[1], array[mine($1)]) x'), [
    'pg_catalog.unnest pure',
    'public.mine unknown',
  ])
  t.same(functionsIn('SELECT unnest(array[1], array[2])'), ['?.unnest unknown'])
  t.same(functionsIn('SELECT coalesce(1, 2), nullif(1, 2), greatest(1, 2), GROUPING(1)'), [])
  t.same(functionsIn('SELECT 1 FROM customers TABLESAMPLE system (5)'), ['pg_catalog.system pure'])
  t.same(functionsIn('SELECT 1 FROM customers TABLESAMPLE mine (5)'), ['public.mine unknown'])
  t.same(functionsIn('CREATE TABLE x (a int DEFAULT mine($1))'), ['public.mine unknown'])
  t.same(functionsIn('ALTER TABLE customers ADD CHECK (pg_sleep(1) IS NULL)'), ['pg_catalog.pg_sleep waits'])
})

void t.test('operators of users are calls, however they are written', async (t) => {
  const used = ['public.text_same unknown']
  t.same(functionsIn('SELECT id === name FROM customers'), used)
  t.same(functionsIn('SELECT id OPERATOR(public.===) name FROM customers'), used)
  t.same(functionsIn('SELECT 1 FROM customers ORDER BY id USING ==='), used)
  t.same(functionsIn('SELECT id === ANY (array[name]) FROM customers'), used)
  t.same(functionsIn('SELECT id === ALL (SELECT note FROM orders) FROM customers'), used)
  t.same(functionsIn('SELECT id = name FROM customers'), [])
})

void t.test('functions that reach out, wait or read by name are never pure', async (t) => {
  const class_ = (call: string) => facts(`SELECT ${call}`).functions.map((each) => each.class)
  t.same(class_('pg_sleep(1)'), ['waits'])
  t.same(class_("query_to_xml('SELECT 1', true, true, '')"), ['reads'])
  t.same(class_("table_to_xml('customers', true, true, '')"), ['reads'])
  t.same(class_("nextval('ids')"), ['writes'])
  t.same(class_("pg_notify('a', 'b')"), ['writes'])
  t.same(class_('lo_get(1)'), ['reads'])
  t.same(class_("dblink('a', 'b')"), ['unknown'])
  t.same(class_('pg_terminate_backend(1)'), ['external'])
  t.same([...facts("SELECT pg_read_file('x')").effects], ['unsafe-io', 'select'])
  t.same([...facts("SELECT pg_notify('a', 'b')").effects], ['notify', 'select'])
})

void t.test('words that are syntax to the newest server are names to older ones', async (t) => {
  const on = (version: number, sql: string) => {
    const analysis = analyse(sql, catalogueOf(version), LIMITS)
    const [one] = analysis.kind === 'statements' ? analysis.statements : []
    if (one === undefined) throw new Error(sql)
    return detailOf(one)
  }
  for (const [since, call] of [
    [160_000, 'json_array(1)'],
    [160_000, 'json_objectagg(1: 2)'],
    [170_000, 'json_scalar(1)'],
    [170_000, "json_value('{}', '$.x')"],
    [170_000, "json_exists('{}', '$.x')"],
    [170_000, "json_serialize('{}')"],
    [170_000, 'merge_action()'],
  ] as const) {
    t.same(on(since, `SELECT ${call}`).functions, [], `${call} of ${since}`)
    t.match(on(since - 10_000, `SELECT ${call}`).functions, [{ class: 'unknown' }], `${call} before ${since}`)
  }
  t.same(on(150_000, 'SELECT system_user FROM elsewhere').relations[0]?.columns, ['system_user'])
  t.same(on(180_000, 'SELECT system_user FROM elsewhere').relations[0]?.columns, [])
})

void t.test('aggregates in all their forms are known', async (t) => {
  t.same(
    functionsIn(`SELECT count(*), count(DISTINCT id), percentile_disc(0.5) WITHIN GROUP (ORDER BY id),
      rank($1) WITHIN GROUP (ORDER BY id), string_agg(id, ','), sum(1) OVER (), row_number() OVER () FROM customers`),
    ['count', 'percentile_disc', 'rank', 'row_number', 'string_agg', 'sum'].map((name) => `pg_catalog.${name} pure`),
  )
})
