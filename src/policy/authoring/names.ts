/** Names as policies write them: those of SQL dotted, and each part a plain lower-case word or quoted as in SQL. */

const PART = /^(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")$/

const WANTED = {
  2: '`schema.relation`, lower case or quoted as in SQL, such as public.orders or public."Orders"',
  3: '`schema.relation.column`, lower case or quoted as in SQL, such as public.customers.ssn',
} as const

/** Null, or what is wanted instead. */
export const wrongRelation = (name: string): string | null => wrong(name, 2)
export const wrongColumn = (name: string): string | null => wrong(name, 3)

/** Null, or what is wanted instead: paths that no other path means too, and that `..` cannot leave. */
export const wrongPath = (path: string): string | null =>
  /^(?:\/|(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+\/?)$/.test(path) ? null : 'an absolute path without `.`, `..` and `//`'

/** Null, or what is wanted instead. */
export const wrongDestination = (destination: string): string | null =>
  (destination.startsWith('/') ? wrongPath(destination) : DESTINATION.test(destination) ? null : '') === null
    ? null
    : '`host:port`, `[address]:port` or the absolute path of a socket'

const DESTINATION = /^(?:[^/:[\]\s]+|\[[0-9a-fA-F:.]+\]):[1-9]\d{0,4}$/

function wrong(name: string, parts: 2 | 3): string | null {
  const found = split(name)
  return found.length === parts && found.every((part) => PART.test(part)) ? null : WANTED[parts]
}

/** At the dots that are not within quotes. */
function split(name: string): readonly string[] {
  return name.match(/(?:"(?:[^"]|"")*"|[^."]+|(?<=^|\.)(?=\.|$)|")+/g) ?? []
}
