import t from 'tap'
import { CancelKeys } from '../../../../src/protocols/postgres/upstream/cancel-keys.ts'

t.test('a key cancels its own session, whole and only while it lasts', async (t) => {
  const keys = new CancelKeys()
  const cancelled: string[] = []
  const one = keys.register(7, 0x00030000, () => cancelled.push('one'))
  const two = keys.register(7, 0x00030002, () => cancelled.push('two'))
  t.equal(one.key.secret.length, 4)
  t.equal(two.key.secret.length, 32)
  t.equal(keys.cancel({ processId: 7, secret: two.key.secret.subarray(0, 4) }), false)
  t.equal(keys.cancel({ processId: 8, secret: one.key.secret }), false)
  t.ok(keys.cancel(two.key))
  t.ok(keys.cancel(one.key))
  t.strictSame(cancelled, ['two', 'one'])
  one.unregister()
  t.equal(keys.cancel(one.key), false)
  t.ok(keys.cancel(two.key))
  two.unregister()
  t.equal(keys.cancel(two.key), false)
})
