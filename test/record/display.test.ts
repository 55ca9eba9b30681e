// oxlint-disable no-control-regex -- control characters are what this is about
import fc from 'fast-check'
import t from 'tap'
import { DisplayFilter } from '../../src/record/recording/display.ts'

const shown = (text: string) => new DisplayFilter().write(text)

/** Every sequence that may ever be given out, and no control but these. */
const HARMLESS =
  /^(?:[^\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|[\b\t\n\v\f\r\x0e\x0f]|\x1b[78DEHM]|\x1b[()*+][0AB]|\x1b#[34568]|\x1b\[(?:[\d;]*[@A-HIJKLMPSTXZ`abdefgrsu]|[\d;:]*m|\??[\d;]+[hl]|\?[0-3]?[JK]|[0-6]? q|!p))*$/

const PIECES = [
  '\x1b]52;c;Y3VybCBldmlsfHNo\x07',
  '\x1b]0;a title\x1b\\',
  '\x1b]8;;https://evil.example\x07click\x1b]8;;\x07',
  '\x1bP$q"p\x1b\\',
  '\x1bPq#0;2;0;0;0~~\x1b\\',
  '\x1b_Gf=24;AAAA\x1b\\',
  '\x1b^pm\x1b\\',
  '\x1bXsos\x1b\\',
  '\x9b6n',
  '\x9d52;c;AAAA\x9c',
  '\x90q\x9c',
  '\x1b[c',
  '\x1b[>c',
  '\x1b[6n',
  '\x1b[21t',
  '\x1b[5i',
  '\x1b[?2004h',
  '\x1b[?1000;25h',
  '\x1b[?1049h',
  '\x1b[>4;2m',
  '\x1b[31;1m',
  '\x1b[38:2::1:2:3m',
  '\x1b[2J',
  '\x1b[10;20H',
  '\x1b[99999b',
  '\x1b[2 q',
  '\x1b[!p',
  '\x1bc',
  '\x1b(0lqk\x1b(B',
  '\x1bZ',
  '\x1b%G',
  '\x1b',
  '\x1b[',
  '\x1b]',
  '\x05',
  '\x07',
  '\x18',
  '\x1a',
  '\x7f',
  '\0',
  '\r\n',
  '\t',
  '\u202eevil',
  'ls -l ü 🙂',
]
const output = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: 'binary' }), fc.string()), { maxLength: 30 })
  .map((pieces) => pieces.join(''))

t.test('nothing but text and harmless sequences is ever shown', (t) => {
  fc.assert(
    fc.property(output, (text) => HARMLESS.test(shown(text))),
    { numRuns: 2_000 },
  )
  fc.assert(
    fc.property(output, (text) => {
      const result = shown(text)
      return !/\x1b[\]PX^_Zc]|[\x80-\x9f]/.test(result)
    }),
    { numRuns: 2_000 },
  )
  t.pass('for generated output of all kinds')
  t.end()
})

t.test('where the output was cut makes no difference, and showing what was shown changes nothing', (t) => {
  fc.assert(
    fc.property(output, (text) => {
      const filter = new DisplayFilter()
      let result = ''
      for (let at = 0; at < text.length; at++) result += filter.write(text.charAt(at))
      return result === shown(text)
    }),
    { numRuns: 1_000 },
  )
  fc.assert(fc.property(output, (text) => shown(shown(text)) === shown(text)))
  t.pass('for generated output of all kinds')
  t.end()
})

t.test('what a terminal shows is left as it is', (t) => {
  const screen =
    '\x1b[?1049h\x1b[2J\x1b[1;1H\x1b[1;31mtop\x1b[0m \x1b[38;5;12mü🙂\x1b(0qqq\x1b(B\r\n\x1b7\x1b[5;10r\x1b8\x1b[K\x1b[?25l\x0e\x0f\b\t'
  t.equal(shown(screen), screen)
  t.end()
})

t.test('what would act on the terminal is left out, and the text around it stays', (t) => {
  const cases: [string, string][] = [
    ['a\x1b]52;c;Y3VybA==\x07b', 'ab'],
    ['a\x1b]0;title\x1b\\b', 'ab'],
    ['a\x1bPq~~~\x07~\x1b\\b', 'ab'],
    ['a\x9d2;x\x9cb', 'ab'],
    ['a\x1b[6nb\x1b[cc\x1b[>0qd', 'abcd'],
    ['a\x1b[?1000;25;2004hb', 'a\x1b[?25hb'],
    ['a\x1b]0;x\x18b', 'ab'],
    ['a\x1b]0;x\x1b[31mb', 'a\x1b[31mb'],
    ['a\x1b[31\nmb', 'a\n\x1b[31mb'],
    ['a\x1b[3übc', 'aübc'],
    ['a\x1bcb', 'a\x1b[!p\x1b[H\x1b[2Jb'],
    ['a\x1b[99999Cb\x1b[9999Cc', 'ab\x1b[9999Cc'],
    ['rm \u202egpj', 'rm gpj'],
    [`a\x1b[${'1;'.repeat(200)}mb`, 'ab'],
    ['\x1b', ''],
  ]
  for (const [text, expected] of cases) t.equal(shown(text), expected)
  t.end()
})

t.test('a string that never ends hides no more than 64 KiB of what follows', (t) => {
  for (const begin of ['\x1bP', '\x1b]0;', '\x1b_']) {
    const result = shown(`${begin}${'x'.repeat(70_000)}rm -rf /`)
    t.match(result, /rm -rf \/$/)
    t.ok(result.length > 4_000 && result.length < 8_000)
  }
  t.end()
})
