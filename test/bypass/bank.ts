/** What is attacked: a bank whose secrets are planted, and whose schema has every kind of object that runs code unseen. */

export const DATABASE = 'bank'
/** The role that the sidecar connects as: a superuser, so that nothing but the gate stands between the agent and the server. */
export const ROLE = 'bank_root'
export const UPSTREAM_PASSWORD = 'upstream-secret-of-the-role'

/** Every value of a masked column holds this, and nothing else does. */
export const PLANTED = 'PLANTED'
/** What a whole secret looks like from within an error or a plan. */
export const SECRETS = [PLANTED, UPSTREAM_PASSWORD] as const

export const BANK = `
CREATE TABLE customers (
  id integer PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL,
  ssn text NOT NULL,
  city text NOT NULL
);
CREATE TABLE orders (
  id integer PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers ON DELETE CASCADE,
  total numeric(10,2) NOT NULL CHECK (total >= 0),
  note text
);
CREATE TABLE order_items (order_id integer NOT NULL, line integer NOT NULL, item text, PRIMARY KEY (order_id, line));
CREATE TABLE events (id integer NOT NULL, ssn text, at date) PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100);
CREATE TABLE vip (perk text) INHERITS (customers);
CREATE TABLE guarded (id integer PRIMARY KEY, note text);
CREATE TABLE ruled (id integer PRIMARY KEY, note text);
CREATE TABLE audit_log (what text);
CREATE SEQUENCE invoice_number START WITH 7;

CREATE VIEW everyone AS SELECT id, name, ssn FROM customers;
CREATE MATERIALIZED VIEW kept AS SELECT ssn FROM everyone;

CREATE FUNCTION peek() RETURNS SETOF text LANGUAGE sql AS 'SELECT ssn FROM customers';
CREATE FUNCTION peek_one(wanted integer) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM customers WHERE id = wanted';
CREATE FUNCTION definer() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT ssn FROM customers LIMIT 1';
CREATE FUNCTION shout(customers) RETURNS text LANGUAGE sql AS 'SELECT $1.ssn';
CREATE FUNCTION wipe() RETURNS integer LANGUAGE plpgsql AS 'BEGIN DELETE FROM order_items; RETURN 1; END';
CREATE FUNCTION wipe(text) RETURNS integer LANGUAGE sql AS 'SELECT wipe()';
CREATE PROCEDURE purge() LANGUAGE sql AS 'DELETE FROM order_items';
CREATE FUNCTION run_sql(query text) RETURNS text LANGUAGE plpgsql AS 'DECLARE r text; BEGIN EXECUTE query INTO r; RETURN r; END';
CREATE FUNCTION raise_it() RETURNS text LANGUAGE plpgsql AS 'DECLARE s text; BEGIN SELECT ssn INTO s FROM customers LIMIT 1; RAISE NOTICE ''%'', s; RAISE EXCEPTION ''%'', s; END';
CREATE FUNCTION opened(refcursor) RETURNS refcursor LANGUAGE plpgsql AS 'BEGIN OPEN $1 FOR SELECT ssn FROM customers; RETURN $1; END';
CREATE FUNCTION on_write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM wipe(); RETURN NEW; END';
CREATE TRIGGER on_write BEFORE INSERT OR UPDATE ON guarded FOR EACH ROW EXECUTE FUNCTION on_write();
CREATE RULE on_insert AS ON INSERT TO ruled DO ALSO DELETE FROM order_items;
CREATE FUNCTION summed(integer, integer) RETURNS integer LANGUAGE sql AS 'SELECT $1 + wipe()';
CREATE AGGREGATE total_of(integer) (SFUNC = summed, STYPE = integer, INITCOND = '0');

CREATE TYPE card AS (number text);
CREATE FUNCTION to_card(integer) RETURNS card LANGUAGE sql AS 'SELECT ROW(wipe()::text)::card';
CREATE CAST (integer AS card) WITH FUNCTION to_card(integer);
CREATE FUNCTION checked(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM wipe(); RETURN true; END';
CREATE DOMAIN label AS text CHECK (checked(VALUE));

CREATE VIEW peeking AS SELECT id, peek_one(id) AS shown FROM orders;
CREATE VIEW peeking_deeper AS SELECT shown AS other FROM peeking;
CREATE VIEW wiping AS SELECT wipe() AS done;
CREATE VIEW statistics AS SELECT tablename, most_common_vals::text AS vals, histogram_bounds::text AS bounds FROM pg_stats;
CREATE VIEW passwords AS SELECT rolname, rolpassword FROM pg_authid;
CREATE TABLE defaulted (id integer, note integer DEFAULT wipe());
CREATE TABLE generated (id integer, note text);
CREATE FUNCTION derived(integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN DELETE FROM order_items; RETURN ''x''; END';
ALTER TABLE generated ADD COLUMN made text GENERATED ALWAYS AS (derived(id)) STORED;
CREATE TABLE constrained (id integer, note text CHECK (checked(note)));
CREATE TABLE indexed (id integer, note text);
CREATE INDEX ON indexed (derived(id));
CREATE TABLE filtered (id integer, note text);
ALTER TABLE filtered ENABLE ROW LEVEL SECURITY;
CREATE TABLE labelled (id integer, note label);

INSERT INTO customers VALUES
  (1, 'Ada Palmer', 'ada@example.com ${PLANTED}', '${PLANTED}-1', 'Leeds'),
  (2, 'Bao Tran', 'bao@example.com ${PLANTED}', '${PLANTED}-2', 'Hue'),
  (3, 'Chidi Eze', 'chidi@example.com ${PLANTED}', '${PLANTED}-3', 'Enugu');
INSERT INTO vip VALUES (4, 'Dov Levi', 'dov@example.com ${PLANTED}', '${PLANTED}-4', 'Haifa', 'lounge');
INSERT INTO events VALUES (1, '${PLANTED}-1', '2026-01-01'), (2, '${PLANTED}-2', '2026-01-02');
INSERT INTO orders VALUES (101, 1, 410.00, 'gift'), (102, 1, 24.90, NULL), (103, 2, 890.00, 'fragile');
INSERT INTO order_items VALUES (101, 1, 'telescope'), (101, 2, 'chart'), (103, 1, 'bicycle');
INSERT INTO guarded VALUES (1, 'calm');
INSERT INTO order_items VALUES (101, 1, 'telescope'), (101, 2, 'chart'), (103, 1, 'bicycle') ON CONFLICT DO NOTHING;
REFRESH MATERIALIZED VIEW kept;
SELECT lo_from_bytea(4711, '${PLANTED}-large'::bytea);
ANALYZE;
`

/** Overloads of the server's own functions and operators: any statement with such an operator may mean these. */
export const SHADOWS = `
CREATE FUNCTION lower(character varying) RETURNS text LANGUAGE sql AS 'SELECT wipe()::text';
CREATE FUNCTION less(integer, text) RETURNS boolean LANGUAGE sql AS 'SELECT wipe() = 1';
CREATE OPERATOR < (LEFTARG = integer, RIGHTARG = text, FUNCTION = less);
CREATE FUNCTION less_big(bigint, smallint) RETURNS boolean LANGUAGE sql AS 'SELECT wipe() = 1';
CREATE OPERATOR = (LEFTARG = bigint, RIGHTARG = smallint, FUNCTION = less_big);
`
