/** What a program that is started with its words, and without a shell, could run besides itself. */
import { analyseCommandLine } from './analyse.ts'
import { SHELL_LIMITS } from './limits.ts'

/**
 * Whether an argv could run commands that are not in it: a shell or interpreter that reads its input or code that is not
 * literal, a program that can be made to run others, or anything that cannot be analysed. `sh -c 'ls -l'` is in sight. `terminal`: it
 * runs on one, where what is long is shown by a pager that takes commands.
 */
export function runsOthers(argv: readonly string[], { terminal }: { readonly terminal: boolean }): boolean {
  if (argv.length === 0 || argv[0] === '') return true
  // A line of these very words, in which the grammar finds them again, and what they would run.
  const line = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  const analysis = analyseCommandLine(line, SHELL_LIMITS, { terminal })
  if (analysis.kind === 'refused') return true
  const { commands, literal } = analysis.facts
  return !literal || commands.some(({ hides }) => hides !== null)
}
