import t from 'tap'
import fc from 'fast-check'
import { analyseCommandLine } from '../../src/shell/analyse.ts'
import { Oracle, SHELLS } from './oracle.ts'
import { isOpaque, isPredicted } from './predictions.ts'
import { line, literalLine, noisyLine } from './scripts.ts'

/** Raised by hand for long runs: `SHELL_RUNS=5000`. */
const RUNS = Number(process.env['SHELL_RUNS'] ?? '15')

/** Many processes, on a machine that may be busy. */
t.setTimeout(120_000)
const oracle = new Oracle()
t.teardown(() => oracle.close())

function sorted(calls: readonly (readonly (string | null)[])[]): string[] {
  return calls.map((call) => JSON.stringify(call)).toSorted()
}

/** Builtins of the shell are executed by it, not by a program of their own. */
const BUILTIN = new Set<string | null>(['command', 'eval'])

t.test('the oracle sees what a shell executes', (t) => {
  for (const shell of SHELLS)
    t.strictSame(sorted(oracle.executed(shell, `c1 "a b" | env c2`)), sorted([['c1', 'a b'], ['env', 'c2'], ['c2']]))
  t.end()
})

for (const shell of SHELLS) {
  const bash = shell.endsWith('bash')

  t.test(
    `${shell} executes exactly what the facts of a literal line say, as it is written and as Sidegate writes it`,
    (t) => {
      fc.assert(
        fc.property(literalLine(bash), (text) => {
          const analysis = analyseCommandLine(text)
          if (analysis.kind === 'refused') throw new Error(`refused: ${analysis.refusal.message}`)
          const { facts, canonical } = analysis
          if (!facts.literal || canonical === null) throw new Error(`not literal: ${facts.reasons.join()}`)
          const predicted = sorted(facts.commands.filter(({ name }) => !BUILTIN.has(name)).map(({ argv }) => argv))
          const executed = sorted(oracle.executed(shell, canonical))
          if (JSON.stringify(executed) !== JSON.stringify(predicted))
            throw new Error(`${executed.join()} of ${canonical}`)
          if (JSON.stringify(sorted(oracle.executed(shell, text))) !== JSON.stringify(predicted))
            throw new Error('as written')
        }),
        { numRuns: RUNS },
      )
      t.pass()
      t.end()
    },
  )

  t.test(`${shell} executes nothing that the facts of a line do not say or call opaque`, (t) => {
    within(shell, line)
    t.pass()
    t.end()
  })

  t.test(`${shell} executes nothing beyond the facts of a line that is barely one`, (t) => {
    within(shell, noisyLine)
    t.pass()
    t.end()
  })
}

/** There is something to be wrong about. */
function isInSight(text: string): boolean {
  const analysis = analyseCommandLine(text)
  return analysis.kind === 'commands' && !isOpaque(analysis.facts)
}

function within(shell: string, lines: fc.Arbitrary<string>): void {
  fc.assert(
    fc.property(lines.filter(isInSight), (text) => {
      const analysis = analyseCommandLine(text)
      if (analysis.kind === 'refused') return
      const { facts, canonical } = analysis
      const sent = canonical ?? text
      for (const call of oracle.executed(shell, sent)) {
        if (!isPredicted(call, facts))
          throw new Error(`${JSON.stringify(call)} was executed by ${JSON.stringify(sent)}`)
      }
    }),
    { numRuns: RUNS * 2 },
  )
}
