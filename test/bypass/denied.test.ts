/** A relation that policy denies, under every other name by which its rows can be had. */
import t from 'tap'
import { besiege, refused, send, WAYS } from './siege.ts'

const siege = await besiege(
  t,
  {
    denied: `package policy.denied

import data.sidegate.sql

allow contains {"code": "denied.all", "protocol": "postgres"}

deny contains {"code": "denied.customers", "message": "customers are nobody's business"} if sql.touches("public.customers")

deny contains {"code": "denied.branch", "message": "nor is the branch"} if sql.touches("branch.\\"Staff\\"")

deny contains {"code": "denied.schema", "message": "nor is what is shut away"} if sql.touches_schema("shut")
`,
  },
  {
    more: `
CREATE SCHEMA branch;
CREATE SCHEMA shut;
CREATE TABLE branch."Staff" (id integer, ssn text);
CREATE TABLE branch.temps () INHERITS (branch."Staff");
CREATE TABLE branch.offices (id integer);
CREATE TABLE branch.desks () INHERITS (branch.offices, branch."Staff");
CREATE VIEW temping AS SELECT ssn FROM branch.temps;
CREATE TABLE shut.ledger (id integer, note text);
CREATE VIEW ledger_lines AS SELECT id FROM shut.ledger;
CREATE TABLE inbox (id integer, note text);
CREATE RULE inbox AS ON INSERT TO inbox DO INSTEAD INSERT INTO shut.ledger VALUES (NEW.id, NEW.note);
CREATE VIEW vips AS SELECT ssn FROM vip;
CREATE INDEX customers_name ON customers (name);
`,
  },
)

const READ = [
  'SELECT ssn FROM customers',
  'SELECT ssn FROM everyone',
  'SELECT * FROM public."everyone"',
  'SELECT id FROM everyone',
  'SELECT count(*) FROM everyone',
  'TABLE kept',
  'SELECT ssn FROM ONLY kept',
  'SELECT ssn FROM vip',
  'SELECT perk FROM vip',
  'TABLE vips',
  'SELECT o.id FROM orders o JOIN everyone e ON e.id = o.customer_id',
  'SELECT 1 WHERE EXISTS (SELECT FROM vip)',
  'WITH e AS (TABLE everyone) SELECT 1 FROM e',
  'COPY (TABLE everyone) TO STDOUT',
  'COPY vip TO STDOUT',
  'DECLARE c CURSOR WITH HOLD FOR TABLE everyone',
  'CREATE TABLE made AS TABLE kept',
  'EXPLAIN ANALYZE TABLE everyone',
  'SELECT id FROM everyone FOR UPDATE',
  'TABLE branch.temps',
  'TABLE branch.desks',
  'TABLE branch.offices',
  'TABLE temping',
  'TABLE ledger_lines',
]

const WRITTEN = [
  "UPDATE everyone SET name = 'x' WHERE id = 1",
  "INSERT INTO everyone VALUES (9, 'x', 'x')",
  'DELETE FROM everyone WHERE id = 3',
  "UPDATE vip SET ssn = 'x' WHERE id = 4",
  'DELETE FROM vip WHERE id = 4',
  'TRUNCATE vip',
  'COPY everyone (id, name, ssn) FROM STDIN',
  "INSERT INTO inbox VALUES (1, 'x')",
  'UPDATE ledger_lines SET id = 2 WHERE id = 1',
  'REFRESH MATERIALIZED VIEW kept',
  'LOCK TABLE everyone IN EXCLUSIVE MODE',
  'DROP TABLE vip',
  'DROP INDEX customers_name',
  'ALTER TABLE vip NO INHERIT customers',
]

t.test('a denied table is not read under another name', async (t) => {
  for (const text of READ) await refused(t, siege, text)
})

t.test('nor is it written', async (t) => {
  for (const text of WRITTEN) await refused(t, siege, text)
})

t.test('what has nothing to do with it is allowed', async (t) => {
  for (const text of ['SELECT id FROM orders', 'SELECT id FROM events_1', 'SELECT 1 AS one']) {
    const { shown } = await send(siege, WAYS.simple(text))
    t.notMatch(shown, /E\((42501|0A000)\)/, text)
  }
})
