import fc from 'fast-check'
import t from 'tap'
import { Names, type Version } from '../../../src/protocols/postgres/names.ts'

/** What an agent does with names, of which each may succeed or fail. A failure skips the rest of its segment. */
interface Step {
  readonly does: 'define' | 'remove' | 'sync'
  readonly name: string
  readonly fails: boolean
}
const steps = fc.array(
  fc.record<Step>({
    does: fc.constantFrom('define', 'define', 'remove', 'sync'),
    name: fc.constantFrom('a', 'b'),
    fails: fc.boolean(),
  }),
  { maxLength: 20 },
)

t.test('once all is answered, a name stands for what the server has by it', async (t) => {
  const details = fc.check(
    fc.property(steps, fc.infiniteStream(fc.nat(3)), (script, pauses) => {
      const pipeline = { segment: 0 }
      const names = new Names<number>(100, pipeline, () => 1)
      const server = new Map<string, number>()
      const sent: { version: Version<number>; step: Step; segment: number }[] = []
      let skipping = -1
      const answer = () => {
        const next = sent.shift()
        if (next === undefined) return
        const { version, step, segment } = next
        const fails = segment === skipping || step.fails
        if (fails) skipping = segment
        if (fails) return names.revert(version)
        names.confirm(version)
        if (version.value === null) server.delete(step.name)
        else server.set(step.name, version.value)
      }
      for (const [index, step] of script.entries()) {
        if (step.does === 'sync') pipeline.segment++
        else {
          const version = step.does === 'define' ? names.define(step.name, index) : names.remove(step.name)
          sent.push({ version, step, segment: pipeline.segment })
        }
        for (let count = pauses.next().value ?? 0; count > 0; count--) answer()
        // What need not be waited for is what runs, unless nothing runs at all.
        for (const name of ['a', 'b']) {
          if (sent.length > 0 || names.settling(name) !== undefined) continue
          if (names.get(name) !== server.get(name)) throw new Error(`${name} is not what the server has`)
        }
      }
      while (sent.length > 0) answer()
      for (const name of ['a', 'b']) {
        if (names.get(name) !== server.get(name)) throw new Error(`${name} is not what the server has at the end`)
      }
    }),
    { numRuns: 500 },
  )
  t.notOk(details.failed, fc.defaultReportMessage(details) ?? 'it holds')
})

t.test('what another segment may not have changed has to be waited for', async (t) => {
  const pipeline = { segment: 0 }
  const names = new Names<number>(10, pipeline, () => 1)
  names.confirm(names.define('s', 1))
  const again = names.define('s', 2)
  t.equal(names.settling('s'), undefined, 'within the segment, whoever uses it is skipped with it')
  t.equal(names.get('s'), 2)
  pipeline.segment++
  const [one, other] = [names.settling('s'), names.settling('s')]
  t.ok(one !== undefined && other !== undefined)
  names.revert(again)
  await Promise.all([one, other])
  t.equal(names.settling('s'), undefined)
  t.equal(names.get('s'), 1)
})

t.test('names are one where the server cuts them to one', async (t) => {
  const names = new Names<number>(10, { segment: 0 }, () => 1)
  const long = 'n'.repeat(63)
  names.define(`${long}one`, 1)
  t.equal(names.get(`${long}other`), 1)
  t.equal(names.get(long), 1)
  t.equal(names.get(long.slice(1)), undefined)
  const wide = 'ä'.repeat(31)
  names.define(`${wide}ä`, 2)
  t.equal(names.get(`${wide}äx`), 2, 'cut within a character')
  t.equal(names.get(wide), undefined)
  names.define(`${wide}ab`, 3)
  t.equal(names.get(`${wide}a`), 3, 'cut between characters')
})

t.test('there is room up to the limit, and again when names are removed', async (t) => {
  const names = new Names<number>(2, { segment: 0 }, () => 1)
  names.confirm(names.define('a', 1))
  t.ok(names.room)
  names.confirm(names.define('b', 1))
  t.notOk(names.room)
  const removed = names.remove('a')
  t.notOk(names.room, 'the server has not removed it yet')
  names.confirm(removed)
  t.ok(names.room)
  names.forget((value) => value === 1)
  t.equal(names.get('b'), undefined)
})
