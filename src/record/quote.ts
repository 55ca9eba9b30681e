/** JSON strings of the words that come again and again (keys, phases, type names, tags), so that each is escaped once. */

/** Longer ones are seldom met twice. */
const WORD_LENGTH = 48
/** Words come from protocols' vocabularies; an agent that invents its own (command tags cannot be, type names can) empties it. */
const WORDS = 4_096

const words = new Map<string, string>()

export function quote(word: string): string {
  const known = words.get(word)
  if (known !== undefined) return known
  const quoted = ascii(JSON.stringify(word))
  if (word.length > WORD_LENGTH) return quoted
  if (words.size >= WORDS) words.clear()
  words.set(word, quoted)
  return quoted
}

/** JSON in ASCII alone, which is written at half the cost of UTF-8. Anything else can only stand inside a JSON string. */
export function ascii(json: string): string {
  return json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
