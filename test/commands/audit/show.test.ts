import t from 'tap'
import { show, type ShowOptions } from '../../../src/commands/audit/show.ts'
import { PLAIN } from '../../../src/commands/terminal.ts'
import { type Archive, JournalArchive } from '../../../src/record/archive.ts'
import { RedisArchive } from '../../../src/record/redis-archive.ts'
import { Shipping } from '../../../src/record/shipping.ts'
import { streamNames } from '../../../src/record/streams.ts'
import { startRedis } from '../../support/redis.ts'
import { all, open, temporary } from '../../record/support.ts'
import { play, Scene } from './scene.ts'

const OPTIONS = { command: null, lines: 100, json: false }

/** Times left out. */
async function shown(
  archive: Archive,
  options: Partial<ShowOptions> & { readonly session: string },
): Promise<string[]> {
  const lines: string[] = []
  await show(archive, { ...OPTIONS, ...options }, { paint: PLAIN, width: null }, (line) => lines.push(line))
  return lines.map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{3} {2}/, ''))
}

const SCENE = [
  '      ┌ agent → build-host (ssh) user=deploy',
  '#1    allowed   exec  ls -l /srv',
  '#1    │  total 4',
  '#1    │    -rw-r--r--  app.log',
  '#1    !  ls: one is secret',
  `#1    · output 31 bytes sha256 ${'ab'.repeat(32)}`,
  '#1    └ exit 2, 49 bytes, 20 ms',
  '#2    refused   exec  rm -rf /',
  '#2    ╰ ssh.destructive  removes everything; name the files',
  '#3    approved  shell',
  '#3    · approved by ann at 2026-01-31T12:00:00Z',
  '#3    · terminal 100x30',
  '#3    │  $ ü date',
  '#3    │  Sat',
  '#3    · terminal 120x40',
  '#3    · signal INT',
  String.raw`#3    │  \u{1b}]52;c;ZXZpbA==\u{7}$ `,
  '#3    └ failed SIGHUP, 40 bytes, 20 ms',
  '#4    allowed   sftp  open /srv/app.log',
  `#4    · /srv/app.log read 512 bytes sha256 ${'cd'.repeat(32)}`,
  '#4    └ 512 bytes, 20 ms',
]

t.test('a session reads as a transcript: commands, verdicts, outputs, ends, files with their digests', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const id = await play(journal)
  const lines = await shown(new JournalArchive(directory), { session: id.slice(0, 8) })
  t.match(lines[0], new RegExp(`^session ${id}  \\d{4}-`))
  t.same(lines.slice(1, -1), SCENE)
  t.match(lines.at(-1), /└ the agent left \(4 commands, 1 refused, \d+ ms\)$/)

  const one = await shown(new JournalArchive(directory), { session: id, command: 2 })
  t.same(one.slice(2, -1), SCENE.slice(7, 9))
  await journal.close()
})

t.test('the same is read from Redis', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const journal = open(temporary(), { shipping: true })
  const shipping = new Shipping(journal, { redis: { url: server.url }, prefix: 'test', sidegate: '0.0.0' })
  const id = await play(journal)
  t.equal(await shipping.drain(10_000), true)
  const archive = new RedisArchive({ url: server.url }, streamNames('test'))
  t.same((await shown(archive, { session: id })).slice(1, -1), SCENE)
  archive.close()
  await journal.close()
  await shipping.stop()
})

t.test('long outputs are cut, and how much is left out is said', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const text = Array.from({ length: 30 }, (_, index) => `${index}\n`).join('')
  const id = await new Scene(journal)
    .asks('exec', 'seq 30')
    .frame('output', text)
    .frame('output', 'end')
    .ends('0', 30)
    .leaves()
  const archive = new JournalArchive(directory)
  const lines = await shown(archive, { session: id, lines: 5 })
  t.same(lines.slice(3, 9), [
    ...Array.from({ length: 5 }, (_, index) => `#1    │  ${index}`),
    '#1    … 26 more lines: --lines 0 shows all',
  ])
  const whole = await shown(archive, { session: id, lines: Number.POSITIVE_INFINITY })
  t.equal(whole.filter((line) => line.includes('│')).length, 31)
  await journal.close()
})

t.test('nothing that an agent printed is hidden, nor acts on the terminal', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const id = await new Scene(journal)
    .asks('shell', '', { tty: true })
    .frame('output', 'safe\rrm -rf /\r\n\x1bPhidden\x1b\\\x9b6n\ttab\u202e\n\x1b]0;title\x07\x1b[2J\x1b[1;1Hprompt\n')
    .asks('exec', 'x')
    .frame('output', 'y'.repeat(10_000))
    .leaves(null)
  const lines = await shown(new JournalArchive(directory), { session: id })
  const output = lines.filter((line) => /│/.test(line)).map((line) => line.slice(9))
  t.same(output.slice(0, 4), ['safe', 'rm -rf /', String.raw`\u{1b}Phidden\u{1b}\\u{9b}6n   tab\u{202e}`, 'prompt'])
  t.same(
    output.slice(4).map((line) => line.length),
    [4_096, 4_096, 1_808],
  )
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  t.notMatch(lines.join('\n'), /[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
  t.match(lines.at(-1), /still running/)
  await journal.close()
})

t.test('as JSON the records are printed as they are stored, recordings included', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const id = await play(journal)
  await journal.close()
  const lines = await shown(new JournalArchive(directory), { session: id, json: true })
  const stored = (await all(directory)).filter(({ record }) => 'session' in record)
  t.same(
    lines,
    stored.map(({ line }) => line.toString()),
  )
})

t.test('a session that is not there, and a beginning that several have, are told as such', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const ids = new Set<string>()
  while (new Set([...ids].map((id) => id[0])).size === ids.size) ids.add(await new Scene(journal).leaves())
  const archive = new JournalArchive(directory)
  const twice = [...ids].at(-1)?.[0] ?? ''
  await t.rejects(shown(archive, { session: twice }), {
    code: 'record.ambiguous',
    message: new RegExp([...ids].at(-1) ?? ''),
  })
  await t.rejects(shown(archive, { session: 'xyz' }), { code: 'record.session', message: /xyz/ })
  await journal.close()
})
