import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { pageWidth, sideBySide, table, wrap } from '../../../src/commands/demo/panels.ts'
import { PLAIN } from '../../../src/commands/terminal.ts'

const COLOURED = { ...PLAIN, dim: (text: string) => `\u001B[2m${text}\u001B[22m` }

t.test('boxes stand side by side and end at one edge, whatever is in them', async (t) => {
  const lines = fc.array(fc.string({ maxLength: 300 }), { maxLength: 8 })
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(lines, lines, fc.integer({ min: 40, max: 132 }), (left, right, width) => {
        const printed = sideBySide({ title: 'one', lines: left }, { title: 'two', lines: right }, width, COLOURED)
        const widths = printed.map((line) => stripVTControlCharacters(line).length)
        const stacked = width < 96
        return widths.every((one) => one <= width) && (stacked || new Set(widths).size === 1)
      }),
    ),
  )
})

t.test('wrapping loses no word and no line is too long', async (t) => {
  const words = fc.array(fc.stringMatching(/^[a-z]{1,30}$/), { minLength: 1, maxLength: 30 })
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(words, fc.integer({ min: 30, max: 90 }), (text, width) => {
        const lines = wrap(text.join(' '), width)
        return lines.every((line) => line.length <= width) && lines.join(' ').split(/ +/).join(' ') === text.join(' ')
      }),
    ),
  )
})

t.test('a table aligns its columns and says how many rows it leaves out', async (t) => {
  const rows = [
    ['1', 'Ada'],
    ['22', 'Bao'],
    ['3', 'Chidi'],
  ]
  t.same(table(['id', 'name'], rows, 2, PLAIN), ['id  name', '1   Ada', '22  Bao', '… 1 more'])
})

t.test('a page is neither too narrow nor too wide to read', async (t) => {
  t.same([10, 80, 500, undefined].map(pageWidth), [40, 80, 132, 112])
})
