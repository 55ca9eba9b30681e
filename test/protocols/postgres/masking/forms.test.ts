import pg from 'pg'
import t from 'tap'
import { compileMasks, type MaskPlan, planMasks } from '../../../../src/protocols/postgres/masking.ts'
import { startPostgres } from '../../../support/postgres.ts'
import { catalogueFrom, maskOf, statementOf } from './sketch.ts'
import { valuesOf, viewOf, WAYS, Wire } from './wire.ts'

/** No value of the masked column is without it, and nothing else holds it. */
const PLANTED = 'PLANTED'

const SCHEMA = `
  create type mood as enum ('calm', 'cross');
  create domain ssn as text check (value like '${PLANTED}%');
  create table customers (id int primary key, name text, ssn ssn unique, note varchar(40), mood mood);
  create table newcomers (id int primary key, name text, ssn ssn);
  create table vip (perk text) inherits (customers);
  create table orders (id int primary key, customer_id int, total numeric, ssn text);
  create table events (id int, ssn text, at date) partition by range (id);
  create table events_1 partition of events for values from (0) to (100);
  create table accounts (id int primary key, owner ssn references customers (ssn));
  create sequence counter;
  create view everyone as select id, name, ssn from customers;
  create materialized view kept as select ssn from everyone;
  create function peek() returns setof text language sql as 'select ssn::text from customers';
  create function definer() returns text language sql security definer as 'select ssn::text from customers limit 1';
  create function shout(customers) returns text language sql as 'select $1.ssn::text';
  insert into customers select i, 'name ' || i, '${PLANTED}-' || i, 'note', 'calm' from generate_series(1, 5) i;
  insert into newcomers values (1, 'new', '${PLANTED}-1');
  insert into vip select i, 'vip ' || i, '${PLANTED}-' || i, 'note', 'cross', 'perk' from generate_series(6, 7) i;
  insert into orders select i, i, i * 10, 'clear ' || i from generate_series(1, 5) i;
  insert into events select i, '${PLANTED}-' || i, '2026-01-01' from generate_series(1, 3) i;
  analyze;`

const MASKS = [
  maskOf('public.customers.ssn'),
  maskOf('public.newcomers.ssn'),
  maskOf('public.events.ssn', 'null'),
  maskOf('public.customers.note', 'partial'),
]

const server = await startPostgres({ hba: ['host all all 127.0.0.1/32 trust'] })
t.teardown(() => server.stop())
await server.sql(SCHEMA)
const client = new pg.Client(server.connection())
await client.connect()
const catalogue = await catalogueFrom(client)
await client.end()
const masks = compileMasks(MASKS, catalogue)
const wire = await Wire.open(server.port, server.user, 'postgres')
t.teardown(() => wire.close())

function planOf(sql: string): MaskPlan {
  return planMasks(statementOf(sql), masks, catalogue)
}

/** Forms whose rows arrive masked. */
const MASKED = [
  'select * from customers',
  'table customers',
  'select ssn from customers',
  'select ssn as other, id from customers',
  'select c.* from customers c',
  'select c.ssn, c.a from customers c (a, b)',
  'select x, y from customers c (x, z, y)',
  'select public.customers.ssn from public.customers',
  'select ssn from only customers',
  'select ssn, perk from vip',
  'select id, ssn from events',
  'select id, ssn from events_1',
  'select s.b, s.a from (select id, ssn from customers) s (a, b)',
  'with x as (select * from customers) select ssn, name from x',
  'with x (a, b, c) as materialized (select * from customers) select c from x',
  'with recursive n as (select 1 as i union all select i + 1 from n where i < 3) select n.i, c.ssn from n join customers c on c.id = n.i',
  'select l.v from customers c, lateral (select c.ssn as v, c.id) l where l.id < 3',
  'select c.ssn, o.* from customers c join orders o on o.customer_id = c.id',
  'select * from (select id, name, ssn as x from customers) c join orders using (id)',
  'select c.ssn from customers c left join orders o using (id)',
  'select c.ssn from orders o full join customers c on c.id = o.id',
  'select j.c from (customers c join orders o on c.id = o.id) as j (a, b, c)',
  'select id, ssn from customers group by id',
  'select ssn from customers order by id desc limit 2 offset 1',
  'select ssn from customers for update',
  "insert into newcomers values (90, 'n', 'PLANTED-new') returning *",
  "insert into newcomers (id, ssn) values (91, 'PLANTED-91') on conflict (id) do update set name = 'again' returning ssn, id",
  "update customers set name = 'x' where id = 1 returning ssn, name",
  'update customers c set name = o.ssn from orders o where o.id = c.id returning c.ssn, o.ssn',
  'delete from events where id = 3 returning *',
  'with gone as (delete from customers where id = 2 returning ssn, id) select * from gone',
  "update customers set name = 'y' where id = 3 returning old.ssn, new.ssn",
]

/** Forms that touch the relation, and show nothing of the column. */
const CLEAR = [
  'select id, name from customers',
  'select count(*) from customers',
  'select upper(name) from customers where id > 2 order by name',
  'select ssn from orders',
  'select o.ssn from orders o join customers c on c.id = o.customer_id where o.ssn <> name',
  'select exists (select ssn from customers where id = 1)',
  'with c as (select id, ssn from customers) select id from c',
  'select ssn from (select name as ssn from customers) s order by ssn',
  'select distinct name from customers',
  'select id, count(*) from (select id from customers union all select id from orders) u group by 1',
  'select sum(total) over (partition by c.name) from customers c join orders o on o.id = c.id',
  "insert into newcomers values (1, 'n', 'PLANTED-1')",
  "insert into newcomers values (92, 'n', 'not a valid one')",
  "insert into customers (id, name) values (93, 'n')",
  'insert into accounts (id) values (1)',
  'update accounts set id = 2 where id = 1',
  'select id from customers where name = 1',
  'select name::int from customers',
  'delete from customers where id = 4',
  'explain select ssn from customers where id = 1',
  'explain analyze select name from customers where id = 1',
  'copy customers (id, name) to stdout',
  'copy (select id from customers) to stdout',
  'create temp table mine as select id from customers',
  'select relname from pg_class limit 1',
  "select nextval('counter')",
  'select table_name from information_schema.tables limit 1',
  'select 1',
]

/** Forms that show, compare or copy the column, and the place that the refusal names. */
const REFUSED: readonly (readonly [sql: string, says: RegExp])[] = [
  ['select c from customers c', /whole row .*customers\.ssn/],
  ['select customers from customers', /whole row/],
  ['select (c).ssn from customers c', /whole row/],
  ['select ssn(c) from customers c', /whole row/],
  ['select c.shout from customers c', /shout/],
  ['select row(c.*) from customers c', /whole row/],
  ['select (c.*) is null from customers c', /whole row/],
  ['select c::text from customers c', /whole row/],
  ['select row_to_json(c) from customers c', /whole row/],
  ['select to_jsonb(c) from customers c', /whole row/],
  ['select xmlforest(c.ssn) from customers c', /a select expression/],
  ["select ssn || '' from customers", /ssn is masked .* a select expression/],
  ['select ssn::varchar from customers', /a select expression/],
  ['select ssn::text from customers', /a select expression/],
  ['select ssn collate "C" from customers', /a select expression/],
  ["select coalesce(ssn, '') from customers", /a select expression/],
  ["select format('%s', ssn) from customers", /a select expression/],
  ['select max(ssn) from customers', /a select expression/],
  ['select count(ssn) from customers', /a select expression/],
  ['select first_value(ssn) over () from customers', /a select expression/],
  ['select count(*) filter (where ssn is null) from customers', /a select expression/],
  ['select array(select ssn from customers)', /a subquery used as a value/],
  ['select (select ssn from customers limit 1)', /a subquery used as a value/],
  ['select unnest(array(select ssn from customers))', /a subquery used as a value/],
  ["select 'x' in (select ssn from customers)", /a subquery used as a value/],
  ['values ((select ssn from customers limit 1))', /a subquery used as a value/],
  ['select ssn from customers union all select name from customers', /UNION/],
  ["select 'x' union select ssn from customers", /UNION/],
  ['select ssn from customers except select ssn from orders', /UNION/],
  ['select a.ssn from customers a join customers b using (ssn)', /a join condition/],
  ['select o.id from orders o natural join customers c', /a join condition/],
  ['select o.id from orders o join customers c on o.ssn = c.ssn', /a join condition/],
  ['select c.id from customers c full join orders o using (ssn)', /a join condition/],
  ["select id from customers where ssn = 'x'", /WHERE/],
  ['select id from customers c where c is not null', /WHERE/],
  ['select id from customers c where exists (select 1 from orders where orders.ssn = c.ssn)', /WHERE/],
  ['select name from customers group by name, ssn', /GROUP BY/],
  ['select ssn from customers group by 1', /GROUP BY/],
  ['select ssn as s from customers group by s', /GROUP BY/],
  ['select name from customers group by rollup ((name, ssn))', /GROUP BY/],
  ["select name from customers group by name having min(ssn) > 'x'", /HAVING/],
  ['select id from customers order by ssn', /ORDER BY/],
  ['select id, ssn from customers order by 2', /ORDER BY/],
  ['select ssn as s from customers order by s', /ORDER BY/],
  ['select * from customers order by 3', /ORDER BY/],
  ['select id from customers c order by c', /ORDER BY/],
  ['select distinct ssn from customers', /DISTINCT/],
  ['select distinct * from customers', /DISTINCT/],
  ['select distinct on (ssn) id from customers', /DISTINCT/],
  ['select row_number() over (order by ssn) from customers', /a select expression/],
  ['select row_number() over w from customers window w as (partition by ssn)', /a window definition/],
  ['select id from customers limit (select count(*) from customers where ssn is null)', /WHERE/],
  ['select s.x from (select ssn || name as x from customers) s', /a select expression/],
  ['with x as (select lower(ssn) l from customers) select 1', /a select expression/],
  ['select * from customers c, lateral (select c.ssn || name as x) l', /a select expression/],
  ['select * from customers c, unnest(string_to_array(c.ssn, null)) u', /a function in FROM/],
  [
    'select c.ssn from customers c tablesample system ((select length(ssn) from customers limit 1))',
    /a select expression/,
  ],
  ['select ssn from everyone', /everyone shows a table with masked columns/],
  ['select * from kept', /kept shows/],
  ['select peek()', /function peek/],
  ['select * from peek()', /function peek/],
  ['select definer()', /function definer/],
  ["select query_to_xml('select * from customers', true, true, '')", /function query_to_xml/],
  ["select table_to_xml('customers', true, true, '')", /function table_to_xml/],
  ["select * from ts_stat('select to_tsvector(ssn) from customers')", /function ts_stat/],
  ["select * from pg_logical_slot_get_changes('s', null, null)", /function pg_logical_slot_get_changes/],
  ["select pg_read_file('base/1')", /function pg_read_file/],
  ['select * from pg_toast.pg_toast_1', /not known/],
  ['select most_common_vals from pg_stats', /pg_stats/],
  ['select * from pg_statistic', /pg_statistic/],
  ['select * from nowhere', /nowhere is not known/],
  ['select ssn2 from customers', /a name is not known/],
  ['select id, * , g.* from customers, generate_series(1, 2) g', /cannot be told/],
  ['copy customers to stdout', /COPY/],
  ['copy customers (ssn) to stdout', /COPY/],
  ['copy (select ssn from customers) to stdout', /COPY/],
  ['copy (delete from customers returning ssn) to stdout', /COPY/],
  ['insert into orders (id, ssn) select 50 + id, ssn from customers', /a value to be written/],
  ['insert into orders (id, ssn) values (60, (select ssn from customers limit 1))', /a subquery used as a value/],
  ["insert into newcomers (id, ssn) values (1, 'PLANTED-1') on conflict (ssn) do nothing", /ON CONFLICT/],
  ["insert into customers values (93, 'n', 'PLANTED-1')", /a key that is written/],
  ["insert into customers (ssn, id) values ('PLANTED-1', 93)", /a key that is written/],
  ["insert into customers values (93, 'n', 'PLANTED-1') on conflict do nothing", /ON CONFLICT/],
  ["insert into accounts values (3, 'PLANTED-1')", /customers\.ssn is masked .* a key that is written/],
  ["update accounts set owner = 'PLANTED-1' where id = 1", /a key that is written/],
  ["insert into accounts (id) values (1) on conflict (id) do update set owner = 'PLANTED-1'", /a key that is written/],
  ["merge into accounts a using (values (1)) v (id) on a.id = v.id when matched then update set owner = 'x'", /a key/],
  ['copy customers from stdin', /a key that is written/],
  ['copy accounts (id, owner) from stdin', /a key that is written/],
  [
    "insert into newcomers (id, ssn) values (94, 'PLANTED-1') on conflict on constraint newcomers_pkey do update set name = 'x' returning id",
    /ON CONFLICT/,
  ],
  [
    'insert into customers (id) values (1) on conflict (id) do update set name = customers.ssn',
    /a value to be written/,
  ],
  ["insert into newcomers (id) values (1) on conflict (id) do update set ssn = 'PLANTED'", /ON CONFLICT/],
  [
    "insert into customers (id) values (1) on conflict (id) do update set name = 'x' where customers.ssn > 'A'",
    /ON CONFLICT/,
  ],
  ["update customers set ssn = 'PLANTED-z'", /SET of an UPDATE/],
  ["update customers set (name, ssn) = ('a', 'PLANTED-z')", /SET of an UPDATE/],
  ['update customers set name = ssn', /a value to be written/],
  ['update orders o set ssn = c.ssn from customers c where c.id = o.id', /a value to be written/],
  ['update orders set (ssn, total) = (select ssn, 1 from customers limit 1)', /a subquery used as a value/],
  ["update customers set name = 'x' where ssn like 'P%'", /WHERE/],
  ["update customers set name = 'x' returning lower(ssn)", /RETURNING/],
  ["update customers set name = 'x' returning customers", /RETURNING/],
  ["update customers set name = 'x' returning with (old as o) o", /RETURNING/],
  ['delete from orders using customers c where c.ssn = orders.ssn', /WHERE/],
  ["delete from customers where ssn = 'x'", /WHERE/],
  ['merge into orders o using customers c on o.id = c.id when matched then update set ssn = c.ssn', /MERGE/],
  ['merge into customers c using orders o on o.id = c.id when matched then delete', /MERGE/],
  ['create table stolen as select ssn from customers', /a table or view made from a query/],
  ['select ssn into stolen from customers', /a table or view made from a query/],
  ['create view mine as select ssn from customers', /a table or view made from a query/],
  ['create materialized view mine as select * from customers', /a table or view made from a query/],
  ["explain select * from customers where ssn = 'x'", /WHERE/],
  ["prepare p as select id from customers where ssn = 'x'", /WHERE/],
  ['declare c cursor for select id from customers order by ssn', /ORDER BY/],
  ['execute p', /not known/],
  ['fetch c', /not known/],
  ["do 'begin end'", /of this kind/],
  ["create function f() returns text language sql as 'select ssn from customers'", /of this kind/],
  ['create trigger t after insert on orders execute function f()', /of this kind/],
  ['create index on customers (ssn)', /a change of the schema/],
  ['alter table customers rename column ssn to other', /a change of the schema/],
  ['alter table customers add copied text generated always as (ssn) stored', /a change of the schema/],
  ['alter schema public rename to other', /a schema cannot be renamed/],
  ['with recursive a as (select * from b), b as (select ssn from customers) select * from a', /a recursive query/],
  ['select s.row_to_json from (select * from customers) s', /whole row/],
  ['select (s).ssn from (select ssn from customers) s', /whole row/],
  ['select json_array(select ssn from customers)', /a subquery used as a value/],
]

t.test('every form that can be masked arrives masked, and what is clear arrives as it was', async (t) => {
  for (const sql of MASKED) {
    const plan = planOf(sql)
    t.equal(plan.kind, 'mask', `${sql}: ${plan.kind === 'refuse' ? plan.refusal.message : ''}`)
    if (plan.kind !== 'mask') continue
    for (const way of WAYS) {
      await wire.run('begin', 'simple')
      const answer = await wire.run(sql, way)
      await wire.run('rollback', 'simple')
      const view = viewOf(answer, plan)
      t.equal(view.mismatch, null, `${way}: ${sql}`)
      t.equal(view.error, null, `${way}: ${sql} runs`)
      t.ok(view.rows.length > 0, `${way}: ${sql} gives rows`)
      t.notOk(view.bytes.includes(PLANTED), `${way}: ${sql} shows nothing`)
      for (const { from, to } of view.rows) {
        const before = valuesOf(from)
        const after = valuesOf(to)
        for (const [index, column] of plan.columns.entries()) {
          if (
            column.mask === null &&
            !before[index]?.equals(after[index] ?? Buffer.alloc(0)) &&
            before[index] !== null
          ) {
            t.fail(`${way}: ${sql} changed a clear column`)
          }
        }
      }
    }
  }
})

t.test('forms that only touch the table pass, and neither rows nor errors show the column', async (t) => {
  for (const sql of CLEAR) {
    const plan = planOf(sql)
    t.equal(plan.kind, 'clear', `${sql}: ${plan.kind === 'refuse' ? plan.refusal.message : ''}`)
    if (plan.kind !== 'clear') continue
    for (const way of WAYS) {
      await wire.run('begin', 'simple')
      const answer = await wire.run(sql, way)
      await wire.run('rollback', 'simple')
      const view = viewOf(answer, plan)
      t.equal(view.mismatch, null, `${way}: ${sql}`)
      t.notOk(view.bytes.includes(PLANTED), `${way}: ${sql} shows nothing`)
    }
  }
})

t.test('every other form is refused, with the place and a remedy', (t) => {
  for (const [sql, says] of REFUSED) {
    const plan = planOf(sql)
    t.equal(plan.kind, 'refuse', sql)
    if (plan.kind !== 'refuse') continue
    t.equal(plan.refusal.code, 'obligation.unsupported')
    t.match(plan.refusal.message, says, sql)
    t.not(plan.refusal.remedy, '')
  }
  t.end()
})
