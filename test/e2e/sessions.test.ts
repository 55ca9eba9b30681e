/** The kill switch, as an operator uses it. */
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { encodeQuery } from '../../src/protocols/postgres/messages.ts'
import type { SessionStatus } from '../../src/commands/run/sessions.ts'
import { buildBundle } from '../support/bundle.ts'
import { run } from '../support/process.ts'
import type { WireClient } from '../support/wire.ts'
import { MAIN, place, refusalIn, started, until } from './sidecar.ts'

t.test('an operator lists the sessions and ends a running and an idle one; the third goes on', async (t) => {
  const at = await place(t)
  const sidecar = await started(t, at, await buildBundle('bundles/permissive'))
  const sidegate = (...args: string[]) => {
    const admin = ['--admin', `127.0.0.1:${sidecar.admin}`, '--token-file', join(at.base, 'token')]
    return run(process.execPath, [MAIN, 'sessions', ...args, ...admin])
  }
  const list = async () => JSON.parse((await sidegate('list', '--json')).stdout) as SessionStatus[]
  t.equal((await sidegate('list')).stdout, 'no session is open\n')

  const [running, idle, other] = [await sidecar.agent(), await sidecar.agent(), await sidecar.agent()]
  running.send(encodeQuery('SELECT pg_sleep(60)'))
  await until(async () => (await list())[0]?.usage.commands === 1)
  const sessions = await list()
  t.match(sessions, [
    { target: 'db', protocol: 'postgres', attributes: { database: at.database }, ending: false },
    {},
    {},
  ])
  t.match((await sidegate('list')).stdout, /db \(postgres\) {2}.*\n {2}since .*: 1 commands, 0 rows, 0B\n/)

  const end = async (agent: WireClient, { id } = sessions[0] as SessionStatus, reason = '') => {
    const closed = agent.ended ? Promise.resolve() : once(agent.socket, 'close')
    const { code, stdout, stderr } = await sidegate('end', id.slice(0, 13), '--reason', reason)
    t.equal(code, 0, stderr)
    t.match(stdout, new RegExp(`^${id} of .* at db is ended`))
    t.equal(refusalIn(await agent.until(({ type }) => type === 'E')), 'FATAL 57P01 session.ended')
    await closed
  }
  await end(running, sessions[0], 'a query that nobody waits for')
  await end(idle, sessions[1], 'incident "12"')
  await until(
    async () =>
      (await at.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"))
        .length === 0,
  )

  t.same(
    (await list()).map(({ id }) => id),
    [sessions[2]?.id],
  )
  t.match(refusalIn(await other.query('SELECT 1')), '')
  const again = await sidegate('end', sessions[0]?.id ?? '', '--reason', 'x')
  t.equal(again.code, 1)
  t.match(again.stderr, 'no session that is open begins with')
  t.equal((await sidegate('end', sessions[2]?.id ?? '')).code, 2, 'a reason is demanded')
  t.match(sidecar.log(), /an operator ended a session/)

  await sidecar.close()
  const records = await at.records()
  const ends = records.flatMap((record) => (record.type === 'session-end' ? [[record.session, record.reason]] : []))
  t.same(ends.slice(0, 2), [
    [sessions[0]?.id, 'session.ended: a query that nobody waits for'],
    [sessions[1]?.id, 'session.ended: incident "12"'],
  ])
  const outcome = records.find((record) => record.type === 'outcome' && record.session === sessions[0]?.id)
  t.match(outcome, { status: 'lost' })
})
