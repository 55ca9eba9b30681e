/** psql as people and scripts use it, beside psql past the gate: what policy allows looks the same to the byte. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { removeAtExit } from '../../support/process.ts'
import { permitted } from '../records.ts'
import { type Address, startGated } from './gated.ts'
import { psql, startOnTerminal } from './psql.ts'

/** Debian's psql is of this version, and its pg_dump serves no newer server. */
const gated = await startGated(t, { version: 15 })
const directory = mkdtempSync(join(tmpdir(), 'sidegate-psql-'))
removeAtExit(directory)

/** What Sidegate pins, so that only Sidegate makes a difference. */
const PINNED = { PGOPTIONS: '-c search_path=public,pg_temp' }

async function past(input: string, args: readonly string[] = []) {
  const { code, stdout, stderr } = await psql(gated.direct, { input, args, env: PINNED })
  return { code, stdout: anywhere(stdout, gated.direct), stderr: anywhere(stderr, gated.direct) }
}

async function through(input: string, args: readonly string[] = [], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await psql(gated.agent, { input, args, env })
  return { code, stdout: anywhere(stdout, gated.agent), stderr: anywhere(stderr, gated.agent) }
}

function anywhere(text: string, { port }: Address): string {
  return text.replaceAll(String(port), 'PORT')
}

async function looksTheSame(t: Test, input: string, args: readonly string[], what = args.join(' ')): Promise<void> {
  const [one, other] = await Promise.all([past(input, args), through(input, args)])
  t.same(other, one, what)
}

const LOOKS = `\\d
\\d+
\\d customers
\\d+ customers
\\d+ orders
\\d+ open_orders
\\d+ reporting.totals
\\d+ visits
\\d visits_2026
\\d orders_by_customer
\\d invoice_number
\\d order_items
\\d+ pg_catalog.pg_class
\\d+ information_schema.columns
\\da
\\dA+
\\dAc
\\dAf
\\dAo
\\dAp
\\db
\\dc
\\dconfig work_mem
\\dC
\\dd
\\dD+
\\ddp
\\des+
\\dew+
\\det+
\\df
\\df+
\\df pg_catalog.*
\\dF+
\\dFd+
\\dFp+ default
\\dFt+
\\dg+
\\di+
\\dl
\\dL+
\\dm+
\\dn+
\\do
\\dO+
\\dp
\\z
\\dP+
\\drds
\\dRp+
\\ds+
\\dt+
\\dt *.*
\\dT+
\\du+
\\dv+
\\dE
\\dx+
\\dX
\\dy
\\l+
\\lo_list
\\sf with_tax
\\sf+ with_tax
\\sv open_orders
\\conninfo
\\encoding
\\echo :SERVER_VERSION_NAME :ENCODING :DBNAME :USER :HOST`.split('\n')

t.test(
  'everything that psql shows of a database with its backslash commands looks as it does past the gate',
  async (t) => {
    const script = LOOKS.map((look) => `\\echo === ${look}\n${look}\n`).join('')
    const [one, other] = await Promise.all([past(script), through(script)])
    const [direct, gate] = [one, other].map(({ stdout }) => stdout.split(/^=== /m))
    for (const [at, look] of LOOKS.entries()) t.equal(gate?.[at + 1], direct?.[at + 1], look)
    t.equal(other.stderr, one.stderr)
    const refused = (await gated.recorded()).filter(({ decision }) => !permitted(decision))
    t.same(refused, [])
  },
)

const SAME: Readonly<Record<string, string>> = {
  'statements, several in one message': 'select 1; select 2 \\; select 3 \\; select 4;;',
  'nothing but comments': ';\n;;\n-- nothing\n/* at all */;',
  'letters of every length, NULL, and names with line breaks': `select 1 as "a\nb", E'tab\\t', 'Ünïcödé 😀', null;`,
  'values of all kinds, expanded': '\\x\nselect * from orders order by id;',
  'a result fetched in parts by a cursor': `\\set FETCH_COUNT 2
select id, total from orders order by id;
begin; select * from orders order by id; commit;`,
  'the columns of a result without running it': 'select id, placed, tags, extra, receipt from orders \\gdesc',
  'variables taken from a result': `select id, name as n from customers where id = 1 \\gset
\\echo :n :id
select :'n' as n, :id + 1, :{?n};`,
  'statements that a statement makes': `select 'select ' || n from generate_series(1, 3) n \\gexec`,
  'a cross table': 'select customer_id, status, sum(total) from orders group by 1, 2 order by 1, 2 \\crosstabview',
  'rows copied out': `\\copy orders (id, customer_id, total) to stdout csv header
\\copy (select id, total from orders order by id) to stdout
copy (values (1, null), (2, 'x')) to stdout;`,
  'errors of the server, with their place': `\\set VERBOSITY verbose
select 1/0;
select nope from orders;
\\errverbose`,
  'transactions with errors and savepoints behind the scenes': `\\set ON_ERROR_ROLLBACK on
begin;
select 1/0;
select 1;
commit;`,
  'transactions that psql begins by itself': `\\set AUTOCOMMIT off
select 1;
select 1/0;
select 2;
rollback;
select 3;`,
  'isolation levels, chains and settings': `begin isolation level serializable read only deferrable;
select 1; commit; start transaction; abort; begin; rollback and chain; commit;
set transaction isolation level serializable; set local statement_timeout = 10; set statement_timeout = 0;
set timezone = 'Asia/Tokyo'; show timezone; reset timezone; show timezone; discard all;`,
  'prepared statements and cursors of SQL': `prepare p(int) as select id from orders where id = $1; execute p(101); deallocate p;
declare c cursor for select 1;
begin; declare c cursor for select id from orders order by id; fetch 1 from c; fetch all c; move backward all in c;
fetch 2 c; close c; commit;
begin; declare c scroll cursor with hold for select id from orders order by id; commit; fetch last c; close c;`,
  'plans, VALUES and TABLE': `explain (costs off) select * from orders where id = 1;
explain (analyze, costs off, timing off, summary off) select 1;
values (1, 'a'), (2, null);
table order_items;`,
  'views and partitions': `select * from open_orders order by id;
select * from reporting.totals order by 1;
select * from visits order by day;`,
  'the session as it sees itself': `select current_user, session_user, current_database(), current_schema(), pg_backend_pid() > 0;
\\connect
select 1;
\\c shop
select 2;`,
  'source, files, conditions and output elsewhere': `\\i ${join(directory, 'more.sql')}
\\if true
select 1;
\\else
select 2;
\\endif
\\o /dev/null
select 3;
\\o
\\sf pg_sleep
\\sf nope
\\sv nope`,
}
/** Both sides would write the same rows: one after the other. */
const WRITING: Readonly<Record<string, string>> = {
  'rows copied in from a file, and deleted': `\\copy order_items from '${join(directory, 'items.csv')}' csv
select * from order_items order by 1, 2;
delete from order_items where line = 9 returning *;`,
  'rows copied in from the script': `copy order_items from stdin;
101\t9\tlamp\t1
\\.
select count(*) from order_items;
delete from order_items where line = 9;`,
  'copies that fail, and what comes after them': `copy order_items from stdin;
101\tx\tlamp\t1
\\.
select count(*) from order_items;
copy order_items from stdin;
101\t1\tlamp\t1
\\.
select count(*) from order_items;
begin;
copy order_items from stdin;
101\t1\tlamp\t1
\\.
select 1;
rollback;`,
  'rows that are written and read back': `begin;
insert into orders (id, customer_id, total) values (900, 3, 1.00) returning id, status;
update orders set total = 2 where id = 900;
delete from orders where id = 900 returning *;
rollback;`,
}
writeFileSync(join(directory, 'items.csv'), '101,9,lamp,1\n103,9,chain,2\n')
writeFileSync(join(directory, 'more.sql'), 'select 42;\n')

t.test('what policy allows, psql shows as it does past the gate', async (t) => {
  for (const [what, script] of Object.entries(SAME)) await looksTheSame(t, `${script}\n`, [], what)
  for (const [what, script] of Object.entries(WRITING)) {
    t.same(await through(`${script}\n`), await past(`${script}\n`), what)
  }
  const refused = (await gated.recorded()).filter(({ decision }) => !permitted(decision))
  t.same(refused, [])
})

t.test('psql -c runs several statements as one transaction, and its exit codes are the same', async (t) => {
  await looksTheSame(t, '', ['-c', 'select 1; select 2', '-c', 'select 3'])
  await looksTheSame(t, '', ['-1', '-c', 'select 1', '-c', 'select 1/0', '-c', 'select 2'])
  await looksTheSame(t, 'select 1/0; select 2;', ['-v', 'ON_ERROR_STOP=1'])
  await looksTheSame(t, '', ['-At', '-F', ',', '-c', 'select id, total from orders order by id'])
})

t.test('masked columns differ as policy says, through cursors and copies of other columns as well', async (t) => {
  const rows = 'select id, name, ssn, email from customers order by id;'
  const masked = '1|Ada Palmer|[sidegate:masked]|********.com\n2|Bao Tran|[sidegate:masked]|********.com\n'
  const plain = await through(rows, ['-At'])
  t.ok(plain.stdout.startsWith(masked), plain.stdout + plain.stderr)
  const fetched = await through(`\\set FETCH_COUNT 1\n${rows}`, ['-At'])
  t.same(fetched, plain)
  const described = 'select id, ssn from customers \\gdesc'
  t.same(await through(described), await past(described))
  const copied = '\\copy customers (id, name, city) to stdout'
  t.same(await through(copied), await past(copied))
})

const REFUSED: readonly (readonly [statement: string, code: string])[] = [
  ['update orders set total = 1', 'writes.unbounded'],
  ['delete from orders', 'writes.unbounded'],
  ['truncate orders', 'writes.unbounded'],
  ["update customers set city = 'x' where id = 1", 'writes.table'],
  ['drop table orders', 'schema.change'],
  ['create table t ()', 'schema.change'],
  ["comment on table orders is 'x'", 'schema.change'],
  ['do $$ begin end $$', 'code.out-of-sight'],
  ['select with_tax(1)', 'code.out-of-sight'],
  ["select pg_read_file('x')", 'io.outside'],
  ["copy orders to '/tmp/x'", 'io.outside'],
  ["copy orders to program 'cat'", 'io.outside'],
  ['grant all on orders to public', 'roles.change'],
  ['listen x', 'session.channel'],
  ['notify x', 'session.channel'],
  ['vacuum', 'database.maintenance'],
  ['lock table orders', 'reads.lock'],
  ['select * from orders for update', 'reads.lock'],
  ['select pg_sleep(1)', 'reads.wait'],
  ['select * from pg_stats', 'reads.system-values'],
  ["select nextval('invoice_number')", 'writes.function'],
  ['select lo_create(0)', 'writes.function'],
  ['select * from nowhere', 'names.unknown'],
  ["set work_mem = '64GB'", 'session.setting'],
  ['set search_path = reporting', 'command.unsupported'],
  ["set client_encoding = 'LATIN1'", 'command.unsupported'],
  ['set role postgres', 'command.unsupported'],
  ["select name from customers where ssn like '0%'", 'obligation.unsupported'],
  ['select upper(email) from customers', 'obligation.unsupported'],
  ['copy customers to stdout', 'obligation.unsupported'],
  ['selec', 'command.unparsable'],
]

t.test('a refusal tells psql what was wrong, its code, and what would be accepted; the session goes on', async (t) => {
  await gated.recorded()
  const script = REFUSED.map(([statement]) => `\\warn === next\n${statement};\nselect 'on';\n`).join('')
  const { stdout, stderr } = await through(script, ['-At'])
  t.equal(stdout, 'on\n'.repeat(REFUSED.length))
  const said = stderr.split('=== next\n').slice(1)
  for (const [at, [statement, code]] of REFUSED.entries()) {
    t.match(said[at], /^ERROR: {2}\S.*\nDETAIL: {2}\S+\nHINT: {2}\S.*\n/, statement)
    t.match(said[at], `DETAIL:  ${code}\n`, statement)
  }
  const verdicts = (await gated.recorded()).map(({ decision }) => permitted(decision))
  t.same(
    verdicts,
    REFUSED.flatMap(() => [false, true]),
  )
})

t.test('a refusal fails a transaction as an error would, and a savepoint brings it back', async (t) => {
  const failed = await through('begin;\nselect 1;\ndrop table orders;\nselect 2;\ncommit;\nselect 3;', ['-At'])
  t.equal(failed.stdout, 'BEGIN\n1\nROLLBACK\n3\n')
  t.match(failed.stderr, /schema\.change[^]*current transaction is aborted/)
  const saved = await through('begin;\nsavepoint a;\ndrop table orders;\nrollback to a;\nselect 2;\ncommit;', ['-At'])
  t.equal(saved.stdout, 'BEGIN\nSAVEPOINT\nROLLBACK\n2\nCOMMIT\n')
  const script = '\\set ON_ERROR_ROLLBACK on\nbegin;\nupdate orders set total = 1;\nselect 2;\ncommit;'
  t.equal((await through(script, ['-At'])).stdout, 'BEGIN\n2\nCOMMIT\n')
})

t.test('Ctrl-C in psql cancels the statement with our own cancel key, and the session goes on', async (t) => {
  await gated.recorded()
  const program = await startOnTerminal(gated.agent)
  program.child.stdin?.write(`${LONG};\n`)
  await running(LONG)
  program.child.stdin?.write('\u0003')
  await program.output(/canceling statement due to user request/)
  program.child.stdin?.write("select 'on ' || 'and on';\n\\q\n")
  await program.output(/on and on/)
  await program.exited
  const cancelled = (await gated.recorded()).find(({ decision }) => decision.input.command.text.includes('100000'))
  t.match(cancelled?.outcome, { status: 'failed', code: '57014' })
})

/** It takes minutes, and every function in it is pure. */
const LONG = 'select count(*) from generate_series(1, 100000) a, generate_series(1, 10000) b'

async function running(text: string): Promise<void> {
  const sql = `SELECT 1 FROM pg_stat_activity WHERE query LIKE '${text}%' AND state = 'active'`
  for (let attempt = 0; (await gated.server.sql(sql)).length === 0; attempt++) {
    if (attempt > 200) throw new Error(`it never ran: ${text}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

t.test('psql comes in by TLS in its three forms, and cannot be led to another server', async (t) => {
  const ask = async (env: Record<string, string>) =>
    await psql(gated.guarded, { args: ['-At', '-c', 'select 42'], env: { PGSSLROOTCERT: gated.ca, ...env } })
  for (const env of [
    { PGSSLMODE: 'disable' },
    { PGSSLMODE: 'prefer', PGSSLROOTCERT: '' },
    { PGSSLMODE: 'require' },
    { PGSSLMODE: 'verify-ca' },
    { PGSSLMODE: 'verify-full' },
    { PGSSLMODE: 'verify-full', PGCHANNELBINDING: 'require' },
    { PGSSLMODE: 'verify-full', PGGSSENCMODE: 'prefer' },
    { PGSSLMODE: 'require', PGREQUIRESSL: '1', PGSSLMINPROTOCOLVERSION: 'TLSv1.3' },
  ]) {
    const { stdout, stderr } = await ask(env)
    t.equal(stdout, '42\n', `${JSON.stringify(env)} ${stderr}`)
  }
  const plain = await ask({ PGSSLMODE: 'disable', PGCHANNELBINDING: 'require' })
  t.match(plain.stderr, /channel binding required/)
  const other = await ask({ PGSSLMODE: 'verify-full', PGSSLROOTCERT: 'system' })
  t.not(other.code, 0)
})

t.test('psql cannot reach another database, and is told which are offered', async (t) => {
  const { code, stderr } = await through('\\c postgres\nselect 1;')
  t.equal(code, 2)
  t.match(
    stderr,
    /FATAL: {2}database "postgres" is not offered by this target\nDETAIL: {2}target.forbidden\nHINT: {2}offered: shop/,
  )
})

t.test('a new password never gets as far as the records', async (t) => {
  await gated.recorded()
  const { stderr } = await through("alter role shop_app password 'a-new-password';\n")
  t.match(stderr, /roles\.change/)
  const [refused] = await gated.recorded()
  t.notMatch(JSON.stringify(refused), 'a-new-password')
})

t.test('user mappings and subscriptions, which hold credentials, are refused with a reason', async (t) => {
  for (const look of ['\\deu', '\\dRs']) {
    const { stdout, stderr } = await through(look)
    t.equal(stdout, '')
    t.match(stderr, /DETAIL: {2}reads\.system-values\nHINT: {2}\S/, look)
  }
})

t.test('large objects are refused with a reason, as they are called by number', async (t) => {
  const file = join(directory, 'more.sql')
  const { stderr, stdout } = await through(`\\lo_import ${file}\nselect 'on';`, ['-At'])
  t.match(stderr, /FunctionCall is not permitted/)
  t.equal(stdout, 'on\n')
  t.equal(readFileSync(file, 'utf8'), 'select 42;\n')
})

t.test('the records of all of psql are whole and hold no secret', async (t) => await gated.check(t))
