import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Renderer } from '../../../src/commands/audit/render.ts'
import { JournalSource, RedisSource, type Source } from '../../../src/commands/audit/source.ts'
import { tail, type TailOptions } from '../../../src/commands/audit/tail.ts'
import { PLAIN } from '../../../src/commands/terminal.ts'
import type { Journal } from '../../../src/record/journal.ts'
import { Shipping } from '../../../src/record/shipping.ts'
import { startRedis } from '../../support/redis.ts'
import { decision, open, outcome, session, temporary, whenDurable } from '../../record/support.ts'

const OPTIONS: TailOptions = { follow: false, lines: 100, since: 0, session: null, json: false }
const LOOK = { paint: PLAIN, width: null }
const REFUSAL = {
  code: 'sql.unbounded-write',
  message: 'every row',
  remedy: 'add a WHERE clause',
  policy: 'policy.test',
}

async function printed(
  source: Source,
  options: Partial<TailOptions> = {},
  width: number | null = null,
): Promise<string[]> {
  const lines: string[] = []
  const look = { ...LOOK, width }
  await tail(source, { ...OPTIONS, ...options }, look, (line) => lines.push(line), new AbortController().signal)
  return lines
}

/** A session with a command that ran, one that was refused, one that failed. Returns its id. */
async function scene(journal: Journal): Promise<string> {
  const of = session()
  journal.sessionStart(of)
  journal.decision(decision(of, 'SELECT *\nFROM orders', { phase: 'execute' }))
  const result = outcome(of)
  journal.outcome({ ...result, outcome: { ...result.outcome, rows: 12, masked: ['public.customers.ssn'] } })
  journal.decision({ ...decision(of, 'DELETE FROM orders'), refusal: REFUSAL })
  journal.decision(decision(of, 'SELECT 1/0'))
  const failed = outcome(of, 'failed')
  journal.outcome({ ...failed, outcome: { ...failed.outcome, code: '22012', rows: 0, bytes: 0 } })
  of.usage.commands = 3
  journal.sessionEnd(of, 'client closed')
  await whenDurable(journal)
  return of.id
}

function assertScene(t: Test, lines: readonly string[], id: string): void {
  const short = id.slice(0, 8)
  const patterns = [
    new RegExp(`^\\d\\d:\\d\\d:\\d\\d\\.\\d{3}  ${short}  ┌ agent → target database=orders$`),
    new RegExp(
      `  ${short}  agent  target  allowed   do  SELECT \\* ↵ FROM orders  12 rows, 2 ms, masked public.customers.ssn$`,
    ),
    new RegExp(`  ${short}  agent  target  refused   do  DELETE FROM orders$`),
    /^ +╰ sql\.unbounded-write {2}every row; add a WHERE clause$/,
    new RegExp(`  ${short}  agent  target  allowed   do  SELECT 1/0  failed 22012, 0 rows, 2 ms$`),
    new RegExp(`  ${short}  └ agent → target: client closed \\(3 commands, 0 refused, 0 rows, .* ms\\)$`),
  ]
  const from = lines.findIndex((line) => line.includes('┌'))
  t.ok(from >= 0)
  for (const [index, pattern] of patterns.entries()) t.match(lines[from + index], pattern)
}

t.test('a session reads as one line a command, outcome folded in, refusals with code and remedy', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const id = await scene(journal)
  assertScene(t, await printed(new JournalSource(directory)), id)
  await journal.close()
})

t.test('the same is read from Redis, of all instances, by time', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const ids: string[] = []
  for (let instance = 0; instance < 2; instance++) {
    const journal = open(temporary(), { shipping: true })
    const shipping = new Shipping(journal, { redis: { url: server.url }, prefix: 'test', sidegate: '0.0.0' })
    ids.push(await scene(journal))
    await journal.close()
    t.equal(await shipping.drain(10_000), true)
    await shipping.stop()
    await sleep(5)
  }
  const source = () => new RedisSource({ url: server.url }, 'test')
  const lines = await printed(source())
  assertScene(t, lines, ids[0] as string)
  assertScene(t, lines.slice(lines.findIndex((line) => line.includes('└')) + 1), ids[1] as string)
  const last = await printed(source(), { lines: 2 })
  t.match(
    last.at(-2),
    /└ agent → target: client closed/,
    'the session start is found although it is older than the lines',
  )
  const one = await printed(source(), { session: (ids[0] as string).slice(0, 10) })
  t.notMatch(one.join('\n'), new RegExp((ids[1] as string).slice(0, 8)))
  const json = await printed(source(), { json: true })
  t.equal(json.length, 18)
  t.same(new Set(json.map((line) => (JSON.parse(line) as { id: string }).id)).size, 18)
})

for (const kind of ['journal', 'Redis'] as const) {
  t.test(`what happens is shown as it happens, over a new segment and in order (${kind})`, async (t) => {
    const server = kind === 'Redis' ? await startRedis() : null
    t.teardown(() => server?.stop())
    const directory = temporary()
    const journal = open(directory, { segmentSize: 16 * 1024, shipping: server !== null })
    const shipping = server && new Shipping(journal, { redis: { url: server.url }, prefix: 'test', sidegate: '0.0.0' })
    if (shipping !== null) await shipping.drain(5_000)
    const source = server === null ? new JournalSource(directory) : new RedisSource({ url: server.url }, 'test')
    const ended = new AbortController()
    const lines: string[] = []
    const tailing = tail(source, { ...OPTIONS, follow: true, lines: 0 }, LOOK, (line) => lines.push(line), ended.signal)
    await sleep(100)
    const of = session()
    journal.sessionStart(of)
    for (let index = 0; index < 100; index++) {
      journal.decision(decision(of, `SELECT ${index}`))
      await whenDurable(journal)
      if (index !== 50) journal.outcome(outcome(of))
    }
    await whenDurable(journal)
    for (let tries = 0; lines.length < 102 && tries < 300; tries++) await sleep(10)
    const shown = lines.flatMap((line) => /allowed +do +SELECT (\d+)/.exec(line)?.[1] ?? [])
    t.same(
      shown.map(Number),
      Array.from({ length: 100 }, (_, index) => index),
    )
    t.equal(lines.filter((line) => line.endsWith('1 row, 2 ms')).length, 99)
    t.ok(
      lines.some((line) => line.endsWith('SELECT 50')),
      'a command without an outcome is shown without, after a while',
    )
    ended.abort()
    await tailing
    await journal.close()
    await shipping?.stop()
  })
}

t.test('an outcome that comes after its decision was shown gets a line of its own', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const ended = new AbortController()
  const lines: string[] = []
  const tailing = tail(
    new JournalSource(directory),
    { ...OPTIONS, follow: true, lines: 0 },
    LOOK,
    (line) => lines.push(line),
    ended.signal,
  )
  await sleep(80)
  const of = session()
  journal.sessionStart(of)
  journal.decision(decision(of))
  await sleep(600)
  t.ok(lines.some((line) => line.endsWith('SELECT 1')))
  journal.outcome(outcome(of))
  for (let tries = 0; !lines.at(-1)?.includes('└') && tries < 100; tries++) await sleep(10)
  t.match(lines.at(-1), /└ #1 1 row, 2 ms$/)
  ended.abort()
  await tailing
  await journal.close()
})

t.test('--lines counts what is shown, --since leaves out what is older', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  await scene(journal)
  await sleep(20)
  const since = Date.now()
  const id = await scene(journal)
  t.equal((await printed(new JournalSource(directory), { lines: 1 })).length, 2, 'the day, and one line')
  t.match((await printed(new JournalSource(directory), { lines: 3 })).at(1), /refused/)
  const late = await printed(new JournalSource(directory), { since, lines: Number.POSITIVE_INFINITY })
  assertScene(t, late, id)
  t.equal(late.length, 7)
  const few = await printed(new JournalSource(directory), { since, lines: 1 })
  t.equal(few.length, 2)
  await journal.close()
})

t.test('no line is wider than the terminal, and the outcome is never cut off', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const of = session()
  journal.sessionStart(of)
  journal.decision(decision(of, `SELECT ${'x, '.repeat(500)}`))
  journal.outcome(outcome(of))
  await whenDurable(journal)
  for (const width of [80, 100, 200]) {
    const line = (await printed(new JournalSource(directory), {}, width)).at(-1)
    t.ok((line?.length ?? 0) <= width && (line?.length ?? 0) >= width - 2, `${line?.length} of ${width}`)
    t.match(line, /… {2}1 row, 2 ms$/)
  }
  await journal.close()
})

t.test('what the journal says of itself is shown in words', (t) => {
  const renderer = new Renderer(LOOK)
  const base = { id: 'i/1', seq: 1, at: 0 }
  const line = (record: Parameters<Renderer['lines']>[0]) => renderer.lines(record, null, null).at(-1)
  t.match(
    line({ ...base, type: 'gap', first: 3, last: 5, lost: 2, error: 'ENOSPC' }),
    /GAP: records 3 to 5 could not be written, and their commands were refused; 2 outcomes lost \(ENOSPC\)/,
  )
  t.match(
    line({ ...base, type: 'removed', first: 1, last: 9, bytes: 1, shipped: false }),
    /1 to 9 were removed to make room/,
  )
  t.match(
    line({ ...base, type: 'cut', file: 'x', offset: 1, bytes: 1, sha256: '' }),
    /a crash left 1 byte half-written/,
  )
  t.match(line({ ...base, type: 'instance-stop', instance: 'i' }), /i stopped/)
  t.end()
})
