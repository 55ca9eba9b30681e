/** Names as policies write them: dotted, and each part a plain lower-case word or quoted as in SQL. */

const PART = /^(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")$/

const WANTED = {
  2: '`schema.relation`, lower case or quoted as in SQL, such as public.orders or public."Orders"',
  3: '`schema.relation.column`, lower case or quoted as in SQL, such as public.customers.ssn',
} as const

/** Null, or what is wanted instead. */
export const wrongRelation = (name: string): string | null => wrong(name, 2)
export const wrongColumn = (name: string): string | null => wrong(name, 3)

function wrong(name: string, parts: 2 | 3): string | null {
  const found = split(name)
  return found.length === parts && found.every((part) => PART.test(part)) ? null : WANTED[parts]
}

/** At the dots that are not within quotes. */
function split(name: string): readonly string[] {
  return name.match(/(?:"(?:[^"]|"")*"|[^."]+|(?<=^|\.)(?=\.|$)|")+/g) ?? []
}
