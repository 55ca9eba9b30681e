import t from 'tap'
import fc from 'fast-check'
import { type EditorEvent, LineEditor } from '../../../../src/protocols/ssh/lines/editor.ts'
import { ALL, EDITING, Model, typing } from './model.ts'
import { Vt } from './vt.ts'

const LIMIT = 16 * 1024
const PROMPT = 'me@host:~$ '

function editor(columns = 80, rows = 24, name = 'xterm', limit = LIMIT): LineEditor {
  return new LineEditor({ name, columns, rows }, limit)
}

/** Everything that comes of these chunks, with a new prompt for each line. */
function events(chunks: readonly Uint8Array[], limit = LIMIT): { events: EditorEvent[]; output: string } {
  const lines = editor(80, 24, 'xterm', limit)
  const events: EditorEvent[] = []
  lines.begin(PROMPT)
  let output = ''
  for (const chunk of chunks) {
    lines.push(chunk)
    for (let event = lines.next(); event !== null; event = lines.next()) {
      events.push(event)
      lines.begin(PROMPT)
    }
    output += lines.take()
  }
  return { events, output }
}

function entered(text: string, limit = LIMIT): EditorEvent[] {
  return events([Buffer.from(text)], limit).events
}

const line = (text: string): EditorEvent => ({ kind: 'line', text })

t.test(
  'what is shown is exactly the prompt and the line, with the cursor in its place, on terminals of any width',
  (t) => {
    fc.assert(
      fc.property(
        fc.array(typing(EDITING), { maxLength: 40, size: 'max' }),
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        (typed, columns, rows, every) => {
          const [vt, model, lines] = [new Vt(columns, rows), new Model(), editor(columns, rows)]
          lines.begin(PROMPT)
          vt.write(lines.take())
          for (const [index, typing] of typed.entries()) {
            model.apply(typing)
            lines.push(Buffer.from(typing.bytes))
            if (lines.next() !== null) throw new Error('an event')
            if (every || index === typed.length - 1) vt.write(lines.take())
            else continue
            compare(vt, model, columns, rows)
          }
        },
      ),
      { numRuns: 400 },
    )
    t.pass()
    t.end()
  },
)

/** The last rows of the screen are the line's; of a line that is higher than the screen, those around the cursor. */
function compare(vt: Vt, model: Model, columns: number, rows: number): void {
  const expected = model.shown(PROMPT, columns)
  const { screen } = vt
  // A row that nothing was written to since the screen was cleared is not there.
  const at = screen[vt.row] ?? ''
  const fail = (what: string): never => {
    throw new Error(`${what}: ${JSON.stringify({ screen, row: vt.row, column: vt.column, expected })}`)
  }
  if (vt.column !== expected.column) fail('column')
  if (at !== expected.rows[expected.row]) fail('row')
  const whole = expected.rows.length <= rows
  const top = vt.row - expected.row
  const seen = screen.slice(Math.max(0, top))
  const visible = expected.rows.slice(Math.max(0, -top), Math.max(0, -top) + (whole ? expected.rows.length : rows))
  if (whole && top < 0) fail('top')
  if (seen.join('\n').trimEnd() !== visible.join('\n').trimEnd()) fail('rows')
}

t.test('any split of what is typed gives the same lines, which are those that a simple list would give', (t) => {
  const acts = ALL.filter((act) => act !== 'up' && act !== 'down')
  fc.assert(
    fc.property(
      fc.array(typing(acts), { maxLength: 60, size: 'max' }),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      (typed, sizes) => {
        const bytes = Buffer.from(typed.map(({ bytes }) => bytes).join(''))
        const chunks: Buffer[] = []
        for (let at = 0; at < bytes.length;) {
          const size = sizes.next().value ?? 1
          chunks.push(bytes.subarray(at, at + size))
          at += size
        }
        const model = new Model()
        for (const [index, typing] of typed.entries()) {
          // A line feed behind a carriage return is the same key.
          if (typing.kind === 'enter' && typing.bytes === '\n' && typed[index - 1]?.bytes === '\r') continue
          model.apply(typing)
        }
        const { events: found } = events(chunks)
        const lines = found.flatMap((event) => (event.kind === 'line' ? [event.text] : []))
        if (JSON.stringify(lines) !== JSON.stringify(model.entered))
          throw new Error(JSON.stringify([lines, model.entered]))
        if (found.filter(({ kind }) => kind === 'interrupt').length !== model.interrupts) throw new Error('interrupts')
      },
    ),
    { numRuns: 300 },
  )
  t.pass()
  t.end()
})

t.test('arbitrary bytes give no event that they have no key for, and nothing but what prints is shown', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300, size: 'max' }), fc.integer({ min: 1, max: 20 }), (bytes, size) => {
      const chunks: Uint8Array[] = []
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
      const { events: found, output } = events(chunks)
      const keys = bytes.filter((byte) => [0x0d, 0x0a, 0x03, 0x04].includes(byte)).length
      if (found.length > keys) throw new Error('more events than keys')
      // oxlint-disable-next-line no-control-regex
      const rest = output.replaceAll(/\x1b\[(\?2004[hl]|\d*[ABC]|J|2J|H)|\r|\n|\x07/g, '')
      if (/\p{C}/u.test(rest)) throw new Error(`a control: ${JSON.stringify(rest)}`)
      if (JSON.stringify(found) !== JSON.stringify(events([bytes]).events)) throw new Error('split')
    }),
    { numRuns: 300 },
  )
  t.pass()
  t.end()
})

t.test('a resized terminal shows the line again as it is', (t) => {
  fc.assert(
    fc.property(
      fc.array(typing(EDITING), { maxLength: 15, size: 'max' }),
      fc.integer({ min: 2, max: 40 }),
      fc.integer({ min: 2, max: 40 }),
      (typed, before, after) => {
        const rows = 60
        const [vt, model, lines] = [new Vt(before, rows), new Model(), editor(before, rows)]
        lines.begin(PROMPT)
        for (const typing of typed) {
          model.apply(typing)
          lines.push(Buffer.from(typing.bytes))
        }
        lines.next()
        vt.write(lines.take())
        vt.resize(after, rows)
        lines.resize(after, rows)
        vt.write(lines.take())
        compare(vt, model, after, rows)
      },
    ),
    { numRuns: 200 },
  )
  t.pass()
  t.end()
})

t.test('a plain terminal is sent no sequence, and shows the line too', (t) => {
  fc.assert(
    fc.property(
      fc.array(typing(['backspace', 'kill-to-start', 'kill-word', 'nothing', 'left']), { maxLength: 20, size: 'max' }),
      (typed) => {
        const [vt, model, lines] = [new Vt(2000, 5), new Model(), editor(80, 24, 'dumb')]
        lines.begin(PROMPT)
        vt.write(lines.take())
        for (const typing of typed) {
          if (typing.kind !== 'left') model.apply(typing)
          lines.push(Buffer.from(typing.bytes))
          lines.next()
          const output = lines.take()
          if (output.includes('\x1b')) throw new Error('a sequence')
          vt.write(output)
        }
        const [expected] = model.shown(PROMPT, 2000).rows
        if (vt.screen[0] !== expected?.trimEnd()) throw new Error(JSON.stringify([vt.screen, expected]))
      },
    ),
    { numRuns: 200 },
  )
  t.pass()
  t.end()
})

t.test('a line that is entered is seen whole, however high the terminal is', (t) => {
  const [vt, lines] = [new Vt(10, 3), editor(10, 3)]
  lines.begin('$ ')
  lines.push(Buffer.from(`${'0123456789'.repeat(7)}\x01\r`))
  t.strictSame(lines.next(), line('0123456789'.repeat(7)))
  vt.write(lines.take())
  t.equal(vt.text.join(''), `$ ${'0123456789'.repeat(7)}`)
  t.equal(vt.column, 0)
  t.end()
})

t.test('the history gives entered lines back, newest first, and the line that was begun', (t) => {
  t.strictSame(entered('one\rtwo\r\x1b[A\x1b[A\r'), [line('one'), line('two'), line('one')])
  t.strictSame(entered('one\rtwo\rthr\x1b[A\x1b[A\x1b[A\x1b[B\x1b[B\x1b[Bee\r').at(-1), line('three'))
  t.strictSame(entered('one\r\x1b[A!\r\x1b[A\x1b[A\r').at(-1), line('one'))
  t.strictSame(entered('one\rone\rone\r\x1b[A\x1b[A\x1b[A\r').at(-1), line('one'))
  t.strictSame(entered('secret\x03\x1b[A\r').at(-1), line(''), 'a line that was not entered is not kept')
  t.end()
})

t.test('the history is bounded', (t) => {
  const lines = editor()
  for (let index = 0; index < 2000; index += 1) lines.history.add(`line ${index}`)
  t.ok(lines.history.lines.length <= 500)
  t.equal(lines.history.lines.at(-1), 'line 1999')
  for (let index = 0; index < 100; index += 1) lines.history.add(`${index}${'x'.repeat(16_000)}`)
  t.ok(lines.history.lines.join('').length <= 256 * 1024)
  t.end()
})

t.test('a pasted text of several lines is several lines, whatever is in it', (t) => {
  t.strictSame(entered('\x1b[200~one\r\ntwo\nthree\x1b[201~\r'), [line('one'), line('two'), line('three')])
  t.strictSame(entered('\x1b[200~a\x00b\x03c\x04\x15\x1b[Ad\x1b[201~\r'), [line('a\x00b\x03c\x04\x15\x1b[Ad')])
  const { output } = events([Buffer.from('\x1b[200~a\x00\x1b]0;owned\x07\u202eb\x1b[201~')])
  t.match(output, 'a^@^[]0;owned^G<202E>b')
  t.end()
})

t.test('a line is never entered by what is pasted without a line end, or by what ends a sequence', (t) => {
  for (const typed of [
    'ls',
    '\x1b[200~ls\x1b[201~',
    '\x1b]0;x',
    '\x1b[',
    '\x1b[1;2',
    `\x1b[${'9'.repeat(100_000)}`,
    '\x1b\x1b\x1b',
  ])
    t.strictSame(entered(typed), [])
  t.end()
})

t.test('a key that broke off does not swallow what is typed after it', (t) => {
  t.strictSame(entered('\x1b[\rls\r'), [line(''), line('ls')])
  t.strictSame(entered('\x1b]0;title\rls\r'), [line(''), line('ls')])
  t.strictSame(entered(`\x1bP${'x'.repeat(5000)}\r`), [line('x'.repeat(5000 - 4096))])
  t.end()
})

t.test('^D ends an empty line, and deletes in another', (t) => {
  t.strictSame(entered('\x04'), [{ kind: 'end' }])
  t.strictSame(entered('ab\x01\x04\r'), [line('b')])
  t.strictSame(entered('ab\x04\r'), [line('ab')])
  t.end()
})

t.test('a line beyond the limit is no line, whatever is done to what is seen of it', (t) => {
  t.strictSame(entered('1234\r', 4), [line('1234')])
  t.strictSame(entered('12345\r', 4), [{ kind: 'too-long' }])
  t.strictSame(entered('12345\x7f\r', 4), [{ kind: 'too-long' }])
  t.strictSame(entered('1\r12345\x1b[A\x1b[B\r', 4).at(-1), { kind: 'too-long' })
  t.strictSame(entered('12345\x15ok\r', 4), [line('ok')], 'a line that is begun anew is one')
  t.strictSame(entered('漢字\r', 5), [{ kind: 'too-long' }])
  t.strictSame(entered('漢\r', 2), [{ kind: 'too-long' }])
  t.end()
})

t.test('floods are dealt with in time that grows with them, and no faster', (t) => {
  const started = performance.now()
  const floods = ['x'.repeat(1 << 20), '\x1b['.repeat(1 << 19), '\x1b\x01'.repeat(1 << 18), '\x1b[A'.repeat(1 << 18)]
  floods.push(
    '\u0301'.repeat(1 << 18),
    'a\u0301'.repeat(1 << 13),
    `\x1b[200~${'\x00'.repeat(1 << 20)}`,
    '\x0c'.repeat(1 << 20),
  )
  for (const flood of floods) {
    const { output } = events([Buffer.from(flood)])
    t.ok(output.length < 200_000, `${output.length} for ${JSON.stringify(flood.slice(0, 6))}`)
  }
  t.ok(performance.now() - started < 5_000)
  t.end()
})
