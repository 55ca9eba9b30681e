/** Options before operands, as getopt reads them; what is not known to be an option is not guessed at. */
import type { Word, Words } from '../facts.ts'

export interface OptionRules {
  /** Letters without a value. */
  readonly flags?: string
  /** Letters with a value, attached or in the next word. */
  readonly values?: string
  /** Letters whose value, if any, is attached. */
  readonly optional?: string
  /** Long options without a value, or with one after `=`. */
  readonly long?: readonly string[]
  /** Long options with a value, after `=` or in the next word. */
  readonly longValues?: readonly string[]
  /** `-10` is an option. */
  readonly digits?: boolean
}

export interface Options {
  /** Letters and long names, with the value or ''. */
  readonly given: ReadonlyMap<string, string>
  /** Where the operands begin. */
  readonly next: number
}

/** @returns null where a word is not known, or not known to be an option */
export function readOptions(words: Words, rules: OptionRules, from = 1): Options | null {
  const given = new Map<string, string>()
  let next = from
  while (next < words.length) {
    const word = words[next]
    if (word === null || word === undefined) return null
    if (word === '--') return { given, next: next + 1 }
    if (!word.startsWith('-') || word === '-') break
    const taken = word.startsWith('--')
      ? readLong(word.slice(2), words[next + 1], rules, given)
      : readLetters(word.slice(1), words[next + 1], rules, given)
    if (taken === null) return null
    next += taken
  }
  return { given, next }
}

/** @returns how many words it takes */
function readLong(
  word: string,
  following: Word | undefined,
  rules: OptionRules,
  given: Map<string, string>,
): number | null {
  const [name = ''] = word.split('=', 1)
  const attached = word.length > name.length ? word.slice(name.length + 1) : null
  if (rules.long?.includes(name) === true) {
    given.set(name, attached ?? '')
    return 1
  }
  if (rules.longValues?.includes(name) !== true) return null
  const value = attached ?? following
  if (value === null || value === undefined) return null
  given.set(name, value)
  return attached === null ? 2 : 1
}

function readLetters(
  letters: string,
  following: Word | undefined,
  rules: OptionRules,
  given: Map<string, string>,
): number | null {
  if (rules.digits === true && /^[+-]?\d+$/.test(letters)) return 1
  for (const [index, letter] of [...letters].entries()) {
    const rest = letters.slice(index + 1)
    if (rules.flags?.includes(letter) === true) {
      given.set(letter, '')
      continue
    }
    if (rules.optional?.includes(letter) === true) {
      given.set(letter, rest)
      return 1
    }
    if (rules.values?.includes(letter) !== true) return null
    const value = rest === '' ? following : rest
    if (value === null || value === undefined) return null
    given.set(letter, value)
    return rest === '' ? 2 : 1
  }
  return 1
}
