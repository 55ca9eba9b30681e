/** Functions that run without being written anywhere: by casts, defaults of domains, comparisons, names that mislead, schema changes. */
import t from 'tap'
import { encodeExecute, encodeParse, encodeSync } from '../../src/protocols/postgres/messages.ts'
import { besiege, bind, keepsSecrets, MASKED, refused, send, STARTER, WAYS } from './siege.ts'

/** Casts between types of which at least one is somebody's own, a domain that fills itself in, and one that sorts by code. */
const TYPES = `
CREATE TYPE badge AS (n text);
CREATE FUNCTION badge_text(badge) RETURNS text LANGUAGE sql AS 'SELECT wipe()::text';
CREATE CAST (badge AS text) WITH FUNCTION badge_text(badge) AS IMPLICIT;
CREATE FUNCTION to_badge(integer) RETURNS badge LANGUAGE sql AS 'SELECT ROW(wipe()::text)::badge';
CREATE CAST (integer AS badge) WITH FUNCTION to_badge(integer) AS ASSIGNMENT;
CREATE TABLE badges (id integer, b badge, several badge[]);
INSERT INTO badges VALUES (1, ROW('x'), ARRAY[ROW('x')::badge]);
CREATE FUNCTION spelled(orders) RETURNS text LANGUAGE sql AS 'SELECT ''an order''::text';
CREATE CAST (orders AS text) WITH FUNCTION spelled(orders);

CREATE TYPE rank AS (n integer);
CREATE FUNCTION rank_lt(rank, rank) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n < ($2).n';
CREATE FUNCTION rank_le(rank, rank) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n <= ($2).n';
CREATE FUNCTION rank_eq(rank, rank) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n = ($2).n';
CREATE FUNCTION rank_ge(rank, rank) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n >= ($2).n';
CREATE FUNCTION rank_gt(rank, rank) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n > ($2).n';
CREATE OPERATOR <@< (LEFTARG = rank, RIGHTARG = rank, FUNCTION = rank_lt);
CREATE OPERATOR <@<= (LEFTARG = rank, RIGHTARG = rank, FUNCTION = rank_le);
CREATE OPERATOR <@= (LEFTARG = rank, RIGHTARG = rank, FUNCTION = rank_eq, MERGES);
CREATE OPERATOR <@>= (LEFTARG = rank, RIGHTARG = rank, FUNCTION = rank_ge);
CREATE OPERATOR <@> (LEFTARG = rank, RIGHTARG = rank, FUNCTION = rank_gt);
CREATE FUNCTION ranked(rank, rank) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 0';
CREATE OPERATOR CLASS rank_ops DEFAULT FOR TYPE rank USING btree AS
  OPERATOR 1 <@<, OPERATOR 2 <@<=, OPERATOR 3 <@=, OPERATOR 4 <@>=, OPERATOR 5 <@>, FUNCTION 1 ranked(rank, rank);
CREATE TABLE ranks (id integer, r rank);
INSERT INTO ranks VALUES (1, ROW(1)), (2, ROW(2));
CREATE OR REPLACE FUNCTION ranked(rank, rank) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM wipe(); RETURN 0; END';

CREATE DOMAIN counted AS integer DEFAULT wipe();
CREATE TABLE counting (id integer, c counted);
CREATE FUNCTION nextval() RETURNS integer LANGUAGE sql AS 'SELECT wipe()';
CREATE VIEW numbering AS SELECT nextval() AS n;
CREATE VIEW advancing AS SELECT pg_catalog.nextval('invoice_number') AS n;
`

/** Casts between the server's own types concern every statement that could make them. */
const BUILTIN = `
CREATE FUNCTION to_int(text) RETURNS integer LANGUAGE sql AS 'SELECT wipe()';
CREATE CAST (text AS integer) WITH FUNCTION to_int(text);
`
const IMPLICIT = `
CREATE FUNCTION as_date(integer) RETURNS date LANGUAGE sql AS 'SELECT current_date + wipe()';
CREATE CAST (integer AS date) WITH FUNCTION as_date(integer) AS IMPLICIT;
`

t.test('a cast that somebody made is refused wherever it could be made, written or not', async (t) => {
  const siege = await besiege(t, STARTER, { more: TYPES })
  for (const text of [
    'SELECT length(b) FROM badges',
    "SELECT b || 'x'::text FROM badges",
    'SELECT length(b) FROM (SELECT b FROM badges) s',
    'WITH s AS (TABLE badges) SELECT upper(s.b) FROM s',
    'SELECT length(several[1]) FROM badges',
    "SELECT length('(x)'::badge)",
    "SELECT b::text FROM (SELECT '(x)'::badge AS b) s",
    'SELECT o::text FROM orders o',
    'SELECT CAST(orders AS text) FROM orders',
  ]) {
    await refused(t, siege, text)
  }
  const [row] = await siege.sql(`SELECT 'badge'::regtype::oid::int AS oid`)
  const frames = [
    encodeParse('', 'SELECT length($1)', [Number(row?.['oid'])]),
    bind('', '', ['(x)']),
    encodeExecute(''),
    encodeSync(),
  ]
  t.match((await send(siege, frames)).shown, /^E\(\w+\) Z\(I\)$/, 'of a parameter')
  t.same(await siege.watch.changes(), [])
  for (const text of ['SELECT line::text FROM order_items', 'SELECT name::text FROM customers']) {
    t.notMatch((await send(siege, WAYS.simple(text))).shown, /E\(42501\)/, `of other types: ${text}`)
  }
})

t.test('a cast between types of the server is refused where it could be meant', async (t) => {
  const siege = await besiege(t, STARTER, { more: BUILTIN })
  for (const text of [
    "SELECT 'x'::text::integer",
    'SELECT note::integer FROM orders',
    'SELECT CAST(note AS int) FROM orders',
    "SELECT ARRAY['x'::text]::integer[]",
    "SELECT ARRAY['x'::text]::_int4",
  ]) {
    await refused(t, siege, text)
  }
  t.match((await send(siege, WAYS.simple('SELECT note FROM orders'))).shown, /^T D/, 'what casts nothing is allowed')
  const implicit = await besiege(t, STARTER, { more: IMPLICIT })
  for (const text of [
    'SELECT isfinite(id) FROM orders',
    'SELECT isfinite(1)',
    'SELECT id FROM orders WHERE id = current_date',
  ]) {
    await refused(t, implicit, text)
  }
})

t.test('comparing, sorting and grouping by code that somebody wrote is calling it', async (t) => {
  const siege = await besiege(t, STARTER, { more: TYPES })
  for (const text of [
    'SELECT id FROM ranks ORDER BY r',
    'SELECT DISTINCT r FROM ranks',
    'SELECT count(*) FROM ranks GROUP BY r',
    'SELECT r FROM ranks UNION SELECT r FROM ranks',
    'SELECT row_number() OVER (ORDER BY r) FROM ranks',
    "SELECT DISTINCT '(1)'::rank",
  ]) {
    await refused(t, siege, text)
  }
})

t.test('neither a view nor a function by the name of nextval hides what it does', async (t) => {
  const siege = await besiege(t, STARTER, { more: TYPES })
  for (const text of ['SELECT n FROM numbering', 'SELECT n FROM advancing', 'SELECT count(*) FROM advancing']) {
    await refused(t, siege, text)
  }
})

t.test('a write that fills in by a domain, or casts on its way, is no plain write', async (t) => {
  const tables = ['badges', 'counting', 'orders'].map((name) => `"public.${name}"`).join(', ')
  const writing = {
    writing: `package policy.writing

import data.sidegate.sql

allow contains {"code": "writing.rows"} if sql.writes_only({${tables}})
`,
  }
  const siege = await besiege(t, writing, { more: TYPES })
  for (const text of [
    'INSERT INTO badges VALUES (2, 3)',
    'INSERT INTO badges SELECT 2, 3',
    'UPDATE badges SET b = 3 WHERE id = 1',
    'INSERT INTO counting (id) VALUES (1)',
    'INSERT INTO counting VALUES (1, DEFAULT)',
    'UPDATE counting SET c = DEFAULT WHERE id = 1',
    'COPY counting (id) FROM STDIN',
    'UPDATE orders SET note = b FROM badges WHERE orders.id = 101',
  ]) {
    await refused(t, siege, text)
  }
  const told = await send(siege, WAYS.simple("INSERT INTO orders VALUES (900, 1, 1, 'x')"))
  t.match(told.shown, /^C\(INSERT 0 1\)/, 'one without is')
})

t.test('a schema change is not in sight where event triggers run', async (t) => {
  const policy = {
    changing: `package policy.changing

import data.sidegate.sql

allow contains {"code": "changing.all", "protocol": "postgres"}

deny contains {"code": "changing.unseen", "message": "out of sight"} if sql.procedural
`,
  }
  const TRIGGER = `
CREATE FUNCTION on_change() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM wipe(); END';
CREATE EVENT TRIGGER on_change ON ddl_command_end EXECUTE FUNCTION on_change();`
  const siege = await besiege(t, policy, { more: TRIGGER })
  for (const text of [
    'CREATE TABLE made (id integer)',
    "COMMENT ON TABLE orders IS 'x'",
    'SELECT 1 AS one INTO made',
    'GRANT SELECT ON orders TO PUBLIC',
    'REFRESH MATERIALIZED VIEW kept',
    'ALTER TABLE orders ADD COLUMN x integer',
  ]) {
    await refused(t, siege, text)
  }
})

t.test('what runs unseen shows no masked value', async (t) => {
  const more = `
CREATE TYPE badge AS (n text);
CREATE FUNCTION to_badge(integer) RETURNS badge LANGUAGE sql AS 'SELECT ROW((SELECT ssn FROM customers LIMIT 1))::badge';
CREATE CAST (integer AS badge) WITH FUNCTION to_badge(integer) AS IMPLICIT;
CREATE FUNCTION leaks(text) RETURNS boolean LANGUAGE plpgsql AS
  'DECLARE s text; BEGIN SELECT ssn INTO s FROM customers LIMIT 1; RAISE NOTICE ''%'', s; RAISE EXCEPTION ''%'', s; END';
CREATE DOMAIN leaking AS text CHECK (leaks(VALUE));
CREATE TABLE leaky (id integer, note text CHECK (leaks(note)));
CREATE TABLE leaky_parts (id integer) PARTITION BY RANGE (id);
CREATE TABLE leaky_part PARTITION OF leaky_parts (CHECK (leaks(id::text))) FOR VALUES FROM (0) TO (9);`
  const siege = await besiege(t, MASKED, { more })
  for (const text of [
    '!SELECT 3::badge',
    "!SELECT 'x'::leaking",
    "!SELECT CAST('x' AS leaking)",
    "!SELECT JSON_VALUE(jsonb '\"x\"', '$' RETURNING leaking)",
    '!PREPARE p (leaking) AS SELECT 1',
    "INSERT INTO leaky VALUES (1, 'x')",
    'INSERT INTO leaky_parts VALUES (1)',
    'INSERT INTO leaky_part VALUES (1)',
  ]) {
    for (const [way, frames] of Object.entries(WAYS)) {
      const told = await send(siege, frames(text.replace(/^!/, '')))
      keepsSecrets(t, told.answers)
      t.match(told.shown, text.startsWith('!') ? /^E\((42501|0A000)\) Z\(I\)$/ : /E\(/, `${way}: ${text}`)
    }
  }
})
