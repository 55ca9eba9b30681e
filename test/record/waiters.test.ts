import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { Waiters } from '../../src/record/waiters.ts'

t.test('everybody is called back once and in order, also by calls from within, and when one of them throws', (t) => {
  const step = fc.record({
    add: fc.nat(3),
    durable: fc.nat(3),
    /** What the callbacks of those that are added do. */
    within: fc.constantFrom('nothing', 'throw', 'call', 'add'),
    fail: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const waiters = new Waiters()
      const at = { durable: 0 }
      const called: number[] = []
      let last = 0
      let again = 0
      const callBack = (): void => waiters.callBack(at, () => again++)
      const add = (within: string): void => {
        const position = ++last
        const done = (): void => {
          called.push(position)
          if (within === 'throw') throw new Error('of the test')
          if (within === 'call') callBack()
          if (within === 'add') add('nothing')
        }
        waiters.add(position, done, null)
      }
      const settle = (): void => {
        // What throws asks for another round where others are due.
        for (let rounds = 0; rounds < 100; rounds++) {
          again = 0
          try {
            callBack()
          } catch {}
          if (again === 0) return
        }
        throw new Error('it never ends')
      }
      for (const { add: count, durable, within, fail } of steps) {
        for (let index = 0; index < count; index++) add(within)
        at.durable = Math.min(last, at.durable + durable)
        if (fail) waiters.fail(at.durable, new Error('lost'))
        settle()
        if (!fail) assert.equal(called.length, at.durable > called.length ? at.durable : called.length)
      }
      waiters.fail(0, new Error('at the end'))
      for (let rounds = 0; called.length < last && rounds < 100; rounds++) {
        settle()
        waiters.fail(0, new Error('at the end'))
      }
      assert.deepEqual(
        called,
        Array.from({ length: last }, (_, index) => index + 1),
      )
    }),
    { numRuns: 500 },
  )
  t.pass()
  t.end()
})
