/** Effects that stand below the first keyword of a statement. */
import t from 'tap'
import { besiege, refused } from './siege.ts'

const siege = await besiege(t)

const WRITES_IN_READS = [
  'WITH gone AS (DELETE FROM customers RETURNING id) SELECT * FROM gone',
  'WITH gone AS (DELETE FROM order_items RETURNING *) SELECT 1',
  'WITH a AS (SELECT 1), b AS (UPDATE customers SET city = city RETURNING 1) SELECT * FROM a',
  "WITH a AS (INSERT INTO customers VALUES (9, 'x', 'x', 'x', 'x') RETURNING id) TABLE a",
  'WITH a AS (MERGE INTO orders o USING order_items i ON o.id = i.order_id WHEN MATCHED THEN DELETE RETURNING 1) SELECT 1',
  'SELECT * FROM (SELECT 1) s WHERE EXISTS (SELECT 1) UNION (SELECT 2) INTERSECT SELECT 3; DELETE FROM order_items',
  'WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 2), d AS (DELETE FROM order_items RETURNING 1) SELECT * FROM r',
  'INSERT INTO orders WITH d AS (DELETE FROM customers RETURNING id) SELECT 900, id, 1, NULL FROM d',
  'UPDATE orders SET note = NULL FROM customers WHERE true',
  'VALUES (1); TRUNCATE order_items',
  'SELECT 1; SELECT 2; DROP TABLE order_items; SELECT 3',
  '/* SELECT */ DELETE FROM order_items -- SELECT',
  '(((SELECT 1))) ; (WITH d AS (DELETE FROM order_items RETURNING 1) SELECT * FROM d)',
]

const WRAPPED = [
  'EXPLAIN ANALYZE DELETE FROM order_items',
  'EXPLAIN (ANALYZE true, FORMAT json) UPDATE customers SET city = NULL',
  'EXPLAIN (ANALYZE on) WITH d AS (DELETE FROM order_items RETURNING 1) SELECT 1',
  'EXPLAIN ANALYZE CREATE TABLE made AS SELECT 1',
  'EXPLAIN ANALYZE SELECT wipe()',
  'PREPARE p AS DELETE FROM order_items',
  'PREPARE p AS DELETE FROM order_items; EXECUTE p',
  'PREPARE p AS SELECT 1; DEALLOCATE p; PREPARE p AS TRUNCATE order_items; EXECUTE p',
  'BEGIN; DECLARE c CURSOR FOR SELECT wipe(); FETCH c; COMMIT',
  'BEGIN; DECLARE c CURSOR FOR SELECT 1; CLOSE c; DECLARE c CURSOR FOR SELECT wipe(); FETCH c; COMMIT',
  'COPY (DELETE FROM order_items RETURNING *) TO STDOUT',
  'COPY (WITH d AS (DELETE FROM order_items RETURNING 1) SELECT * FROM d) TO STDOUT',
  'COPY (SELECT wipe()) TO STDOUT',
  'COPY customers FROM STDIN',
  'COPY (VALUES (1)) TO STDOUT; DELETE FROM order_items',
  'CREATE TABLE made AS SELECT * FROM orders',
  'CREATE TABLE made AS EXECUTE p',
  'CREATE TABLE IF NOT EXISTS made AS TABLE orders WITH NO DATA',
  'CREATE TEMP TABLE made AS SELECT 1',
  'CREATE UNLOGGED TABLE made (a int)',
  'CREATE MATERIALIZED VIEW made AS SELECT 1',
  'SELECT * INTO made FROM orders',
  'SELECT 1 AS a INTO TEMP made',
  'WITH x AS (SELECT 1 AS a) SELECT * INTO UNLOGGED TABLE made FROM x',
  'MERGE INTO orders o USING (VALUES (101)) v (id) ON o.id = v.id WHEN MATCHED THEN DELETE',
  'MERGE INTO orders o USING (VALUES (1)) v (id) ON false WHEN NOT MATCHED BY SOURCE THEN DELETE',
  "INSERT INTO customers VALUES (1, 'x', 'x', 'x', 'x') ON CONFLICT (id) DO UPDATE SET ssn = 'x'",
  'INSERT INTO orders SELECT * FROM orders ON CONFLICT (id) DO UPDATE SET total = 0 WHERE true; DELETE FROM orders',
  'SELECT id FROM orders FOR UPDATE',
  'SELECT id FROM (SELECT id FROM orders FOR NO KEY UPDATE) s',
  'LOCK TABLE orders IN ACCESS EXCLUSIVE MODE',
  'BEGIN; LOCK orders; COMMIT',
  'REFRESH MATERIALIZED VIEW kept',
  'REINDEX TABLE orders',
  'VACUUM FULL orders',
  'ANALYZE customers',
  'CLUSTER orders USING orders_pkey',
  'CHECKPOINT',
]

const UNBOUNDED = [
  'DELETE FROM order_items',
  'DELETE FROM order_items WHERE true',
  'DELETE FROM order_items WHERE 1 = 1',
  'DELETE FROM order_items WHERE line = line',
  'DELETE FROM order_items WHERE line IS NOT NULL OR line IS NULL',
  'DELETE FROM order_items WHERE NOT (line <> line)',
  'DELETE FROM order_items WHERE EXISTS (SELECT 1)',
  'DELETE FROM order_items WHERE EXISTS (SELECT 1 FROM orders)',
  "DELETE FROM order_items WHERE item LIKE '%'",
  'DELETE FROM order_items i WHERE i IS NOT NULL OR true',
  'DELETE FROM order_items WHERE (line, order_id) = (line, order_id)',
  'DELETE FROM order_items WHERE line = ANY (ARRAY[line])',
  'DELETE FROM order_items WHERE line + 0 = line',
  'DELETE FROM order_items WHERE coalesce(line, 0) = coalesce(line, 0)',
  'DELETE FROM order_items WHERE line BETWEEN line AND line',
  'DELETE FROM order_items WHERE line IS NOT DISTINCT FROM line',
  'DELETE FROM order_items WHERE line IN (line)',
  'DELETE FROM order_items USING orders',
  'DELETE FROM order_items WHERE ctid IS NOT NULL',
  'DELETE FROM order_items WHERE line IS DISTINCT FROM NULL',
  "DELETE FROM order_items WHERE item ~ ''",
  "DELETE FROM order_items WHERE item ~* '^.*$'",
  'DELETE FROM order_items WHERE line IN (SELECT line FROM order_items)',
  'DELETE FROM order_items o WHERE o.line = ANY (SELECT i.line FROM order_items i)',
  'DELETE FROM order_items i WHERE NOT i.tableoid IS NULL',
  'UPDATE order_items SET item = NULL',
  'UPDATE order_items SET item = NULL WHERE ctid = ctid',
  'UPDATE ONLY order_items SET item = NULL WHERE order_id IS NOT NULL',
  'WITH a AS (UPDATE order_items SET item = NULL WHERE line = 1) DELETE FROM order_items',
  'TRUNCATE order_items',
  'TRUNCATE orders CASCADE',
]

t.test('a write is refused wherever in a statement it stands', async (t) => {
  for (const text of WRITES_IN_READS) await refused(t, siege, text)
})

t.test('what wraps a statement does what it wraps', async (t) => {
  for (const text of WRAPPED) await refused(t, siege, text)
})

t.test('a write of every row is refused, however its WHERE is dressed up', async (t) => {
  for (const text of UNBOUNDED) await refused(t, siege, text)
})
