import t from 'tap'
import { POSTGRES_LIMITS } from '../../../../src/config/schema.ts'
import { loadParser } from '../../../../src/protocols/postgres/sql/parse.ts'
import { ParsingThread } from '../../../../src/protocols/postgres/sql/thread.ts'

const nested = (levels: number) => `SELECT ${'('.repeat(levels)}1${' + 1)'.repeat(levels)}`

t.test('a text that is nested too deeply is refused at once, and the thread goes on with the next', async (t) => {
  await loadParser()
  const thread = new ParsingThread(POSTGRES_LIMITS)
  t.teardown(() => thread.close())
  for (const text of [nested(2_000), nested(5_000), `SELECT 1${' + 1'.repeat(20_000)}`]) {
    const waiting = thread.parse('SELECT 2')
    const before = performance.now()
    const error: unknown = await thread.parse(text).catch((reason: unknown) => reason)
    t.match(error, { refusal: { code: 'command.too-large' } })
    t.ok(performance.now() - before < POSTGRES_LIMITS.parse / 2, 'it does not hold up the others')
    t.equal((await waiting).length, 1)
  }
  t.equal((await thread.parse(`SELECT ${'1, '.repeat(5_000)}1`)).length, 1)
})
