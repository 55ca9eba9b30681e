import t from 'tap'
import { connect, describe, perform } from '../../../src/commands/demo/agent.ts'
import { PLAIN } from '../../../src/commands/terminal.ts'
import { sharedPostgres } from '../../support/postgres.ts'

t.test('the agent shows rows, tags and refusals as a person would print them', async (t) => {
  const server = await sharedPostgres()
  const client = await connect(server.connection())
  t.teardown(() => client.end())
  const see = async (sql: string, values?: unknown[]) =>
    describe(await perform(client, values === undefined ? { sql } : { sql, values }), PLAIN)
  t.same(await see('SELECT $1::text AS a, NULL AS b, ARRAY[1,2] AS c', ['x']), ['a  b  c', 'x  ∅  [1,2]', '1 row'])
  t.same(await see('CREATE TEMP TABLE demo (id int)'), ['CREATE'])
  t.same(await see('INSERT INTO demo VALUES (1), (2)'), ['INSERT 2'])
  const raise = `DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '42501', DETAIL = 'a.code', HINT = 'do otherwise'; END $$`
  t.same(await see(raise), ['ERROR  42501', 'no', 'DETAIL  a.code', 'HINT    do otherwise'])
})
