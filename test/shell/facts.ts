/** Short forms of what tests say about facts. */
import { analyseCommandLine } from '../../src/shell/analyse.ts'
import type { ShellFacts } from '../../src/shell/facts.ts'

export function factsOf(line: string): ShellFacts {
  const analysis = analyseCommandLine(line)
  if (analysis.kind === 'refused') throw new Error(`${JSON.stringify(line)} is refused: ${analysis.refusal.message}`)
  return analysis.facts
}

export function canonicalOf(line: string): string | null {
  const analysis = analyseCommandLine(line)
  return analysis.kind === 'refused' ? null : analysis.canonical
}

export function refusalOf(line: string): string | null {
  const analysis = analyseCommandLine(line)
  return analysis.kind === 'refused' ? analysis.refusal.code : null
}

/** Each command as its words, with `…` for those that are not known, and what it hides behind `!`. */
export function shown(line: string): string[] {
  return factsOf(line).commands.map(({ argv, hides, nested, user }) => {
    const words = argv.map((word) => word ?? '…').join(' ')
    return `${'> '.repeat(nested)}${user === null ? '' : `${user}: `}${words}${hides === null ? '' : ` !${hides}`}`
  })
}
