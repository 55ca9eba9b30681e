/** Names of columns in masks: `schema.table.column`, each part as SQL writes an identifier. */

export interface ColumnName {
  readonly schema: string
  readonly table: string
  readonly column: string
}

const PART = /"((?:[^"\0]|"")+)"|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)/y
const PARTS = 3

/** Reads a name; null where it is none. Letters outside quotes fold to lower case, ASCII only, as the server does. */
export function parseColumnName(name: string): ColumnName | null {
  const parts: string[] = []
  let at = 0
  while (parts.length < PARTS) {
    PART.lastIndex = at
    const match = PART.exec(name)
    if (match === null) return null
    const [whole, quoted, bare] = match
    parts.push(quoted === undefined ? lower(bare ?? '') : quoted.replaceAll('""', '"'))
    at += whole.length
    if (parts.length < PARTS && name[at++] !== '.') return null
  }
  const [schema, table, column] = parts
  if (at !== name.length || schema === undefined || table === undefined || column === undefined) return null
  return { schema, table, column }
}

function lower(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}

const PLAIN = /^[a-z_][a-z0-9_$]*$/

/** A name as SQL writes it: quoted only where it must be. */
export function quoted(...parts: readonly string[]): string {
  return parts.map((part) => (PLAIN.test(part) ? part : `"${part.replaceAll('"', '""')}"`)).join('.')
}
