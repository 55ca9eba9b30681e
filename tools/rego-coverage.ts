/**
 * Fails when the rules are covered by their tests to less than so many percent. `opa test --threshold` counts the lines
 * of the tests themselves too, which always ran.
 *
 *   opa test --coverage --format=json … | node tools/rego-coverage.ts 95
 */
import { text } from 'node:stream/consumers'

interface Range {
  readonly start: { readonly row: number }
  readonly end: { readonly row: number }
}

interface Report {
  readonly files: Readonly<
    Record<
      string,
      { readonly covered_lines?: number; readonly not_covered_lines?: number; readonly not_covered?: readonly Range[] }
    >
  >
}

const threshold = Number(process.argv[2])
const report = JSON.parse(await text(process.stdin)) as Report
const rules = Object.entries(report.files).filter(([file]) => !file.endsWith('_test.rego'))

let covered = 0
let missed = 0
for (const [file, lines] of rules) {
  covered += lines.covered_lines ?? 0
  missed += lines.not_covered_lines ?? 0
  const rows = new Set((lines.not_covered ?? []).flatMap(({ start, end }) => [start.row, end.row]))
  if (rows.size > 0) console.log(`${file}: not covered near ${[...rows].join(', ')}`)
}
const percent = (100 * covered) / (covered + missed)
console.log(`${percent.toFixed(1)} % of ${covered + missed} lines of Rego are covered`)
// Nothing covered and nothing missed is no proof either.
if (!(percent >= threshold)) process.exitCode = 1
