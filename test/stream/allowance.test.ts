import { mock } from 'node:test'
import fc from 'fast-check'
import t from 'tap'
import type { Refusal } from '../../src/gate/refusal.ts'
import { Allowance } from '../../src/stream/allowance.ts'
import { permitted } from './permit.ts'

const never = (): never => {
  throw new Error('the time is not limited')
}

async function limited(bytes: number | null, seconds: number | null) {
  const { permit } = await permitted({ limits: { rows: null, bytes, seconds } })
  return permit
}

t.test('Exactly as many bytes pass as the policy allows, however they come', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.nat(1_000), fc.array(fc.nat(400), { maxLength: 12 }), async (most, chunks) => {
      const allowance = new Allowance(await limited(most, null), never)
      const passed = chunks.map((chunk) => allowance.take(chunk))
      const [asked, given] = [chunks, passed].map((all) => all.reduce((sum, one) => sum + one, 0))
      t.equal(given, Math.min(asked ?? 0, most))
      const short = passed.findIndex((one, index) => one < (chunks[index] ?? 0))
      t.ok(short < 0 || passed.slice(short + 1).every((one) => one === 0), 'nothing follows what was cut')
    }),
    { numRuns: 300 },
  )
})

t.test('Without a limit everything passes, and at none at all nothing does', async (t) => {
  t.equal(new Allowance(await limited(null, null), never).take(2 ** 40), 2 ** 40)
  const nothing = new Allowance(await limited(0, null), never)
  t.equal(nothing.take(1), 0)
  t.match(nothing.exhausted, { code: 'obligation.limit', message: 'only 0 bytes may pass' })
})

t.test('The time is over once, after as many seconds as the policy allows', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const over: Refusal[] = []
  const told = (because: Refusal) => void over.push(because)
  const allowance = new Allowance(await limited(null, 2), told)
  mock.timers.tick(1_999)
  t.same(over, [])
  mock.timers.tick(1)
  t.match(over, [{ code: 'obligation.limit', message: 'it may run for 2 seconds only' }])
  mock.timers.tick(60_000)
  t.equal(over.length, 1)
  t.equal(allowance.take(5), 5, 'who is told ends it')
})

t.test('No time at all is over at once, and more than a timer holds is not', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const over: string[] = []
  const none = new Allowance(await limited(null, 0), () => over.push('none'))
  mock.timers.tick(1)
  t.same(over, ['none'])
  const long = new Allowance(await limited(null, 2 ** 31), () => over.push('long'))
  mock.timers.tick(24 * 60 * 60 * 1_000)
  t.same(over, ['none'])
  for (const allowance of [none, long]) allowance.end()
})

t.test('What has ended is not told that its time is over', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const allowance = new Allowance(await limited(null, 1), never)
  allowance.end()
  mock.timers.tick(5_000)
  t.equal(allowance.take(5), 5)
})
