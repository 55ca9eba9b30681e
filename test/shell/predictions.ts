/** Whether what was executed is within what the facts said. */
import type { ShellFacts, Words } from '../../src/shell/facts.ts'

/** The line says that something is not in sight. */
export function isOpaque(facts: ShellFacts): boolean {
  return facts.commands.some((command) => command.hides !== null)
}

export function isPredicted(call: readonly string[], facts: ShellFacts): boolean {
  return facts.commands.some((command) => matches(call, command.argv))
}

/** A word that is not known is any number of words. */
function matches(call: readonly string[], argv: Words): boolean {
  const [expected, ...others] = argv
  if (expected === undefined) return call.length === 0
  if (expected !== null) return call[0] === expected && matches(call.slice(1), others)
  for (let taken = 0; taken <= call.length; taken += 1) if (matches(call.slice(taken), others)) return true
  return false
}
