import t from 'tap'
import { refusal } from '../../../../src/gate/refusal.ts'
import { parseRequest } from '../../../../src/protocols/kubernetes/request/parse.ts'
import { ExitReader, refusedExit } from '../../../../src/protocols/kubernetes/streams/exit.ts'

function read(...pieces: string[]) {
  const reader = new ExitReader()
  for (const piece of pieces) reader.push(Buffer.from(piece))
  return reader.read()
}

const FAILED = JSON.stringify({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  details: {
    causes: [
      { reason: 'Other', message: '1' },
      { reason: 'ExitCode', message: '42' },
    ],
  },
})

t.test('the exit code of a program is read from its Status, in one piece or several', async (t) => {
  t.strictSame(read('{"metadata":{},"status":"Success"}'), { status: 0 })
  t.strictSame(read(FAILED), { status: 42 })
  t.strictSame(read(FAILED.slice(0, 20), FAILED.slice(20)), { status: 42 })
})

t.test('what says of no exit code gives none', async (t) => {
  t.equal(read(), null)
  t.equal(read('not json'), null)
  t.equal(read('null'), null)
  t.equal(read('{"status":"Failure","reason":"InternalError"}'), null)
  t.equal(read('{"status":"Failure","reason":"NonZeroExitCode"}'), null)
  t.equal(
    read('{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"x"}]}}'),
    null,
  )
  t.equal(read(`{"status":"Success","message":"${'x'.repeat(70_000)}"}`), null)
})

t.test('a refusal that a person has read beside it gives the exit code of what could not be run', async (t) => {
  const parsed = parseRequest('GET', '/api/v1/namespaces/shop/pods/web/exec?command=sh&stdout=true')
  if (parsed.kind === 'refused') throw new Error(parsed.refusal.message)
  const { facts } = parsed.request
  const because = refusal('policy.no-match')
  t.strictSame(read(refusedExit(because, facts, true).toString()), { status: 126 })
  t.match(JSON.parse(refusedExit(because, facts, false).toString()), {
    kind: 'Status',
    reason: 'Forbidden',
    message: 'pods "web" is forbidden: [policy.no-match] no policy allows this',
  })
})
