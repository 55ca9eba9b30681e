import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { StoredRecord } from '../../src/record/records.ts'
import { all, decision, open, outcome, session, temporary, whenDurable, written } from './support.ts'

const types = (records: readonly { readonly record: StoredRecord }[]) => records.map(({ record }) => record.type)

for (const durability of ['written', 'synced'] as const) {
  t.test(`a session is on record in the order in which it happened (${durability})`, async (t) => {
    const directory = temporary()
    const journal = open(directory, { durability })
    const of = session()
    journal.sessionStart(of)
    const position = journal.decision(decision(of))
    t.ok(journal.durable < position, 'a position is not durable before its write')
    t.equal(await whenDurable(journal), null)
    t.equal(journal.durable, position)
    journal.outcome(outcome(of))
    journal.sessionEnd(of, 'client closed')
    await journal.close()
    const records = await all(directory)
    t.same(types(records), ['instance-start', 'session-start', 'decision', 'outcome', 'session-end', 'instance-stop'])
    t.same(
      records.map(({ record }) => record.seq),
      [1, 2, 3, 4, 5, 6],
    )
  })

  t.test(
    `who is alone is written at once, all others of one turn in one write, and callers are called back in order (${durability})`,
    async (t) => {
      const journal = open(temporary(), { durability })
      const of = session()
      journal.sessionStart(of)
      await whenDurable(journal)
      const { writes } = journal.status
      const order: number[] = []
      const done = Array.from({ length: 100 }, (_, index) => {
        const position = journal.decision(decision(of))
        return new Promise<void>((resolve) => {
          journal.whenDurable((error) => {
            t.equal(error, null)
            t.ok(journal.durable >= position)
            order.push(index)
            resolve()
          })
        })
      })
      await Promise.all(done)
      t.same(
        order,
        Array.from({ length: 100 }, (_, index) => index),
      )
      t.equal(journal.status.writes, writes + 2)
      await journal.close()
    },
  )

  t.test(`a restart goes on where the journal ended, as the same instance (${durability})`, async (t) => {
    const directory = temporary()
    const instance = await written(directory, 3, { durability })
    t.equal(await written(directory, 3, { durability }), instance)
    const records = await all(directory)
    t.same(
      records.map(({ record }) => record.seq),
      records.map((_, index) => index + 1),
    )
  })
}

t.test('a segment that is full takes the records that wait for the next write before it is left', async (t) => {
  const directory = temporary()
  // Each block fills a segment, and more is appended while the disk is waited for.
  const options = { durability: 'synced', segmentSize: 4096, maxSize: 16 * 1024 ** 2 } as const
  const journal = open(directory, options)
  const of = session()
  journal.sessionStart(of)
  for (let turn = 0; turn < 20; turn++) {
    journal.decision(decision(of, `SELECT ${'x'.repeat(4096)}`))
    const durable = whenDurable(journal)
    await new Promise((resolve) => setImmediate(resolve))
    journal.outcome(outcome(of))
    t.equal(await durable, null)
  }
  await journal.close()
  await open(directory, options).close()
  const records = await all(directory)
  t.ok(readdirSync(directory).filter((name) => name.endsWith('.segment')).length > 10)
  t.same(
    records.map(({ record }) => record.seq),
    records.map((_, index) => index + 1),
  )
})

t.test('an outcome that nobody waits for is written by itself, soon', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const of = session()
  journal.sessionStart(of)
  await whenDurable(journal)
  journal.outcome(outcome(of))
  for (let tries = 0; journal.durable < 3 && tries < 100; tries++)
    await new Promise((resolve) => setTimeout(resolve, 5))
  t.equal(journal.durable, 3)
  await journal.close()
})

t.test('more than fits one block in a turn is all recorded', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const of = session()
  journal.sessionStart(of)
  const text = 'ü'.repeat(60_000)
  for (let index = 0; index < 100; index++) journal.decision(decision(of, `${text} ${index}`))
  t.equal(await whenDurable(journal), null)
  await journal.close()
  const texts = (await all(directory)).flatMap(({ record }) =>
    record.type === 'decision' ? [record.input.command.text] : [],
  )
  t.same(
    texts,
    Array.from({ length: 100 }, (_, index) => `${text} ${index}`),
  )
})

t.test('a callback that throws keeps nobody else from being called back', async (t) => {
  const journal = open(temporary())
  const of = session()
  journal.sessionStart(of)
  const thrown = new Promise((resolve) => process.once('uncaughtException', resolve))
  // Others wait too, so that it is not called back at once.
  for (const one of [1, 2]) t.ok(journal.decision(decision(of)) > one)
  journal.whenDurable(() => {
    throw new Error('of the test')
  })
  t.equal(await whenDurable(journal), null)
  t.match(await thrown, { message: 'of the test' })
  await journal.close()
})

t.test('without shipping the oldest segments make room, and that is on record', async (t) => {
  const directory = temporary()
  const maxSize = 256 * 1024
  await written(directory, 3_000, { maxSize, segmentSize: 32 * 1024 })
  const size = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
  t.ok(size <= maxSize, `${size} bytes`)
  const records = await all(directory)
  const removed = records.flatMap(({ record }) => (record.type === 'removed' ? [record] : []))
  t.ok(removed.length > 1)
  t.equal(records[0]?.record.seq, (removed.at(-1)?.last ?? 0) + 1, 'what is left begins after what was removed')
  t.same(
    records.map(({ record }) => record.seq),
    records.map((_, index) => index + (records[0]?.record.seq ?? 0)),
  )
})

t.test('with shipping a full journal refuses commands, keeps outcomes, and goes on when it was shipped', async (t) => {
  const directory = temporary()
  const journal = open(directory, { maxSize: 512 * 1024, segmentSize: 64 * 1024, shipping: true })
  const of = session()
  const changes: boolean[] = []
  journal.onChange(() => changes.push(journal.status.ready))
  journal.sessionStart(of)
  let accepted = 0
  t.throws(
    () => {
      for (; accepted < 10_000; accepted++) journal.decision(decision(of, 'x'.repeat(1_000)))
    },
    { code: 'record.spool-full' },
  )
  t.ok(accepted > 100)
  t.match(journal.status, { ready: false, code: 'record.spool-full' })
  t.ok(journal.outcome(outcome(of)) > 0, 'what was permitted can still be settled')
  t.equal(await whenDurable(journal), null)
  t.throws(() => journal.sessionStart(session()), { code: 'record.spool-full' })

  journal.release(journal.durable)
  t.match(journal.status, { ready: true, code: null })
  journal.decision(decision(of))
  t.equal(await whenDurable(journal), null)
  t.same(changes, [false, true])
  await journal.close()
  const removed = (await all(directory)).find(({ record }) => record.type === 'removed')
  t.match(removed?.record, { shipped: true })
})

t.test('outcomes beyond even the reserve are counted, and the loss is on record', async (t) => {
  const directory = temporary()
  const journal = open(directory, { maxSize: 256 * 1024, segmentSize: 64 * 1024, shipping: true })
  const of = session()
  journal.sessionStart(of)
  let kept = 0
  while (journal.outcome(outcome(of)) > 0) kept++
  journal.outcome(outcome(of))
  t.ok(kept > 100)
  t.equal(journal.status.lost, 2)
  await whenDurable(journal)
  journal.release(journal.durable)
  journal.decision(decision(of))
  await journal.close()
  t.match(
    (await all(directory)).find(({ record }) => record.type === 'gap'),
    { record: { first: 0, last: 0, lost: 2, error: 'spool-full' } },
  )
})

t.test('a directory has one writer, and a dead one is succeeded', async (t) => {
  const directory = temporary()
  const first = open(directory)
  t.throws(() => open(directory), { code: 'record.locked' })
  await first.close()
  t.notOk(existsSync(join(directory, 'lock')))
  const owner = { pid: process.pid, started: '1', namespace: '', token: 'stale' }
  for (const stale of [JSON.stringify(owner), 'rubbish', '']) {
    writeFileSync(join(directory, 'lock'), stale)
    const next = open(directory)
    t.not(readFileSync(join(directory, 'lock'), 'utf8'), stale)
    await next.close()
  }
})

t.test('a writer whose directory was taken over stops by itself', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const of = session()
  journal.sessionStart(of)
  writeFileSync(join(directory, 'lock'), JSON.stringify({ pid: 1, started: '', namespace: '', token: 'another' }))
  for (let tries = 0; journal.status.ready && tries < 60; tries++)
    await new Promise((resolve) => setTimeout(resolve, 50))
  t.throws(() => journal.decision(decision(of)), { code: 'record.unavailable' })
  await journal.close()
  t.match(readFileSync(join(directory, 'lock'), 'utf8'), /another/, 'the new owner keeps its lock')
})

t.test(
  'a journal whose directory was removed under it refuses, since what it would write could not be found',
  async (t) => {
    const directory = temporary()
    const journal = open(directory)
    const of = session()
    journal.sessionStart(of)
    await whenDurable(journal)
    rmSync(directory, { recursive: true })
    for (let tries = 0; journal.status.ready && tries < 60; tries++)
      await new Promise((resolve) => setTimeout(resolve, 50))
    t.throws(() => journal.decision(decision(of)), { code: 'record.unavailable' })
    await journal.close()
  },
)

t.test('a closed journal refuses', async (t) => {
  const journal = open(temporary())
  const of = session()
  journal.sessionStart(of)
  await journal.close()
  t.throws(() => journal.decision(decision(of)), { code: 'record.unavailable' })
  t.equal(journal.outcome(outcome(of)), 0)
  await journal.close()
})

t.test('a directory that cannot be written to is told at the start', (t) => {
  const file = join(temporary(), 'file')
  writeFileSync(file, '')
  t.throws(() => open(join(file, 'journal')), { code: 'record.unavailable', message: /ENOTDIR/ })
  t.end()
})
