/**
 * Two databases that differ in nothing but the values of masked columns: whatever is not refused must look alike to an
 * agent, byte for byte, in rows and errors. That holds for predicates, orders and counts as much as for values.
 */
import fc from 'fast-check'
import pg from 'pg'
import t from 'tap'
import { compileMasks, planMasks } from '../../../../src/protocols/postgres/masking.ts'
import { startPostgres } from '../../../support/postgres.ts'
import { catalogueFrom, maskOf, statementOf } from './sketch.ts'
import { Generator } from './sql.ts'
import { viewOf, Wire } from './wire.ts'

/** More of them, for a longer look: MASKING_RUNS=50000. */
const RUNS = Number(process.env['MASKING_RUNS'] ?? 1_500)

/** `secret` is an SQL expression over `i` that gives the i-th row's masked value. */
const schema = (secret: string): string => `
  create table customers (id int primary key, name text, ssn text unique);
  create table vip (perk text) inherits (customers);
  create table orders (id int, x text, total int, ssn text);
  create table events (id int, ssn text) partition by range (id);
  create table events_1 partition of events default;
  create view everyone as select id, name, ssn from customers;
  insert into customers select i, 'name ' || (i % 2), ${secret} from generate_series(1, 4) i;
  insert into vip select i, 'vip', ${secret}, 'perk' from generate_series(5, 6) i;
  insert into orders select i, 'x', i, 'clear ' || i from generate_series(1, 3) i;
  insert into events select i, ${secret} from generate_series(1, 3) i;
  analyze;`

const server = await startPostgres({
  hba: ['host all all 127.0.0.1/32 trust'],
  settings: { statement_timeout: '10000', max_parallel_workers_per_gather: '0', jit: 'off' },
})
t.teardown(() => server.stop())
await server.sql('create database one')
await server.sql(schema("'PLANTED-' || i"), undefined, 'one')
await server.sql('create database other template one')
// Other values, in another order, some of them equal; the rows lie where they lay.
for (const [database, ssn, event] of [
  ['one', "'SECRET-' || (10 - id)", "'SECRET'"],
  ['other', "case when id > 4 then 'PLANTED' else 'PLANTED-' || id end", "'PLANTED-' || id"],
] as const) {
  await server.sql(`update customers set ssn = ${ssn}`, undefined, database)
  await server.sql(`update events set ssn = ${event}`, undefined, database)
  await server.sql('vacuum full', undefined, database)
}
const client = new pg.Client(server.connection('one'))
await client.connect()
const catalogue = await catalogueFrom(client)
await client.end()
const masks = compileMasks([maskOf('public.customers.ssn'), maskOf('public.events.ssn', 'null')], catalogue)
const wires = await Promise.all(['one', 'other'].map((database) => Wire.open(server.port, server.user, database)))
t.teardown(() => wires.forEach((wire) => wire.close()))

t.test('what an agent sees never depends on a masked value', { timeout: 120_000 }, async (t) => {
  const counts = { refuse: 0, clear: 0, mask: 0, failed: 0, rows: 0 }
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const sql = new Generator(seed).statement()
      let parsed
      try {
        parsed = statementOf(sql)
      } catch {
        return
      }
      const plan = planMasks(parsed, masks, catalogue)
      counts[plan.kind]++
      if (plan.kind === 'refuse') return
      const views = await Promise.all(
        wires.map(async (wire) => {
          await wire.run('begin', 'simple')
          const answer = await wire.run(sql, 'text')
          await wire.run('rollback', 'simple')
          return viewOf(answer, plan)
        }),
      )
      for (const { mismatch, bytes, error, rows } of views) {
        if (mismatch !== null) throw new Error(`the plan and the server disagree: ${mismatch}: ${sql}`)
        if (bytes.includes('PLANTED') || bytes.includes('SECRET')) throw new Error(`a masked value is shown: ${sql}`)
        if (error !== null) counts.failed++
        counts.rows += rows.length
      }
      const [one, other] = views
      if (one?.error === '57014' || other?.error === '57014') return
      if (one === undefined || other === undefined || !one.bytes.equals(other.bytes))
        throw new Error(`the two differ: ${sql}`)
    }),
    { numRuns: RUNS },
  )
  t.comment(JSON.stringify(counts))
  t.ok(counts.mask > RUNS / 50, `${counts.mask} were masked`)
  t.ok(counts.clear > RUNS / 50, `${counts.clear} were clear`)
  t.ok(counts.rows > RUNS / 10, `${counts.rows} rows were seen`)
})
