import { type Output, replay, type ReplayOptions } from '../../../src/commands/audit/replay.ts'
import { JournalArchive } from '../../../src/record/archive.ts'
import t from 'tap'
import { parseAsciicast } from '../../support/asciicast.ts'
import { startProgram } from '../../support/process.ts'
import { open, temporary } from '../../record/support.ts'
import { play, Scene } from './scene.ts'

const OPTIONS: Omit<ReplayOptions, 'session'> = {
  command: null,
  form: 'play',
  speed: 1,
  maxIdle: Number.POSITIVE_INFINITY,
}
const MAIN = new URL('../../../src/main.ts', import.meta.url).pathname

class Written implements Output {
  text = ''
  errors = ''
  said: string[] = []
  readonly bytes: Buffer[] = []
  readonly size = { columns: 80, rows: 24 }
  readonly dim = (text: string): string => text
  write(text: string | Uint8Array): void {
    this.bytes.push(Buffer.from(text))
    this.text += Buffer.from(text).toString()
  }
  error(bytes: Uint8Array): void {
    this.errors += Buffer.from(bytes).toString()
  }
  say(line: string): void {
    this.said.push(line)
  }
}

async function replayed(
  directory: string,
  options: Partial<ReplayOptions> & { readonly session: string },
): Promise<Written> {
  const output = new Written()
  await replay(new JournalArchive(directory), { ...OPTIONS, ...options }, output, new AbortController().signal)
  return output
}

async function scene(): Promise<{ readonly directory: string; readonly id: string }> {
  const directory = temporary()
  const journal = open(directory)
  const id = await play(journal)
  await journal.close()
  return { directory, id }
}

t.test('a session is exported as one asciicast', async (t) => {
  const { directory, id } = await scene()
  const cast = parseAsciicast((await replayed(directory, { session: id, form: 'asciicast' })).text)
  t.match(cast.header, { width: 80, height: 24, timestamp: 1_769_860_800, title: `agent on build-host, session ${id}` })
  t.same(cast.events, [
    [0, 'm', '#1 exec ls -l /srv'],
    [0.1, 'o', 'total 4\r\n  -rw-r--r--  app.log\r\n'],
    [0.1, 'o', 'ls: one is secret\r\n'],
    [0.11, 'm', '#1 exit 2'],
    [0.11, 'm', `#1 output 31 bytes sha256 ${'ab'.repeat(32)}`],
    [1.11, 'm', '#2 refused [ssh.destructive] exec rm -rf /'],
    [2.11, 'm', '#3 approved by ann: shell'],
    [2.11, 'r', '100x30'],
    [2.16, 'o', '\x1b[1m$ \x1b[0m'],
    [7.16, 'o', 'ü date\r\nSat\r\n'],
    [7.36, 'r', '120x40'],
    [7.36, 'm', '#3 signal INT'],
    [7.36, 'o', '$ '],
    [7.46, 'm', '#3 ended by signal HUP'],
    [7.96, 'm', '#4 sftp open /srv/app.log'],
    [7.99, 'm', `#4 /srv/app.log  read 512 bytes  sha256 ${'cd'.repeat(32)}`],
    [7.99, 'm', '#4 completed'],
  ])
  const shell = parseAsciicast((await replayed(directory, { session: id, form: 'asciicast', command: 3 })).text)
  t.match(shell.header, { width: 100, height: 30, title: /command 3$/ })
  t.same(shell.events[0], [0, 'm', '#3 approved by ann: shell'])
  await t.rejects(replayed(directory, { session: id, form: 'asciicast', command: 9 }), {
    code: 'record.session',
    message: /no command 9/,
  })
})

t.test('raw output is what the program wrote, byte for byte, and its errors are apart', async (t) => {
  const { directory, id } = await scene()
  const shell = await replayed(directory, { session: id, form: 'raw', command: 3 })
  t.equal(
    shell.text,
    '\x1b]0;a title\x07\x1b[1m$ \x1b[0m\ufffd\ufffd date\r\nSat\r\n\x1b]52;c;ZXZpbA==\x07$ ',
    'pieces were cut inside of ü',
  )
  t.match(Buffer.concat(shell.bytes).toString(), /\$ .{4}ü date/s)
  t.same((await replayed(directory, { session: id, form: 'raw', command: 1 })).errors, 'ls: one is secret\n')
})

t.test(
  'on a terminal a session plays in its time, markers stay out of a running shell, and the terminal is left as it was',
  async (t) => {
    const { directory, id } = await scene()
    const began = performance.now()
    const { text } = await replayed(directory, { session: id, speed: 20, maxIdle: 1_000 })
    const took = performance.now() - began
    // 4.29 s without the 4 s beyond one second of idleness, twenty times as fast.
    t.ok(took > 150 && took < 2_000, `${took} ms`)
    t.match(text, /── #1 exec ls -l \/srv\r\ntotal 4\r\n/)
    t.match(text, /── #2 refused \[ssh\.destructive\] exec rm -rf \/\r\n/)
    t.match(text, /ü date\r\nSat\r\n\$ \x1b\[!p/) // oxlint-disable-line no-control-regex -- it is what is looked for
    t.notMatch(text, /signal INT|52;c;|a title/)
    t.match(text, /\r\n── #3 ended by signal HUP\r\n/)
  },
)

t.test('who stops watching gets the terminal back, also from the second screen', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const scene = new Scene(journal)
    .asks('shell', '', { tty: true })
    .frame('resize', '300x80')
    .frame('output', '\x1b[?1049h\x1b[?25lvim')
  const id = await scene.wait(3_600_000).frame('output', 'late').leaves(null)
  const ended = new AbortController()
  const output = new Written()
  const playing = replay(new JournalArchive(directory), { ...OPTIONS, session: id }, output, ended.signal)
  setTimeout(() => ended.abort(), 50)
  await playing
  t.match(output.text, /vim\x1b\[\?1049l\x1b\[!p.*\x1b\[\?25h/) // oxlint-disable-line no-control-regex -- it is what is looked for
  t.notMatch(output.text, /late/)
  t.same(output.said, ['it was recorded on 300x80, and this terminal has 80x24'])
  await journal.close()
})

t.test('the command prints asciicast to a pipe, plays on a terminal, and fails clearly', async (t) => {
  const { directory, id } = await scene()
  const run = async (...args: string[]) => {
    const program = await startProgram(process.execPath, [MAIN, 'audit', ...args, '--journal', directory])
    const { code } = await program.exited
    return { code, text: program.stdout(), errors: program.stderr() }
  }
  const piped = await run('replay', id.slice(0, 8))
  t.equal(piped.code, 0)
  t.equal(parseAsciicast(piped.text).events.length, 17)
  const unknown = await run('replay', '00000000')
  t.match(unknown, { code: 1, text: '', errors: /no such session on record: 00000000.*record\.session/ })
  t.match(await run('replay', id, '--speed', '0'), { code: 2, errors: /above 0/ })
  t.match(await run('replay', id, '--raw', '--asciicast'), { code: 2 })
  t.match(await run('sessions'), { code: 0, text: new RegExp(`${id.slice(0, 8)}  agent`) })
  t.match(await run('show', id, '--command', '2'), { code: 0, text: /ssh\.destructive/ })

  const quoted = `"${process.execPath}" "${MAIN}" audit replay ${id} --journal "${directory}" --speed 50 --max-idle 0.1`
  const terminal = await startProgram('script', ['-qec', quoted, '/dev/null'])
  t.equal((await terminal.exited).code, 0)
  t.match(terminal.stdout(), /#3 approved by ann: shell/)
  t.match(terminal.stdout(), /ü date\r+\nSat/)
  const raw = await startProgram('script', ['-qec', `${quoted} --raw`, '/dev/null'])
  t.equal((await raw.exited).code, 2)
  t.match(raw.stdout(), /write it to a file or a pipe/)
})
