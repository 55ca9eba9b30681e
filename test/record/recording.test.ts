import fc from 'fast-check'
import t from 'tap'
import type { FrameKind } from '../../src/gate/ports.ts'
import type { SessionRecord, StoredLine } from '../../src/record/archive.ts'
import { asciicast } from '../../src/record/recording/asciicast.ts'
import { readRecording, type RecordingEvent } from '../../src/record/recording/recording.ts'
import { ShownText } from '../../src/record/recording/shown-text.ts'
import { parseAsciicast } from '../support/asciicast.ts'

const SESSION = { session: 's', start: 1 }
let seq = 1

function stored(record: object): StoredLine {
  const whole = { id: `i/${++seq}`, seq, ...SESSION, ...record } as unknown as SessionRecord
  return { record: whole, line: Buffer.from(JSON.stringify(whole)) }
}

function decision(
  at: number,
  sequence: number,
  tty: boolean,
  custom: object = { verdict: 'permitted', mode: 'enforce' },
) {
  const command = { protocol: 'ssh', action: tty ? 'shell' : 'exec', text: tty ? '' : 'ls -l', detail: { tty } }
  return stored({ type: 'decision', at, sequence, input: { command }, custom })
}

function frame(at: number, sequence: number, kind: FrameKind, data: string | Uint8Array) {
  return stored({ type: 'frame', at, sequence, kind, data: Buffer.from(data).toString('base64') })
}

function outcome(at: number, sequence: number, status = 'completed', code = '0') {
  return stored({ type: 'outcome', at, sequence, status, code, rows: 0, bytes: 0, duration: 0, masked: [] })
}

async function* each(lines: readonly StoredLine[]): AsyncGenerator<StoredLine> {
  for (const line of lines) yield await Promise.resolve(line)
}

async function castOf(lines: readonly StoredLine[], sequence: number | null = null) {
  const recording = await readRecording(each(lines), sequence)
  if (recording === null) throw new Error('nothing was recorded')
  let text = ''
  for await (const line of asciicast(recording, 'a title')) text += `${line}\n`
  return parseAsciicast(text)
}

async function eventsOf(lines: readonly StoredLine[], sequence: number | null = null): Promise<RecordingEvent[]> {
  const recording = await readRecording(each(lines), sequence)
  const events: RecordingEvent[] = []
  for await (const event of recording?.events ?? []) events.push(event)
  return events
}

const AT = 1_769_860_800_500

t.test('a terminal is recorded as an asciicast that its format allows', async (t) => {
  const cast = await castOf([
    decision(AT, 1, true),
    frame(AT + 1, 1, 'resize', '132x43'),
    frame(AT + 20, 1, 'output', '$ '),
    frame(AT + 1_000, 1, 'input', 'date\r'),
    frame(AT + 1_005, 1, 'output', 'date\r\nSat\r\n'),
    frame(AT + 2_000, 1, 'resize', '80x24'),
    frame(AT + 2_100, 1, 'signal', 'WINCH'),
    frame(AT + 3_000, 1, 'exit', '{"status":3}'),
    outcome(AT + 3_001, 1, 'failed', '3'),
  ])
  t.match(cast.header, { version: 2, width: 132, height: 43, timestamp: 1_769_860_800, title: 'a title' })
  t.same(cast.events, [
    [0, 'm', '#1 shell'],
    [0.001, 'r', '132x43'],
    [0.02, 'o', '$ '],
    [1, 'i', 'date\r'],
    [1.005, 'o', 'date\r\nSat\r\n'],
    [2, 'r', '80x24'],
    [2.1, 'm', '#1 signal WINCH'],
    [3, 'm', '#1 exit 3'],
  ])
})

t.test('without a terminal lines return, and errors are among the output', async (t) => {
  const { header, events } = await castOf([
    decision(AT, 1, false),
    frame(AT, 1, 'output', 'one\ntwo\r'),
    frame(AT, 1, 'output', '\nthree\r\n\n'),
    frame(AT, 1, 'error', 'no\n'),
    outcome(AT, 1, 'lost', ''),
  ])
  t.match(header, { width: 80, height: 24 })
  t.equal(
    events.flatMap(([, code, data]) => (code === 'o' ? [data] : [])).join(''),
    'one\r\ntwo\r\nthree\r\n\r\nno\r\n',
  )
  t.same(events.at(-1), [0, 'm', '#1 lost'])
})

t.test('commands that run at once are decoded apart, and one of them can be had alone', async (t) => {
  const [head, tail] = [Buffer.from('ü').subarray(0, 1), Buffer.from('ü').subarray(1)]
  const lines = [
    decision(AT, 1, true),
    decision(AT, 2, true),
    frame(AT + 1, 1, 'output', head),
    frame(AT + 2, 2, 'output', '\x1b]0;'),
    frame(AT + 3, 1, 'output', tail),
    frame(AT + 4, 2, 'output', 'title\x07ok'),
    frame(AT + 5, 1, 'error', tail),
    outcome(AT + 6, 2, 'lost', ''),
    frame(AT + 7, 1, 'output', head),
  ]
  const shown = (events: readonly RecordingEvent[]) =>
    events.flatMap(({ code, data, sequence }) => (code === 'o' ? [`${sequence}:${data}`] : []))
  t.same(shown(await eventsOf(lines)), ['1:ü', '2:ok', '1:\ufffd', '1:\ufffd'])
  t.same(shown(await eventsOf(lines, 2)), ['2:ok'])
  t.same(await eventsOf(lines, 3), [])
})

t.test('what would act on a terminal is in no asciicast, whatever the bytes', async (t) => {
  const pieces = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc
        .constantFrom('\x1b]52;c;AA\x07', '\x1bP1q\x1b\\', '\x9b6n', '\x1b[6n', '\x1b]', '\x1b')
        .map((text) => Buffer.from(text)),
    ),
    { maxLength: 20 },
  )
  await fc.assert(
    fc.asyncProperty(pieces, async (parts) => {
      const frames = parts.map((part, index) => frame(AT + index, 1, index % 2 === 0 ? 'output' : 'error', part))
      const { events } = await castOf([decision(AT, 1, true), ...frames, outcome(AT + 99, 1)])
      // oxlint-disable-next-line no-control-regex -- they are what is looked for
      return events.every(([, , data]) => !/\x1b[\]PX^_c]|[\x80-\x9f\x05\x07]|\x1b\[[\d;]*[cnti]/.test(data))
    }),
  )
  t.pass('for generated output')
})

t.test('text comes out the same wherever its bytes were cut', (t) => {
  const text = fc.array(
    fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\r\n', '\n', '\r', '\x1b[1m', 'ü🙂')),
    { maxLength: 20 },
  )
  fc.assert(
    fc.property(text, fc.boolean(), (parts, terminal) => {
      const bytes = Buffer.from(parts.join(''))
      const whole = new ShownText(terminal)
      const cut = new ShownText(terminal)
      let result = ''
      for (const byte of bytes) result += cut.write(Uint8Array.of(byte))
      return result + cut.end() === whole.write(bytes) + whole.end()
    }),
    { numRuns: 500 },
  )
  t.pass('for generated text')
  t.end()
})

t.test('markers tell decisions, approvals, transfers and ends, in a line each', async (t) => {
  const refusal = { code: 'ssh.no', message: 'no', remedy: '', policy: '' }
  const grant = { by: ['ann', 'bob'], at: '', codes: [] }
  const events = await eventsOf([
    decision(AT, 1, false, { verdict: 'refused', mode: 'enforce', refusal }),
    decision(AT, 2, true, { verdict: 'permitted', mode: 'enforce', grant }),
    frame(AT, 2, 'marker', 'two\nlines \x1b[31m\u202e'),
    frame(
      AT,
      2,
      'transfer',
      JSON.stringify({ path: '/a\nb', bytesRead: 3, bytesWritten: 0, sha256: 'ff', note: null }),
    ),
    frame(
      AT,
      2,
      'transfer',
      JSON.stringify({ path: '/c', bytesRead: 0, bytesWritten: 9, sha256: null, note: 'a write failed' }),
    ),
    frame(AT, 2, 'marker', '{"streams":{"input":{"bytes":5,"sha256":"aa"}}}'),
    frame(AT, 2, 'exit', '{"signal":"TERM"}'),
  ])
  t.same(
    events.map(({ data }) => data),
    [
      '#1 refused [ssh.no] exec ls -l',
      '#2 approved by ann, bob: shell',
      '#2 two lines [31m',
      '#2 /a b  read 3 bytes  sha256 ff',
      '#2 /c  wrote 9 bytes  a write failed',
      '#2 input 5 bytes sha256 aa',
      '#2 ended by signal TERM',
    ],
  )
  t.same(
    events.map(({ part }) => part),
    ['begin', 'begin', 'within', 'within', 'within', 'within', 'end'],
  )
})

t.test('a clock that was set back does not turn a recording around', async (t) => {
  const { events } = await castOf([
    decision(AT, 1, true),
    frame(AT + 500, 1, 'output', 'a'),
    frame(AT - 90_000, 1, 'output', 'b'),
    frame(AT + 600, 1, 'output', 'c'),
  ])
  t.same(
    events.map(([time]) => time),
    [0, 0.5, 0.5, 0.6],
  )
})
