import t, { type Test } from 'tap'
import { AnalysisCache } from '../../../../src/protocols/postgres/sql/cache.ts'
import { CACHED_TEXTS, INLINE_BYTES } from '../../../../src/protocols/postgres/sql/limits.ts'
import { ParsingThread } from '../../../../src/protocols/postgres/sql/thread.ts'
import type { Catalogue } from '../../../../src/protocols/postgres/catalogue.ts'
import type { Analysis } from '../../../../src/protocols/postgres/statement.ts'
import { catalogue, LIMITS } from './fixture.ts'

const current = () => catalogue

function made(t: Test, limits = LIMITS): AnalysisCache {
  const thread = new ParsingThread(limits)
  t.teardown(() => thread.close())
  return new AnalysisCache(limits, thread)
}

/** Another revision of the same. */
function revised(revision: number): Catalogue {
  return Object.create(catalogue, { revision: { value: revision } }) as Catalogue
}

function code(analysis: Analysis | undefined): string | null {
  return analysis?.kind === 'refused' ? analysis.refusal.code : null
}

async function failure(of: Promise<unknown>): Promise<unknown> {
  return await of.then(
    () => null,
    (error: unknown) => error,
  )
}

/** Longer than what is parsed inline. */
const LARGE = `SELECT ssn FROM customers WHERE id IN (${Array.from({ length: 4_000 }, (_, at) => `'${at}'`).join(', ')})`

void t.test('the same text is the same analysis until the catalogue is another one', async (t) => {
  const cache = made(t)
  const first = cache.analyse('SELECT 1', catalogue)
  t.equal(cache.analyse('SELECT 1', catalogue), first)
  t.equal(cache.analyse(['SELECT', '1'].join(' '), revised(1)), first, 'an equal revision is the same catalogue')
  const later = cache.analyse('SELECT 1', revised(2))
  t.not(later, first)
  t.equal(cache.analyse('SELECT 1', revised(2)), later)
})

void t.test('the cache is bounded, and keeps what is used', async (t) => {
  const cache = made(t)
  const kept = cache.analyse('SELECT 0', catalogue)
  for (let at = 0; at < CACHED_TEXTS + 500; at += 1) {
    cache.analyse(`SELECT ${at} AS other`, catalogue)
    if (at % 100 === 0) t.equal(cache.analyse('SELECT 0', catalogue), kept)
  }
  t.ok(cache.size <= CACHED_TEXTS)
  const wide = made(t)
  for (let at = 0; at < 700; at += 1) wide.analyse(`SELECT '${'x'.repeat(15_000)}', ${at}`, catalogue)
  t.ok(wide.size < 600, `${wide.size} texts of 15 kB`)
})

void t.test('a large text is analysed off the main thread, once, with the same outcome', async (t) => {
  const cache = made(t)
  t.ok(LARGE.length > INLINE_BYTES)
  t.equal(cache.analyse(LARGE, catalogue), undefined)
  const [one, other] = await Promise.all([cache.analyseLarge(LARGE, current), cache.analyseLarge(LARGE, current)])
  t.equal(one, other)
  t.match(one, { kind: 'statements', statements: [{ shape: { action: 'select', text: LARGE } }] })
  t.equal(cache.analyse(LARGE, catalogue), one)
  const wrong = await cache.analyseLarge(`${LARGE} FROM`, current)
  t.equal(code(wrong), 'command.unparsable')
})

void t.test(
  'a large text is judged by the catalogue that there is when it was parsed, though nobody asked for another meanwhile',
  async (t) => {
    const cache = made(t)
    let now = catalogue
    const parsing = cache.analyseLarge(LARGE, () => now)
    now = revised(2)
    const late = await parsing
    t.equal(cache.analyse(LARGE, now), late)
    t.equal(cache.analyse(LARGE, catalogue), undefined, 'it is not known of the one before')
  },
)

void t.test('what exceeds a limit is refused as too large, whichever limit it is', async (t) => {
  const cache = made(t, { ...LIMITS, statement: 100_000, statements: 3, nodes: 2_000, depth: 60 })
  const refused = async (sql: string) => code(await cache.analyseLarge(sql, current))
  t.equal(await refused(`SELECT '${'x'.repeat(100_000)}'`), 'command.too-large')
  t.equal(await refused('SELECT 1; SELECT 2; SELECT 3; SELECT 4'), 'command.too-large')
  t.equal(await refused('SELECT 1; SELECT 2; SELECT 3'), null)
  t.equal(await refused(`SELECT ${Array(100).fill('1').join('+')}`), 'command.too-large')
  t.equal(await refused(`SELECT ${Array(30).fill('1').join('+')}`), null)
  t.equal(await refused(`SELECT ${Array(3_000).fill('1').join(',')}`), 'command.too-large')
  t.equal(await refused(LARGE), 'command.too-large')
})

void t.test('text built to exhaust the stack is refused, and the next one is served', async (t) => {
  const cache = made(t)
  for (const sql of [
    `SELECT ${'('.repeat(7_000)}1`,
    `SELECT ${'('.repeat(100_000)}1${')'.repeat(100_000)}`,
    `SELECT ${Array(7_000).fill('1').join('+')}`,
    `SELECT ${Array(120_000).fill('1').join('+')}`,
    `SELECT ${'NOT '.repeat(60_000)}true`,
    `SELECT ${'- '.repeat(100_000)}1`,
  ]) {
    const refusal = code(await cache.analyseLarge(sql, current))
    t.ok(refusal === 'command.too-large' || refusal === 'command.unparsable', `${sql.slice(0, 20)}: ${refusal}`)
  }
  t.equal(code(await cache.analyseLarge(LARGE, current)), null)
})

void t.test('parsing that takes too long is ended, and the next text gets another thread', async (t) => {
  const limits = { ...LIMITS, parse: 1 }
  const thread = new ParsingThread(limits)
  t.teardown(() => thread.close())
  t.match(await failure(thread.parse(LARGE)), { refusal: { code: 'command.too-large' } })
  const patient = new ParsingThread(LIMITS)
  t.teardown(() => patient.close())
  t.equal((await patient.parse('SELECT 1; SELECT 2')).length, 2)
})

void t.test('a thread that is closed refuses what waits, and starts nothing more', async (t) => {
  const thread = new ParsingThread(LIMITS)
  const waiting = [failure(thread.parse(LARGE)), failure(thread.parse('SELECT 1'))]
  await thread.close()
  for (const each of waiting) t.match(await each, { refusal: { code: 'command.too-large' } })
  t.match(await failure(thread.parse('SELECT 1')), { refusal: { code: 'command.too-large' } })
})
