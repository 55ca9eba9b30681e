import t from 'tap'
import { honourStream } from '../../src/stream/obligations.ts'
import { ALLOW, command } from '../support/fakes.ts'

const honour = honourStream({ content: 'a program', subject: 'a program', remedy: 'ask for what has fields' })
const asked = command('run')

t.test('Bytes and seconds are kept', async (t) => {
  t.equal(honour(asked, ALLOW), null)
  t.equal(honour(asked, { ...ALLOW, limits: { rows: null, bytes: 1, seconds: 1 } }), null)
})

t.test('What would have to be found in the bytes is refused, in the words of the protocol', async (t) => {
  const mask = { column: null, detector: 'email', path: null, with: 'redact', policy: 'policy.test' } as const
  t.match(honour(asked, { ...ALLOW, masks: [mask] }), {
    code: 'obligation.unsupported',
    message: 'nothing can be masked in a program',
    remedy: 'ask for what has fields',
  })
  t.match(honour(asked, { ...ALLOW, limits: { rows: 1, bytes: null, seconds: null } }), {
    code: 'obligation.unsupported',
    message: 'a program has no rows that could be limited',
    remedy: 'limit bytes or seconds',
  })
})
