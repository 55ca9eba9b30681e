/** Values of masked columns, by every way in which a server can show them. */
import t from 'tap'
import { encodeBind, encodeExecute, encodeParse, encodeSync } from '../../src/protocols/postgres/messages.ts'
import { shown } from '../support/wire.ts'
import { PLANTED } from './bank.ts'
import { besiege, keepsSecrets, MASKED, send, WAYS } from './siege.ts'

// Everything is allowed but for the masks: nothing else is in the way.
const siege = await besiege(t, MASKED, {
  more: `
ALTER TABLE customers ADD COLUMN loud text GENERATED ALWAYS AS (upper(ssn)) STORED;
CREATE TABLE kept_rows (id integer, was customers, all_of customers[]);
INSERT INTO kept_rows SELECT id, c, ARRAY[c] FROM customers c;
CREATE VIEW kept_shown AS SELECT (was).ssn FROM kept_rows;
CREATE TABLE members (id integer PRIMARY KEY, ssn text UNIQUE, email text);
CREATE UNIQUE INDEX ON members (lower(email));
INSERT INTO members VALUES (1, '${PLANTED}-1', 'ada@example.com ${PLANTED}');
CREATE TABLE accounts (id integer PRIMARY KEY, owner text REFERENCES members (ssn) ON DELETE CASCADE);`,
})

/** Whatever comes of it, no secret does. `!`: it must be refused. */
const FORMS = [
  'SELECT * FROM customers',
  'TABLE customers',
  'TABLE ONLY customers',
  'SELECT ssn AS harmless FROM customers',
  'SELECT loud FROM customers',
  'SELECT was FROM kept_rows',
  'TABLE kept_rows',
  '!SELECT (was).ssn FROM kept_rows',
  '!SELECT (was).* FROM kept_rows',
  '!SELECT (all_of[1]).email FROM kept_rows',
  '!SELECT to_jsonb(k) FROM kept_rows k',
  '!SELECT u.ssn FROM kept_rows, unnest(all_of) u',
  '!SELECT * FROM kept_shown',
  '!COPY kept_rows TO STDOUT',
  'SELECT id FROM kept_rows',
  '!SELECT reverse(loud) FROM customers',
  'SELECT name, s FROM (SELECT name, ssn AS s FROM customers) x',
  'SELECT * FROM vip',
  'SELECT * FROM events_1',
  '!SELECT c FROM customers c',
  '!SELECT customers FROM customers',
  '!SELECT customers.*::text FROM customers',
  '!SELECT (c).ssn || 1 FROM customers c',
  '!SELECT ROW(c.*) FROM customers c',
  '!SELECT array_agg(c) FROM customers c',
  '!SELECT row_to_json(c) FROM customers c',
  '!SELECT to_jsonb(c) FROM customers c',
  '!SELECT json_agg(x) FROM (SELECT ssn FROM customers) x',
  '!SELECT json_build_object(1, ssn) FROM customers',
  '!SELECT JSON_OBJECT(1 : ssn) FROM customers',
  '!SELECT JSON_ARRAY(SELECT ssn FROM customers)',
  '!SELECT JSON_ARRAYAGG(ssn) FROM customers',
  '!SELECT JSON_SERIALIZE(to_json(ssn)) FROM customers',
  '!SELECT hstore(c) FROM customers c',
  '!SELECT xmlforest(ssn) FROM customers',
  '!SELECT xmlagg(xmlelement(name a, ssn)) FROM customers',
  "!SELECT query_to_xml('SELECT ssn FROM customers', true, true, '')",
  "!SELECT table_to_xml('customers', true, true, '')",
  "!SELECT schema_to_xml('public', true, true, '')",
  "!SELECT database_to_xml(true, true, '')",
  "!SELECT format('%s', ssn) FROM customers",
  "!SELECT ssn || '' FROM customers",
  '!SELECT ssn COLLATE "C" FROM customers',
  '!SELECT ssn::varchar FROM customers',
  '!SELECT coalesce(ssn, name) FROM customers',
  '!SELECT CASE WHEN true THEN ssn END FROM customers',
  '!SELECT max(ssn) FROM customers',
  "!SELECT string_agg(ssn, ',') FROM customers",
  '!SELECT first_value(ssn) OVER () FROM customers',
  '!SELECT lag(ssn) OVER (ORDER BY id) FROM customers',
  '!SELECT (SELECT ssn FROM customers LIMIT 1)',
  '!SELECT ARRAY(SELECT ssn FROM customers)',
  '!SELECT unnest(ARRAY(SELECT ssn FROM customers))',
  '!SELECT * FROM unnest((SELECT array_agg(ssn) FROM customers))',
  '!SELECT ssn FROM customers UNION ALL SELECT NULL',
  '!SELECT name FROM customers UNION SELECT ssn FROM customers',
  '!(SELECT ssn FROM customers) EXCEPT SELECT name FROM customers',
  '!VALUES ((SELECT ssn FROM customers LIMIT 1))',
  '!WITH RECURSIVE r AS (SELECT ssn FROM customers UNION SELECT ssn FROM r) SELECT * FROM r',
  '!SELECT * FROM customers c FULL JOIN (SELECT ssn FROM customers) d USING (ssn)',
  '!SELECT * FROM everyone',
  '!SELECT * FROM kept',
  '!SELECT * FROM peeking',
  '!SELECT other FROM peeking_deeper',
  '!SELECT * FROM statistics',
  "!SELECT * FROM pg_stats WHERE tablename = 'customers'",
  '!SELECT stavalues1::text FROM pg_statistic',
  '!SELECT * FROM pg_stats_ext',
  '!SELECT peek()',
  '!SELECT definer()',
  '!SELECT peek_one(1)',
  '!SELECT * FROM peek()',
  '!SELECT raise_it()',
  "!SELECT run_sql('SELECT ssn FROM customers')",
  '!SELECT shout(c) FROM customers c',
  '!SELECT c.shout FROM customers c',
  '!SELECT lo_get(4711)',
  '!SELECT data FROM pg_largeobject',
  "!SELECT pg_read_binary_file(pg_relation_filepath('customers'))",
  '!COPY customers TO STDOUT',
  '!COPY customers (id, ssn) TO STDOUT',
  '!COPY (SELECT * FROM customers) TO STDOUT',
  "!COPY customers TO PROGRAM 'cat'",
  '!CREATE TABLE copied AS SELECT ssn FROM customers',
  '!CREATE TEMP TABLE copied AS TABLE customers',
  '!SELECT ssn INTO copied FROM customers',
  '!CREATE VIEW shown AS SELECT ssn FROM customers',
  '!CREATE MATERIALIZED VIEW shown AS SELECT * FROM customers',
  '!CREATE RULE "_RETURN" AS ON SELECT TO orders DO INSTEAD SELECT ssn FROM customers',
  '!CREATE TABLE heir () INHERITS (customers)',
  '!CREATE TABLE alike (LIKE customers INCLUDING ALL)',
  '!ALTER TABLE customers RENAME TO other',
  '!ALTER TABLE customers RENAME COLUMN ssn TO other',
  '!ALTER TABLE customers SET SCHEMA pg_catalog',
  '!ALTER SCHEMA public RENAME TO other',
  '!ALTER TABLE events DETACH PARTITION events_1',
  '!ALTER TABLE vip NO INHERIT customers',
  '!ALTER TABLE customers ADD COLUMN copy text GENERATED ALWAYS AS (ssn) STORED',
  '!ALTER TABLE customers ALTER ssn TYPE varchar',
  '!CREATE INDEX ON customers (upper(ssn))',
  '!CREATE STATISTICS s ON ssn, email FROM customers',
  "!DO $$ DECLARE s text; BEGIN SELECT ssn INTO s FROM customers LIMIT 1; RAISE EXCEPTION '%', s; END $$",
  "!CREATE FUNCTION f() RETURNS SETOF text LANGUAGE sql AS 'SELECT ssn FROM customers'",
  '!INSERT INTO audit_log SELECT ssn FROM customers',
  '!INSERT INTO audit_log VALUES ((SELECT ssn FROM customers LIMIT 1))',
  '!UPDATE orders SET note = ssn FROM customers c WHERE c.id = customer_id',
  '!UPDATE orders SET (note) = (SELECT ssn FROM customers LIMIT 1) WHERE id = 101',
  '!MERGE INTO orders o USING customers c ON o.customer_id = c.id WHEN MATCHED THEN UPDATE SET note = c.ssn',
  '!WITH c AS (SELECT ssn FROM customers) INSERT INTO audit_log TABLE c',
  "!INSERT INTO customers VALUES (1, 'x', 'x', 'x', 'x') ON CONFLICT (id) DO UPDATE SET name = customers.ssn RETURNING name",
  '!UPDATE customers SET name = ssn WHERE id = 1 RETURNING name',
  "UPDATE customers SET city = 'x' WHERE id = 1 RETURNING *",
  "UPDATE customers SET city = 'x' WHERE id = 1 RETURNING old.ssn, new.email",
  "!UPDATE customers SET city = 'x' WHERE id = 1 RETURNING old",
  "!UPDATE customers SET city = 'x' WHERE id = 1 RETURNING WITH (OLD AS o) o.*::text",
  '!DELETE FROM customers WHERE id = 3 RETURNING upper(ssn)',
  '!WITH d AS (DELETE FROM customers WHERE id = 3 RETURNING ssn) SELECT max(ssn) FROM d',
  "!SELECT set_config('application_name', ssn, false) FROM customers",
  "!SELECT set_config('my.own', ssn, false) FROM customers",
  "!SELECT pg_notify('c', ssn) FROM customers",
  "!SELECT setval('invoice_number', length(ssn)) FROM customers",
  '!SELECT pg_advisory_lock(hashtext(ssn)) FROM customers',
  '!SELECT lo_from_bytea(0, ssn::bytea) FROM customers',
  "!SELECT pg_logical_emit_message(false, 'x', ssn) FROM customers",
  '!SELECT pg_sleep(length(ssn)) FROM customers',
  '!SELECT ssn::int FROM customers',
  '!SELECT 1 / (length(ssn) - length(ssn)) FROM customers',
  '!SELECT xmlparse(DOCUMENT ssn) FROM customers',
  "!SELECT to_date(ssn, 'YYYY') FROM customers",
  "!SELECT ts_headline(ssn, 'planted') FROM customers",
  '!SELECT to_tsvector(ssn) FROM customers',
  "!SELECT * FROM ts_stat('SELECT to_tsvector(ssn) FROM customers')",
  '!SELECT * FROM json_populate_recordset(NULL::customers, (SELECT json_agg(c) FROM customers c))',
  '!SELECT * FROM jsonb_to_recordset((SELECT jsonb_agg(c) FROM customers c)) AS r (ssn text)',
  "!SELECT * FROM xmltable('/r' PASSING (SELECT xmlelement(name r, ssn) FROM customers LIMIT 1) COLUMNS a text PATH '.')",
  "!SELECT * FROM json_table((SELECT to_jsonb(ssn) FROM customers LIMIT 1), '$' COLUMNS (a text PATH '$'))",
  '!SELECT * FROM customers c, LATERAL (SELECT c.ssn || 1) l',
  '!SELECT * FROM customers c, LATERAL generate_series(1, length(c.ssn)) l',
  "!SELECT currtid2('customers', '(0,1)'::tid)",
  '!SELECT * FROM pg_toast.pg_toast_2619',
  'EXPLAIN SELECT * FROM customers',
  'EXPLAIN (ANALYZE, VERBOSE, COSTS off) SELECT * FROM customers',
  'EXPLAIN (VERBOSE) SELECT name FROM customers',
  "!EXPLAIN SELECT * FROM customers WHERE ssn = 'x'",
  "INSERT INTO customers VALUES (1, 'x', 'x', 'y', 'x')",
  "INSERT INTO orders VALUES (1, 99, 1, 'x')",
  'DELETE FROM customers WHERE id = 99',
  "!ALTER TABLE customers ADD CONSTRAINT c CHECK (ssn = 'x')",
  '!ALTER TABLE customers ALTER COLUMN ssn TYPE integer USING ssn::integer',
  'BEGIN; DECLARE c CURSOR FOR SELECT * FROM customers; FETCH ALL c; COMMIT',
  'BEGIN; DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT ssn FROM customers; COMMIT; FETCH LAST c; CLOSE c',
  'BEGIN; DECLARE c BINARY CURSOR FOR SELECT id, ssn FROM customers; FETCH 2 c; COMMIT',
  'PREPARE p AS SELECT * FROM customers; EXECUTE p',
  'PREPARE p (int) AS SELECT ssn FROM customers WHERE id = $1; EXECUTE p (1)',
  '!PREPARE p AS SELECT ssn FROM customers; CREATE TABLE copied AS EXECUTE p',
  "!BEGIN; SELECT opened('c'); FETCH ALL c; COMMIT",
  'SELECT 1; SELECT ssn FROM customers; SELECT 2',
  'SELECT * FROM customers; SELECT * FROM events',
  'SELECT ssn FROM customers FOR UPDATE',
  'SELECT DISTINCT name FROM customers',
  "SELECT pg_get_viewdef('everyone')",
  '!LISTEN c',
]

/** How a value could be found out without being shown. */
const ORACLES = [
  "SELECT id FROM customers WHERE ssn = 'x'",
  "SELECT id FROM customers WHERE ssn LIKE 'P%'",
  "SELECT id FROM customers WHERE loud LIKE '1%'",
  'SELECT id FROM customers ORDER BY loud',
  "INSERT INTO members VALUES (2, 'x', 'y')",
  "INSERT INTO members (id, ssn) SELECT 2, 'x'",
  "INSERT INTO members (id, email) VALUES (2, 'x')",
  "INSERT INTO accounts VALUES (1, 'x')",
  "UPDATE accounts SET owner = 'x' WHERE id = 1",
  "WITH a AS (INSERT INTO members VALUES (2, 'x', 'y') RETURNING id) SELECT id FROM a",
  'COPY members FROM STDIN',
  'COPY accounts (owner) FROM STDIN',
  'SELECT id FROM customers WHERE length(ssn) > 3',
  'SELECT id FROM customers WHERE ssn IS NULL',
  "SELECT id FROM customers WHERE (ssn, id) > ('x', 1)",
  "SELECT id FROM customers c WHERE c = ROW(1, 'a', 'b', 'c', 'd')::customers",
  "SELECT id FROM customers WHERE ssn IN ('a', 'b')",
  "SELECT id FROM customers WHERE ssn = ANY ('{a}')",
  "SELECT id FROM customers WHERE 'x' IN (SELECT ssn FROM customers)",
  'SELECT id FROM customers ORDER BY ssn',
  'SELECT id, ssn FROM customers ORDER BY 2',
  'SELECT id, ssn AS s FROM customers ORDER BY s',
  'SELECT count(*) FROM customers GROUP BY ssn',
  'SELECT count(*) FROM customers GROUP BY GROUPING SETS ((ssn), ())',
  'SELECT count(*) FROM (SELECT ssn AS s FROM customers) x GROUP BY s',
  'SELECT count(*) FROM customers GROUP BY left(ssn, 1)',
  'SELECT count(DISTINCT ssn) FROM customers',
  'SELECT DISTINCT ssn FROM customers',
  'SELECT DISTINCT ON (ssn) id FROM customers',
  "SELECT count(*) FILTER (WHERE ssn < 'm') FROM customers",
  "SELECT count(*) FROM customers HAVING max(ssn) > 'm'",
  'SELECT row_number() OVER (ORDER BY ssn) FROM customers',
  'SELECT row_number() OVER w FROM customers WINDOW w AS (PARTITION BY ssn)',
  'SELECT c.id FROM customers c JOIN events e ON e.ssn = c.ssn',
  'SELECT c.id FROM customers c JOIN events e USING (ssn)',
  'SELECT c.id FROM customers c NATURAL JOIN events e',
  "SELECT c.id FROM customers c JOIN (VALUES ('x')) v (ssn) USING (ssn)",
  'SELECT 1 LIMIT (SELECT length(ssn) FROM customers LIMIT 1)',
  "SELECT 1 OFFSET (SELECT count(*) FROM customers WHERE ssn > 'm')",
  'SELECT 1 FROM orders TABLESAMPLE bernoulli ((SELECT length(ssn) FROM customers LIMIT 1))',
  "SELECT CASE WHEN ssn > 'm' THEN 1 / 0 END FROM customers",
  "SELECT id FROM customers WHERE CASE WHEN ssn > 'm' THEN pg_sleep(1) IS NULL END",
  "SELECT exists (SELECT 1 FROM customers WHERE ssn = 'x')",
  "DELETE FROM customers WHERE ssn = 'x'",
  "UPDATE customers SET city = 'x' WHERE ssn = 'x'",
  "UPDATE customers SET ssn = 'x' WHERE id = 1",
  "UPDATE customers SET (city, ssn) = ('x', 'y') WHERE id = 1",
  "INSERT INTO customers VALUES (1, 'x', 'x', 'x', 'x') ON CONFLICT (ssn) DO NOTHING",
  "INSERT INTO customers VALUES (1, 'x', 'x', 'x', 'x') ON CONFLICT DO NOTHING",
  "INSERT INTO customers VALUES (1, 'x', 'x', 'x', 'x') ON CONFLICT (id) DO UPDATE SET ssn = 'x'",
  "INSERT INTO customers VALUES (1, 'x', 'x', 'x', 'x') ON CONFLICT (id) DO UPDATE SET city = 'x' WHERE customers.ssn > 'm'",
  "MERGE INTO customers c USING (VALUES ('x')) v (s) ON c.ssn = v.s WHEN MATCHED THEN DELETE",
  "EXPLAIN SELECT id FROM customers WHERE ssn = 'x'",
  "EXPLAIN (ANALYZE) SELECT id FROM customers WHERE ssn > 'm'",
  'PREPARE p AS SELECT id FROM customers WHERE ssn = $1',
  'DECLARE c CURSOR FOR SELECT id FROM customers ORDER BY ssn',
  "COPY (SELECT id FROM customers WHERE ssn > 'm') TO STDOUT",
  "COPY customers FROM STDIN WHERE ssn > 'm'",
  'CREATE UNIQUE INDEX ON customers (left(ssn, 3))',
  'ALTER TABLE customers ADD UNIQUE (ssn)',
  'CREATE TABLE t (ssn text REFERENCES customers (ssn))',
  "SELECT id FROM customers WHERE ssn ~ '^P' OR true",
  "WITH c AS (SELECT id, ssn FROM customers) SELECT id FROM c WHERE ssn > 'm'",
  "SELECT id FROM (SELECT * FROM customers) c WHERE c.ssn > 'm'",
  'SELECT (SELECT count(*) FROM customers d WHERE d.ssn < c.ssn) FROM customers c',
  "SELECT id FROM customers c WHERE EXISTS (SELECT 1 WHERE c.ssn > 'm')",
]

t.test('no form of a query gives a masked value, nor does any error or notice', async (t) => {
  for (const form of FORMS) {
    const text = form.replace(/^!/, '')
    for (const [way, frames] of Object.entries(WAYS)) {
      const told = await send(siege, frames(text))
      keepsSecrets(t, told.answers)
      if (form.startsWith('!') && way === 'simple') t.match(told.shown, /^E\(\w+\) Z\(I\)$/, text)
      if (!form.startsWith('!') && way === 'simple') t.notMatch(told.shown, /E\((42501|0A000)\)/, `runs: ${text}`)
    }
  }
})

t.test('no masked value can be found out by comparing, ordering, grouping, timing or failing', async (t) => {
  for (const text of ORACLES) {
    for (const [way, frames] of Object.entries(WAYS)) {
      const { answers, shown: told } = await send(siege, frames(text))
      t.match(told, /^E\((42501|0A000|42601)\) Z\(I\)$/, `${way}: ${text}`)
      keepsSecrets(t, answers)
    }
  }
})

t.test(
  'masked values stay masked in binary, by portals, by pieces, and by cursors of SQL run by the protocol',
  async (t) => {
    const binary = (text: string) => [
      encodeParse('', text),
      encodeBind({ portal: '', statement: '', parameterFormats: [], parameters: [], resultFormats: [1] }),
      encodeExecute(''),
      encodeSync(),
    ]
    const told = await send(siege, binary('SELECT id, ssn, email FROM customers'))
    t.match(told.shown, /D/)
    keepsSecrets(t, told.answers)

    const agent = await siege.agent()
    await agent.query('BEGIN')
    await agent.query('DECLARE c CURSOR FOR SELECT ssn, email FROM customers')
    agent.send(encodeExecute('c', 1), encodeExecute('c', 1), encodeSync())
    await agent.ready()
    agent.send(
      encodeParse('s', 'SELECT ssn FROM customers ORDER BY id'),
      encodeBind({ portal: 'p', statement: 's', parameterFormats: [], parameters: [], resultFormats: [] }),
      encodeExecute('p', 1),
      encodeExecute('p', 1),
      encodeExecute('p', 0),
      encodeSync(),
    )
    await agent.ready()
    await agent.query('FETCH ALL p')
    await agent.query('MOVE FIRST p')
    await agent.query('FETCH BACKWARD 1 IN c')
    await agent.query('COMMIT')
    t.match(shown(agent.answers), /D\(\[sidegate:masked\]/)
    keepsSecrets(t, agent.answers)
    agent.close()
  },
)

t.test('what a cursor, a statement or a transaction was before says nothing of what it is now', async (t) => {
  const scripts = [
    [
      'BEGIN',
      'DECLARE c CURSOR FOR SELECT name FROM customers',
      'CLOSE c',
      'DECLARE c CURSOR FOR SELECT ssn FROM customers',
      'FETCH ALL c',
    ],
    [
      'BEGIN',
      'SAVEPOINT s',
      'DECLARE c CURSOR FOR SELECT name FROM customers',
      'ROLLBACK TO s',
      'DECLARE c CURSOR FOR SELECT ssn FROM customers',
      'FETCH ALL c',
    ],
    [
      'BEGIN',
      'DECLARE c CURSOR FOR SELECT ssn FROM customers',
      'SAVEPOINT s',
      'CLOSE c',
      'DECLARE c CURSOR FOR SELECT name FROM customers',
      'ROLLBACK TO s',
      'FETCH ALL c',
    ],
    ['PREPARE p AS SELECT name FROM customers', 'PREPARE p AS SELECT ssn FROM customers', 'EXECUTE p'],
    ['PREPARE p AS SELECT name FROM customers', 'DEALLOCATE p; PREPARE p AS SELECT ssn FROM customers', 'EXECUTE p'],
    ['BEGIN', 'PREPARE p AS SELECT ssn FROM customers', 'ROLLBACK', 'EXECUTE p'],
    [
      'PREPARE p AS SELECT ssn FROM customers',
      'DEALLOCATE ALL; PREPARE p AS SELECT name FROM customers; SELECT 1 / 0',
      'EXECUTE p',
    ],
    [
      'BEGIN; PREPARE p AS SELECT ssn FROM customers; SELECT 1 / 0; COMMIT',
      'ROLLBACK',
      'PREPARE p AS SELECT name FROM customers',
      'EXECUTE p',
    ],
    [
      'BEGIN',
      'DECLARE c CURSOR WITH HOLD FOR SELECT ssn FROM customers',
      'COMMIT',
      'BEGIN',
      'SAVEPOINT s',
      'CLOSE c',
      'ROLLBACK TO s',
      'FETCH ALL c',
    ],
    ['BEGIN', 'DECLARE c CURSOR FOR SELECT ssn FROM customers', 'DISCARD PLANS', 'FETCH ALL c'],
    [
      "SET client_min_messages = 'debug5'",
      'SELECT name, ssn FROM customers',
      "INSERT INTO customers VALUES (1, 'x', 'x', 'x', 'x')",
    ],
    [
      'SET plan_cache_mode = force_generic_plan',
      'PREPARE p (int) AS SELECT ssn FROM customers WHERE id = $1',
      'EXECUTE p (1)',
      'EXPLAIN (VERBOSE) EXECUTE p (1)',
    ],
    [
      'CREATE TEMP TABLE customers (id int, ssn text)',
      'SELECT ssn FROM customers',
      'SELECT ssn FROM public.customers',
      'SELECT ssn FROM pg_temp.customers',
    ],
  ]
  for (const script of scripts) {
    const agent = await siege.agent()
    for (const text of script) await agent.query(text)
    keepsSecrets(t, agent.answers)
    t.match(shown(agent.answers), /E\(|\[sidegate:masked\]|D\(\)/, script.join('; '))
    agent.close()
  }
})

t.test('the marker of a masked value cannot be written back', async (t) => {
  const marker = '[sidegate:masked]'
  const texts = [
    `INSERT INTO customers VALUES (70, 'x', 'x', '${marker}', 'x')`,
    `INSERT INTO audit_log VALUES ('a ${marker} b')`,
    `UPDATE orders SET note = '${marker}' WHERE id = 101`,
  ]
  await siege.watch.accept()
  for (const text of texts) {
    for (const [way, frames] of Object.entries(WAYS))
      t.match((await send(siege, frames(text))).shown, /^E/, `${way}: ${text}`)
  }
  const told = await send(siege, [
    encodeParse('', 'INSERT INTO audit_log VALUES ($1)'),
    encodeBind({
      portal: '',
      statement: '',
      parameterFormats: [],
      parameters: [Buffer.from(marker)],
      resultFormats: [],
    }),
    encodeExecute(''),
    encodeSync(),
  ])
  t.match(told.shown, /E/)
  t.same(await siege.watch.changes(), [])
})

t.test('nothing of all this is in the journal or in the log', (t) => {
  t.notOk(siege.journal().includes(`${PLANTED}-`))
  t.notOk(siege.log().includes(`${PLANTED}-`))
  t.end()
})
