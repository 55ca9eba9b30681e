import t from 'tap'
import { analysed, facts, functionsIn, refusalOf, relations, statement } from './fixture.ts'

const effects = (sql: string) => [...facts(sql).effects]

void t.test('an effect below the first keyword is an effect of the statement', async (t) => {
  t.same(effects('WITH gone AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM gone'), ['delete', 'select'])
  t.same(effects("EXPLAIN ANALYZE UPDATE customers SET name = 'x' WHERE id = '1'"), ['update', 'select'])
  t.same(effects('EXPLAIN (ANALYZE) INSERT INTO orders SELECT * FROM orders'), ['insert', 'select'])
  t.same(effects('PREPARE p AS DELETE FROM orders'), ['delete', 'prepare'])
  t.same(effects('DECLARE c CURSOR WITH HOLD FOR SELECT ssn FROM customers'), ['select', 'cursor'])
  t.same(effects('COPY (DELETE FROM orders RETURNING *) TO STDOUT'), ['delete', 'copy-out'])
  t.same(effects('CREATE TABLE made AS SELECT * FROM customers'), ['ddl', 'select'])
  t.same(effects('SELECT * INTO made FROM customers'), ['ddl', 'select'])
  t.same(effects('CREATE MATERIALIZED VIEW made AS SELECT * FROM customers'), ['ddl', 'select'])
  t.same(effects('CREATE SCHEMA x CREATE TABLE y (id int) GRANT SELECT ON y TO z'), ['grant', 'ddl'])
  t.same(effects("INSERT INTO orders (id) VALUES ('1') ON CONFLICT (id) DO UPDATE SET note = 'x'"), [
    'update',
    'insert',
  ])
  t.same(effects("INSERT INTO orders (id) VALUES ('1') ON CONFLICT DO NOTHING"), ['insert'])
  t.same(effects('CREATE FUNCTION f() RETURNS void BEGIN ATOMIC DELETE FROM orders; END').slice(0, 3), [
    'procedural',
    'ddl',
    'delete',
  ])
  t.same(effects('SELECT 1 WHERE EXISTS (SELECT 1 FROM customers FOR UPDATE)'), ['lock', 'select'])
})

void t.test('COPY to or from a file or a program is input and output of the server', async (t) => {
  t.same(effects("COPY customers TO PROGRAM 'curl x'"), ['unsafe-io', 'copy-out'])
  t.same(effects("COPY customers FROM '/etc/passwd'"), ['unsafe-io', 'copy-in'])
  t.same(effects('COPY customers FROM STDIN'), ['copy-in'])
  t.equal(statement('COPY customers FROM STDIN').role.is, 'copy-in')
  t.equal(statement("COPY customers FROM '/etc/passwd'").role.is, 'plain')
  t.same(relations('COPY customers (id, ssn) TO STDOUT'), ['public.customers read id,ssn'])
  t.same(relations("COPY customers FROM STDIN WHERE ssn > '1'"), [
    'public.customers insert *',
    'public.customers read ssn',
  ])
})

void t.test(
  'writing what has triggers or rules runs code that is not read, on children and below views too',
  async (t) => {
    t.same(effects("INSERT INTO audited (id) VALUES ('1')"), ['procedural', 'insert'])
    t.same(effects("UPDATE ruled SET note = 'x' WHERE id = '1'"), ['procedural', 'update'])
    t.same(effects("DELETE FROM measures WHERE at = '1'"), ['procedural', 'delete'])
    t.same(effects('COPY audited FROM STDIN'), ['procedural', 'copy-in'])
    t.same(effects('TRUNCATE audited'), ['procedural', 'truncate'])
    t.same(effects('SELECT * FROM audited'), ['select'])
    t.same(effects("UPDATE people SET ssn = 'x' WHERE id = '1'"), ['update'])
  },
)

void t.test('what foreign keys carry on is written too', async (t) => {
  t.same(relations("DELETE FROM parents WHERE id = '1'"), [
    'public.audited update *',
    'public.offspring delete',
    'public.offspring update *',
    'public.parents delete',
    'public.parents read id',
    'public.parents update *',
  ])
  t.same(effects("DELETE FROM parents WHERE id = '1'"), ['procedural', 'delete', 'update'])
  t.same(relations('UPDATE parents SET name = $1'), ['public.parents update name'])
  t.same(relations('UPDATE parents SET code = $1'), ['public.offspring update *', 'public.parents update code'])
  t.same(relations('INSERT INTO parents (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET code = $2'), [
    'public.offspring update *',
    'public.parents insert id',
    'public.parents read id',
    'public.parents update code',
  ])
  t.same(effects('MERGE INTO parents p USING customers c ON p.id = c.id WHEN MATCHED THEN DELETE').slice(0, 2), [
    'procedural',
    'delete',
  ])
  t.same(effects('TRUNCATE parents CASCADE'), ['unknown', 'truncate'])
})

void t.test('the SET of a stored function is not one of the session', async (t) => {
  const sql = "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = '' AS 'SELECT 1'"
  t.same(effects(sql), ['procedural', 'ddl'])
  t.same(facts('ALTER FUNCTION f() SET role = x').settings, [])
})

void t.test('MERGE has the effect of each of its arms', async (t) => {
  const sql = `MERGE INTO customers c USING orders o ON c.id = o.customer_id
    WHEN MATCHED AND o.total > '1' THEN UPDATE SET name = o.note
    WHEN MATCHED THEN DELETE
    WHEN NOT MATCHED THEN INSERT (id, email) VALUES (o.customer_id, lower(o.note))
    RETURNING merge_action(), c.ssn`
  t.same(effects(sql), ['delete', 'merge', 'update', 'insert'])
  t.same(relations(sql), [
    'public.customers delete',
    'public.customers insert email,id',
    'public.customers read id,ssn',
    'public.customers update name',
    'public.orders read customer_id,note,total',
  ])
})

void t.test('locks are told of every relation that they lock', async (t) => {
  t.same(relations('SELECT id FROM customers c JOIN (SELECT note FROM orders) o ON true FOR UPDATE'), [
    'public.customers lock',
    'public.customers read id',
    'public.orders lock',
    'public.orders read note',
  ])
  t.same(relations('LOCK TABLE customers, orders IN SHARE MODE'), ['public.customers lock', 'public.orders lock'])
})

void t.test('a WHERE that is always true is none', async (t) => {
  const bounded = (condition: string) => facts(`DELETE FROM orders o WHERE ${condition}`).where
  t.equal(facts('DELETE FROM orders').where, false)
  t.equal(facts('SELECT * FROM orders').where, null)
  const always = [
    'true',
    '1 = 1',
    "'a' IN ('a', 'b')",
    "id = '1' OR true",
    'NOT false',
    'id = id',
    'o.id >= o.id',
    "note LIKE '%'",
    'note IS NULL OR note IS NOT NULL',
    "id = '1' OR NOT id = '1'",
    "NOT (id = '1' AND false)",
    'NOT (id <> id)',
    'EXISTS (SELECT 1)',
    "EXISTS (SELECT 1 FROM customers o WHERE o.id = '1')",
    '$1',
    'random() < 2',
  ]
  for (const condition of always) t.equal(bounded(condition), false, condition)
  const sometimes = [
    "id = '1'",
    "id = '1' AND true",
    'id = $1',
    "NOT (id = '1')",
    'id IN (SELECT order_id FROM customers)',
    'EXISTS (SELECT 1 FROM customers c WHERE c.id = o.customer_id)',
    "o IS NOT NULL AND note LIKE 'a%'",
    'CURRENT OF c',
  ]
  for (const condition of sometimes) t.equal(bounded(condition), true, condition)
  t.equal(facts("DELETE FROM orders USING customers c WHERE c.id = '1'").where, false)
  t.equal(facts("WITH x AS (UPDATE orders SET note = 'x') DELETE FROM customers WHERE id = '1'").where, false)
})

void t.test('the outermost constant LIMIT is told, and no other', async (t) => {
  t.equal(facts('SELECT * FROM orders LIMIT 10').limit, 10)
  t.equal(facts('SELECT * FROM orders LIMIT 0').limit, 0)
  t.equal(facts('SELECT * FROM orders FETCH FIRST 3 ROWS ONLY').limit, 3)
  t.equal(facts('SELECT * FROM orders ORDER BY id FETCH FIRST 3 ROWS WITH TIES').limit, null)
  t.equal(facts('SELECT * FROM (SELECT * FROM orders LIMIT 5) x').limit, null)
  t.equal(facts('SELECT * FROM orders LIMIT $1').limit, null)
  t.equal(facts('DECLARE c CURSOR FOR SELECT * FROM orders LIMIT 7').limit, 7)
  t.equal(facts('SELECT * FROM orders LIMIT ALL').limit, null)
})

void t.test('only what a rollback need not undo is called reading', async (t) => {
  for (const sql of [
    'SELECT * FROM orders',
    'SHOW work_mem',
    'SELECT lower(note::text) FROM orders WHERE now() > $1::timestamptz',
  ]) {
    t.equal(statement(sql).readsOnly, !sql.includes('lower'), sql)
  }
  for (const sql of [
    "SELECT nextval('ids')",
    'SELECT mine($1)',
    'SELECT 1 FOR UPDATE',
    'BEGIN',
    'SELECT pg_sleep(1)',
  ]) {
    t.equal(statement(sql).readsOnly, false, sql)
  }
})

void t.test('roles of statements carry the names that the session keeps', async (t) => {
  const role = (sql: string) => statement(sql).role
  t.match(role('PREPARE p (int) AS SELECT $2::int'), { is: 'prepare', name: 'p', statement: { parameters: 2 } })
  t.match(role("EXECUTE p(5, 'x', now())"), {
    is: 'execute',
    name: 'p',
    parameters: [
      { value: 5, known: true },
      { value: 'x', known: true },
      { value: null, known: false },
    ],
  })
  t.match(role('DEALLOCATE p'), { is: 'deallocate', name: 'p' })
  t.match(role('DEALLOCATE ALL'), { is: 'deallocate', name: null })
  t.match(role('DECLARE c CURSOR FOR SELECT 1'), { is: 'declare', name: 'c', hold: false })
  t.match(role('DECLARE c BINARY SCROLL CURSOR WITH HOLD FOR SELECT 1'), { is: 'declare', name: 'c', hold: true })
  t.match(role('FETCH ALL FROM c'), { is: 'fetch', name: 'c', move: false })
  t.match(role('MOVE 5 IN c'), { is: 'fetch', name: 'c', move: true })
  t.match(role('CLOSE c'), { is: 'close', name: 'c' })
  t.match(role('CLOSE ALL'), { is: 'close', name: null })
  t.match(role('EXPLAIN ANALYZE EXECUTE p'), { is: 'wraps-execute', name: 'p' })
  t.match(role('CREATE TABLE x AS EXECUTE p'), { is: 'wraps-execute', name: 'p' })
  t.match(role('EXPLAIN CREATE TABLE x AS EXECUTE p'), { is: 'wraps-execute', name: 'p' })
  t.match(role('DISCARD ALL'), { is: 'discard-all' })
  t.match(role('DISCARD PLANS'), { is: 'plain' })
})

void t.test('what EXECUTE is given can call functions of its own', async (t) => {
  t.same(functionsIn("EXECUTE p(pg_read_file('/etc/passwd'))"), ['pg_catalog.pg_read_file external'])
})

void t.test('passwords are not in what is recorded, and are in what is sent', async (t) => {
  const sql = "CREATE ROLE x LOGIN PASSWORD 'geheim' VALID UNTIL '2030-01-01'"
  const { shape } = statement(sql)
  t.equal(shape.text, sql)
  t.equal(shape.recorded, "CREATE ROLE x LOGIN PASSWORD '***' VALID UNTIL '***'")
  for (const secretive of [
    'ALTER USER x PASSWORD $$geheim$$',
    "ALTER ROLE x PASSWORD E'geh\\x65im'",
    "ALTER ROLE x PASSWORD U&'geheim'",
    "CREATE USER MAPPING FOR x SERVER é OPTIONS (password 'geheim')",
    "CREATE SUBSCRIPTION s CONNECTION 'password=geheim' PUBLICATION p",
  ]) {
    const kept = statement(secretive).shape.recorded ?? ''
    t.notMatch(kept, /geh/, kept)
    t.match(kept, /'\*\*\*'/, kept)
  }
  t.equal(statement("SELECT 'geheim'").shape.recorded, undefined)
})

void t.test('each statement of a message has its own text and place', async (t) => {
  const analysis = analysed("SELECT 'é' ; /* x */ DELETE FROM orders;SHOW work_mem")
  if (analysis.kind === 'refused') throw new Error('refused')
  t.same(
    analysis.statements.map(({ shape }) => [shape.text, shape.action, shape.detail['statement']]),
    [
      ["SELECT 'é'", 'select', { index: 1, of: 3 }],
      ['DELETE FROM orders', 'delete', { index: 2, of: 3 }],
      ['SHOW work_mem', 'session', { index: 3, of: 3 }],
    ],
  )
})

void t.test('two-phase commits run what was judged elsewhere, if at all', async (t) => {
  t.same(effects("COMMIT PREPARED 'x'"), ['procedural', 'transaction'])
  t.same(effects("PREPARE TRANSACTION 'x'"), ['procedural', 'transaction'])
  t.same(effects('COMMIT AND CHAIN'), ['transaction'])
})

void t.test('pg_settings is not updated, however it is named', async (t) => {
  t.equal(refusalOf("UPDATE pg_settings SET setting = 'x' WHERE name = 'role'"), 'command.unsupported')
  t.equal(refusalOf("UPDATE pg_catalog.pg_settings SET setting = 'x'"), 'command.unsupported')
  t.equal(refusalOf("UPDATE settings_view SET setting = 'x'"), 'command.unsupported')
  t.equal(refusalOf('SELECT * FROM pg_settings'), null)
})
