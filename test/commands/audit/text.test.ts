import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { plain, visible, widthOf } from '../../../src/commands/audit/text.ts'

t.test('nothing that an agent writes acts on the terminal, is hidden, or makes another line', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.option(fc.integer({ min: 1, max: 60 })), (text, width) => {
      const shown = plain(text, width)
      assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u)
      assert.doesNotMatch(shown, /\p{M}{3}/u)
      if (width !== null) assert(widthOf(shown) <= width, `${widthOf(shown)} columns`)
    }),
    { numRuns: 1_000 },
  )
  t.pass()
  t.end()
})

const CASES: Readonly<Record<string, readonly [string, string]>> = {
  'the end of a line, and so of a comment': [
    'SELECT 1 -- harmless\n  ; DROP TABLE t',
    'SELECT 1 -- harmless ↵ ; DROP TABLE t',
  ],
  'indentation as one space': ['\n  SELECT\t 1  \r\n', 'SELECT 1'],
  'terminal escapes': ['a\u001b[2Jb', 'a\\u{1b}[2Jb'],
  'a carriage return that would overwrite': ['DROP\rSELECT', 'DROP\\u{d}SELECT'],
  'bidirectional overrides': ['a\u202eb', 'a\\u{202e}b'],
  'zero-width characters': ['us\u200bers', 'us\\u{200b}ers'],
  'spaces that are none': ['\u00a0a\u3000b', '\\u{a0}a\\u{3000}b'],
  'tag characters': ['a\u{e0041}', 'a\\u{e0041}'],
  'other scripts as they are': ['naïve Ω 表', 'naïve Ω 表'],
}
for (const [name, [text, shown]] of Object.entries(CASES)) {
  t.test(`a command shows ${name}`, (t) => {
    t.equal(plain(text), shown)
    t.end()
  })
}

t.test('what stands for something is told from what is written', (t) => {
  t.same(visible('\\u{202e}\u202e', null), [
    { text: '\\u{202e}', escaped: false },
    { text: '\\u{202e}', escaped: true },
  ])
  t.end()
})

t.test('a long text ends with an ellipsis within its width, never within an escape', (t) => {
  t.equal(plain('abcdef', 6), 'abcdef')
  t.equal(plain('abcdefg', 6), 'abcde…')
  t.equal(plain('表表表表', 6), '表表…')
  t.equal(plain('ab\u202ecd', 8), 'ab…')
  t.end()
})
