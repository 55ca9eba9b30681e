import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Archive, JournalArchive, type SessionSummary, type WantedSessions } from '../../src/record/archive.ts'
import type { Journal } from '../../src/record/journal.ts'
import { RedisArchive } from '../../src/record/redis-archive.ts'
import { Shipping } from '../../src/record/shipping.ts'
import { streamNames } from '../../src/record/streams.ts'
import { startRedis } from '../support/redis.ts'
import { all, decision, frame, open, outcome, session, temporary, whenDurable } from './support.ts'

const ALL: WantedSessions = { count: Number.POSITIVE_INFINITY, since: 0, prefix: '' }
const REFUSAL = { code: 'test', message: '', remedy: '', policy: '' }

const idsOf = (sessions: readonly SessionSummary[]) => sessions.map(({ start }) => start.session)

async function linesOf(archive: Archive, of: SessionSummary): Promise<string[]> {
  const lines: string[] = []
  for await (const { line } of archive.records(of)) lines.push(line.toString())
  return lines
}

/** A session with frames between its commands, a refused one among them; with a reason it ends. */
async function lived(journal: Journal, commands: number, reason: string | null): Promise<string> {
  const of = session()
  journal.sessionStart(of)
  for (let index = 0; index < commands; index++) {
    const refused = index === 1
    journal.decision({ ...decision(of, '"custom":{"verdict":"refused"'), refusal: refused ? REFUSAL : null })
    if (!refused) {
      journal.frame(frame(of, 'output', `${index}`))
      journal.outcome(outcome(of))
    }
    of.usage.commands++
    if (refused) of.usage.denied++
    if (index % 7 === 0) await whenDurable(journal)
  }
  if (reason !== null) journal.sessionEnd(of, reason)
  await whenDurable(journal)
  return of.id
}

for (const kind of ['journal', 'Redis'] as const) {
  t.test(`sessions are found with how they ended, and read back whole (${kind})`, async (t) => {
    const server = kind === 'Redis' ? await startRedis() : null
    t.teardown(() => server?.stop())
    const directory = temporary()
    const ids: string[] = []
    for (let life = 0; life < 2; life++) {
      const journal = open(directory, { shipping: server !== null, segmentSize: 4 * 1024, maxSize: 64 * 1024 ** 2 })
      const shipping =
        server && new Shipping(journal, { redis: { url: server.url }, prefix: 'test', sidegate: '0.0.0' })
      ids.push(await lived(journal, 40, 'the agent left'))
      await sleep(3)
      ids.push(await lived(journal, 30, null))
      await journal.close()
      await shipping?.drain(10_000)
      await shipping?.stop()
    }
    const journal = open(directory, { shipping: server !== null })
    const shipping = server && new Shipping(journal, { redis: { url: server.url }, prefix: 'test', sidegate: '0.0.0' })
    ids.push(await lived(journal, 12, null))
    await shipping?.drain(10_000)

    const archive =
      server === null ? new JournalArchive(directory) : new RedisArchive({ url: server.url }, streamNames('test'))
    const sessions = await archive.sessions(ALL)
    t.same(idsOf(sessions), ids)
    t.same(
      sessions.map(({ state, commands, denied, end }) => [state, commands, denied, end?.reason]),
      [
        ['ended', 40, 1, 'the agent left'],
        ['lost', 30, 1, undefined],
        ['ended', 40, 1, 'the agent left'],
        ['lost', 30, 1, undefined],
        ['running', 12, 1, undefined],
      ],
    )
    const stored = await all(directory)
    for (const summary of sessions) {
      const own = stored.filter(({ record }) => 'session' in record && record.session === summary.start.session)
      t.same(
        await linesOf(archive, summary),
        own.map(({ line }) => line.toString()),
      )
    }

    t.same(idsOf(await archive.sessions({ ...ALL, count: 2 })), ids.slice(-2))
    t.same(idsOf(await archive.sessions({ ...ALL, prefix: (ids[1] ?? '').slice(0, 13) })), [ids[1]])
    t.same(idsOf(await archive.sessions({ ...ALL, prefix: 'zz' })), [])
    t.same(idsOf(await archive.sessions({ ...ALL, keep: ({ session: id }) => id === ids[0], count: 1 })), [ids[0]])
    t.same(idsOf(await archive.sessions({ ...ALL, since: sessions[2]?.start.at ?? 0 })), ids.slice(2))
    archive.close()
    await journal.close()
    await shipping?.stop()
  })
}

t.test('the end of a command that is recorded just after its session belongs to it', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const of = session()
  journal.sessionStart(of)
  journal.decision(decision(of))
  journal.sessionEnd(of, 'the agent left')
  journal.outcome(outcome(of))
  await journal.close()
  const archive = new JournalArchive(directory)
  const [summary] = await archive.sessions(ALL)
  t.equal((await linesOf(archive, summary as SessionSummary)).length, 4)
})

t.test('a directory without a journal is told', (t) => {
  t.throws(() => new JournalArchive(temporary()), { code: 'record.foreign' })
  t.end()
})
