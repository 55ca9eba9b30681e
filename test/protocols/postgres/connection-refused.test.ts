import { pino } from 'pino'
import t from 'tap'
import { ConnectionRefused } from '../../../src/protocols/postgres/connection-refused.ts'

t.test('a refused connection can be logged with its cause', async (t) => {
  const lines: string[] = []
  const log = pino({}, { write: (line: string) => void lines.push(line) })
  const error = new ConnectionRefused('upstream.unavailable', '08001', 'the target cannot be reached', {
    cause: new Error('connect ECONNREFUSED'),
    remedy: 'try again',
  })
  log.warn({ err: error }, 'a session could not begin')
  t.match(lines.join(), 'upstream.unavailable')
  t.match(lines.join(), 'connect ECONNREFUSED')
  t.match(error.refusal, { code: 'upstream.unavailable', remedy: 'try again' })
})
