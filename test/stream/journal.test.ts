import t from 'tap'
import { PermitError } from '../../src/gate/gate.ts'
import { journalRefusal } from '../../src/gate/refusal.ts'
import { recorded } from '../../src/stream/journal.ts'
import { permitted } from './permit.ts'

t.test('What waits for the journal goes on when the decision is on record, and not before', async (t) => {
  const { gate, record, permit } = await permitted()
  record.automatic = false
  let done = false
  const waiting = recorded(gate).then(() => (done = true))
  await new Promise(setImmediate)
  t.equal(done, false)
  t.throws(() => permit.take(), PermitError)
  record.flush()
  await waiting
  t.equal(permit.take().toString(), 'stream')
})

t.test('A journal that fails is told as that, and nothing else is', async (t) => {
  for (const code of ['record.unavailable', 'record.spool-full'] as const) {
    const { gate, record } = await permitted()
    record.fail(code)
    const error = await recorded(gate).then(
      () => null,
      (failure: unknown) => failure,
    )
    t.match(journalRefusal(error), { code })
  }
  for (const error of [
    new Error('record.unavailable'),
    new PermitError('misused'),
    { code: 'record.unavailable' },
    null,
  ]) {
    t.equal(journalRefusal(error), null)
  }
})
