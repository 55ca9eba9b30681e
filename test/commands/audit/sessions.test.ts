import t from 'tap'
import { sessionJson, sessionLines } from '../../../src/commands/audit/sessions.ts'
import { PLAIN } from '../../../src/commands/terminal.ts'
import { JournalArchive } from '../../../src/record/archive.ts'
import { open, temporary } from '../../record/support.ts'
import { play, Scene } from './scene.ts'

const LOOK = { paint: PLAIN, width: null }
const ALL = { count: Number.POSITIVE_INFINITY, since: 0, prefix: '' }

t.test('sessions are listed with who, where, how much, and how they ended', async (t) => {
  const directory = temporary()
  const first = open(directory)
  const ended = await play(first)
  const lost = await new Scene(first).asks('exec', 'sleep 1').leaves(null)
  await first.close()
  const second = open(directory)
  const running = await new Scene(second).asks('exec', 'rm -rf /', { refused: true }).leaves(null)
  const archive = new JournalArchive(directory)
  const lines = sessionLines(await archive.sessions(ALL), LOOK)
  t.match(lines[0], /^STARTED +SESSION +PRINCIPAL +TARGET +PROTOCOL +COMMANDS +DENIED +LASTED +ENDED$/)
  const row = (id: string, rest: string) =>
    new RegExp(`^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d  ${id.slice(0, 8)}  agent {6}build-host  ssh +${rest}$`)
  t.match(lines[1], row(ended, '4 +1 +\\d+ ms  the agent left'))
  t.match(lines[2], row(lost, '1 +0 +\\?  lost: its sidecar stopped without having ended it'))
  t.match(lines[3], row(running, '1 +1 +\\d+ ms  running'))
  t.equal(lines.length, 4)
  const json = (await archive.sessions(ALL)).map((one) => JSON.parse(sessionJson(one)) as Record<string, unknown>)
  t.match(json, [
    {
      session: ended,
      state: 'ended',
      reason: 'the agent left',
      target: 'build-host',
      principal: 'agent',
      commands: 4,
      denied: 1,
    },
    { session: lost, state: 'lost', reason: null, endedAt: null, durationMs: null },
    { session: running, state: 'running', protocol: 'ssh', attributes: { user: 'deploy' }, denied: 1 },
  ])
  await second.close()
})

t.test('where there are none, that is said', (t) => {
  t.same(sessionLines([], LOOK), ['no sessions'])
  t.end()
})
