/** Code that no statement shows. */
import t from 'tap'
import { shown } from '../support/wire.ts'
import { SHADOWS } from './bank.ts'
import { besiege, refused, STARTER } from './siege.ts'

const siege = await besiege(t)

const BLOCKS = [
  'DO $$ BEGIN DELETE FROM order_items; END $$',
  "DO LANGUAGE plpgsql 'BEGIN PERFORM wipe(); END'",
  'DO $do$ BEGIN EXECUTE $x$DROP TABLE order_items$x$; END $do$',
  'CALL purge()',
  'SELECT 1; CALL purge()',
  "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
  "CREATE OR REPLACE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'DELETE FROM order_items; SELECT 1'",
  'CREATE OR REPLACE FUNCTION lower(text) RETURNS text LANGUAGE sql RETURN $1',
  "CREATE PROCEDURE f() LANGUAGE sql AS 'SELECT 1'",
  'CREATE TRIGGER t AFTER SELECT ON orders EXECUTE FUNCTION on_write()',
  'CREATE TRIGGER t AFTER UPDATE ON orders EXECUTE FUNCTION on_write()',
  'CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION on_write()',
  'CREATE RULE r AS ON SELECT TO orders DO INSTEAD SELECT * FROM orders',
  'CREATE RULE r AS ON UPDATE TO orders DO ALSO DELETE FROM order_items',
  'CREATE VIEW v AS SELECT wipe()',
  'CREATE POLICY p ON filtered USING (wipe() = 1)',
  'ALTER TABLE orders ADD COLUMN x int DEFAULT wipe()',
  'ALTER TABLE orders ADD CHECK (checked(note))',
  'CREATE INDEX ON orders (derived(id))',
  'CREATE DOMAIN d AS text CHECK (checked(VALUE))',
  'CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)',
  'CREATE CAST (text AS integer) WITH INOUT AS IMPLICIT',
  'CREATE AGGREGATE a (int) (SFUNC = summed, STYPE = int)',
  'CREATE TYPE r AS RANGE (SUBTYPE = int4, SUBTYPE_DIFF = summed)',
  'CREATE LANGUAGE plperlu',
  "CREATE CONVERSION c FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1",
  'CREATE ACCESS METHOD m TYPE TABLE HANDLER heap_tableam_handler',
  'ALTER FUNCTION peek() SECURITY DEFINER',
]

const CALLED = [
  'SELECT wipe()',
  'SELECT public.wipe()',
  'SELECT "wipe"()',
  'SELECT U&"\\0077ipe"()',
  'SELECT * FROM wipe()',
  'SELECT * FROM ROWS FROM (wipe(), generate_series(1, 2))',
  'SELECT 1 FROM orders, LATERAL wipe() w',
  'SELECT 1 WHERE wipe() = 1',
  'SELECT 1 ORDER BY wipe()',
  'SELECT 1 GROUP BY wipe()',
  'SELECT 1 LIMIT wipe()',
  'SELECT 1 OFFSET (SELECT wipe())',
  'SELECT count(*) FILTER (WHERE wipe() = 1) FROM orders',
  'SELECT sum(total) OVER (PARTITION BY wipe()) FROM orders',
  'SELECT sum(total) OVER w FROM orders WINDOW w AS (ORDER BY id ROWS BETWEEN wipe() PRECEDING AND CURRENT ROW)',
  'SELECT CASE WHEN true THEN wipe() END',
  'SELECT coalesce(NULL, wipe())',
  'SELECT nullif(wipe(), 2)',
  'SELECT greatest(1, wipe())',
  'SELECT ARRAY[wipe()]',
  'SELECT (ARRAY[1, 2])[wipe()]',
  'SELECT ROW(wipe())',
  'SELECT wipe()::text',
  'SELECT (wipe()) IS NULL',
  'SELECT 1 = ANY (SELECT wipe())',
  'SELECT xmlelement(name a, wipe())',
  "SELECT json_object('a' : wipe())",
  "SELECT JSON_VALUE(jsonb '1', '$' PASSING wipe() AS x)",
  "SELECT JSON_VALUE(jsonb '[]', '$.a' DEFAULT wipe() ON EMPTY)",
  "SELECT * FROM json_table(jsonb '[1]', '$[*]' COLUMNS (a int PATH '$' DEFAULT wipe() ON ERROR))",
  "SELECT * FROM xmltable('/a' PASSING xmlelement(name a) COLUMNS b int DEFAULT wipe())",
  'SELECT * FROM orders TABLESAMPLE bernoulli (wipe())',
  'SELECT * FROM orders TABLESAMPLE bernoulli (1) REPEATABLE (wipe())',
  'SELECT grouping(wipe()) FROM orders GROUP BY wipe()',
  "SELECT wipe('x')",
  "SELECT ('x'::text).wipe",
  'SELECT c.shout FROM customers c',
  'SELECT (c).shout FROM customers c',
  'SELECT shout(c) FROM customers c',
  'SELECT total_of(id) FROM orders',
  'SELECT total_of(DISTINCT id) OVER () FROM orders',
  'PREPARE p AS SELECT wipe()',
  'EXECUTE p (wipe())',
  'PREPARE p (int) AS SELECT $1; EXECUTE p (wipe())',
  "SET application_name = 'x'; SELECT wipe()",
  'EXPLAIN SELECT derived(1)',
  "INSERT INTO orders VALUES (wipe(), 1, 1, '')",
  'UPDATE orders SET total = wipe() WHERE id = 101',
  'UPDATE orders SET (total, note) = (SELECT wipe(), NULL) WHERE id = 101',
  'DELETE FROM order_items WHERE line = wipe()',
  "INSERT INTO orders VALUES (101, 1, 1, '') ON CONFLICT (id) DO UPDATE SET total = wipe() WHERE orders.id = 101",
  "INSERT INTO orders VALUES (900, 1, 1, '') RETURNING wipe()",
  'COPY orders FROM STDIN WHERE wipe() = 1',
]

const SHADOWED = [
  "SELECT 1 < 'x'::text",
  "SELECT 1 OPERATOR(public.<) 'x'::text",
  'SELECT id FROM orders ORDER BY id USING OPERATOR(public.<)',
  'SELECT 1::bigint = 1::smallint',
  'SELECT 1::bigint IN (1::smallint)',
  'SELECT CASE 1::bigint WHEN 1::smallint THEN 1 END',
  'SELECT nullif(1::bigint, 1::smallint)',
  'SELECT 1::bigint IS DISTINCT FROM 1::smallint',
  'SELECT 1::bigint = ANY (ARRAY[1::smallint])',
  'SELECT 1 FROM (SELECT 1::bigint AS a) x JOIN (SELECT 1::smallint AS a) y USING (a)',
  'SELECT 1 FROM (SELECT 1::bigint AS a) x NATURAL JOIN (SELECT 1::smallint AS a) y',
  "SELECT lower('X'::varchar)",
]

const HIDDEN = [
  "SELECT 'x'::label",
  "SELECT CAST('x' AS public.label)",
  "SELECT label 'x'",
  "SELECT '{x}'::label[]",
  'SELECT 1::card',
  'SELECT (1::card).number',
  'SELECT * FROM json_to_record(\'{"a": "x"}\') AS r (a label)',
  "SELECT JSON_VALUE(jsonb '\"x\"', '$' RETURNING label)",
  "SELECT * FROM json_table(jsonb '[\"x\"]', '$[*]' COLUMNS (a label PATH '$'))",
  "SELECT * FROM xmltable('/a' PASSING xmlelement(name a, 'x') COLUMNS b label PATH '.')",
  'SELECT xmlserialize(CONTENT xmlelement(name a) AS label)',
  'PREPARE p (label) AS SELECT 1',
  "SELECT domain_in('x', 'label'::regtype::oid, -1) IS NULL",
  "SELECT array_in('{x}', 'label'::regtype::oid, -1) IS NULL",
  "SELECT record_in('(1,x)', 'labelled'::regtype::oid, -1) IS NULL",
  `SELECT jsonb_populate_record(l, '{"note": "x"}') FROM (SELECT 1) one LEFT JOIN labelled l ON true`,
  `SELECT json_populate_record(s.l, '{"note": "x"}') FROM (SELECT 1) one LEFT JOIN (SELECT l FROM labelled l) s ON true`,
  `SELECT * FROM (SELECT 1) one LEFT JOIN labelled l ON true CROSS JOIN LATERAL jsonb_populate_record(l, '{"note": "x"}')`,
  "SELECT array_append(array_agg(l.note), 'x') FROM labelled l",
  'SELECT NULL::labelled',
  "SELECT ROW(1, 'x')::labelled",
  "SELECT 'x'::_label",
  'PREPARE p (card) AS SELECT $1; EXECUTE p (1)',
  'SELECT * FROM wiping',
  'SELECT done FROM public.wiping',
  'SELECT * FROM (TABLE wiping) w',
  'SELECT * FROM peeking',
  'SELECT * FROM peeking_deeper',
  'SELECT 1 FROM orders WHERE EXISTS (SELECT done FROM wiping)',
  'COPY (SELECT * FROM wiping) TO STDOUT',
]

t.test('blocks, procedures and stored code are refused', async (t) => {
  for (const text of BLOCKS) await refused(t, siege, text)
})

t.test('a function that nobody has judged is refused wherever it is called', async (t) => {
  for (const text of CALLED) await refused(t, siege, text)
})

t.test('what shadows an operator or a function of the server is refused wherever it could be meant', async (t) => {
  const shadowed = await besiege(t, STARTER, { more: SHADOWS })
  for (const text of SHADOWED) await refused(t, shadowed, text)
})

t.test('a function that a type, a cast or a view calls is refused as if it were written', async (t) => {
  for (const text of HIDDEN) await refused(t, siege, text)
})

const WRITABLE = [
  'orders',
  'order_items',
  'defaulted',
  'generated',
  'constrained',
  'indexed',
  'labelled',
  'guarded',
  'ruled',
]

t.test('a write that runs code unseen is no plain write, even where the table may be written to', async (t) => {
  const writing = await besiege(t, {
    writing: `package policy.writing

import data.sidegate.sql

_tables := {${WRITABLE.map((name) => `"public.${name}"`).join(', ')}}

allow contains {"code": "writing.rows"} if sql.writes_only(_tables)
`,
  })
  const agent = await writing.agent()
  t.match(
    shown(await agent.query("INSERT INTO orders VALUES (900, 1, 1, 'x')")),
    /^C\(INSERT 0 1\) Z/,
    'one without code',
  )
  agent.close()
  await writing.watch.accept()
  for (const text of [
    'INSERT INTO defaulted (id) VALUES (1)',
    'INSERT INTO defaulted DEFAULT VALUES',
    'INSERT INTO generated (id) VALUES (1)',
    "INSERT INTO constrained VALUES (1, 'x')",
    "UPDATE constrained SET note = 'x' WHERE id = 1",
    "INSERT INTO indexed VALUES (1, 'x')",
    "INSERT INTO labelled VALUES (1, 'x')",
    "INSERT INTO guarded VALUES (2, 'x')",
    "UPDATE guarded SET note = 'x' WHERE id = 1",
    "INSERT INTO ruled VALUES (1, 'x')",
    "INSERT INTO orders VALUES (1, 1, 1, 'x'::label)",
    'DELETE FROM customers WHERE id = 1',
  ]) {
    await refused(t, writing, text)
  }
})
