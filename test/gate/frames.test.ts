import t from 'tap'
import { Gate } from '../../src/gate/gate.ts'
import { command, CONTEXT, FakePolicy, FakeRecord } from '../support/fakes.ts'

t.test('a frame is recorded with its own command, and one that cannot be recorded is an error', async (t) => {
  const record = new FakeRecord()
  const gate = new Gate(new FakePolicy(), record)
  const session = gate.open(CONTEXT)
  const commands = [command('one'), command('two')]
  const verdict = await gate.rule(session, { commands, bytes: Buffer.from('bytes'), honour: () => null })
  if (verdict.kind === 'refused') throw new Error(verdict.refusal.code)
  gate.frame(verdict.permit, 0, 'output', Buffer.from('of one'))
  gate.frame(verdict.permit, 1, 'exit', Buffer.from('{"status":0}'))
  t.match(
    record.frames.map(({ sequence, kind, data }) => [sequence, kind, Buffer.from(data).toString()]),
    [
      [1, 'output', 'of one'],
      [2, 'exit', '{"status":0}'],
    ],
  )
  t.equal(record.frames[0]?.session, session)
  record.fail('record.spool-full')
  t.throws(() => gate.frame(verdict.permit, 0, 'output', Buffer.from('lost')), { code: 'record.spool-full' })
})
