/** What no command line may hold, whatever it means. */
import { Refused } from './collection.ts'

/** SSH's strings are decoded lossily: what was no UTF-8 shows as this. */
const REPLACEMENT = '\uFFFD'

export function checkText(line: string): void {
  if (line.includes('\0')) throw unparsable('it has a NUL in it')
  if (line.includes(REPLACEMENT) || !line.isWellFormed()) throw unparsable('it is not UTF-8')
  // Shells disagree about a backslash that has nothing behind it.
  if (/(?<!\\)(\\\\)*\\$/.test(line)) throw unparsable('it ends with a backslash')
}

export function unparsable(problem: string): Refused {
  return new Refused('command.unparsable', `the command line cannot be parsed: ${problem}`, 'mend its syntax')
}
