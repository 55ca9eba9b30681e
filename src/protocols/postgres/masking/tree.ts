/** Reading libpg-query's parse trees: plain JSON, in which zero, false and empty are left out. */

export type Tree = Readonly<Record<string, unknown>>

/** A value as a tree; an empty one where it is absent or something else. */
export function tree(value: unknown): Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Tree) : EMPTY
}
const EMPTY: Tree = Object.freeze({})

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/** Splits a node `{ Kind: body }`. The kind is empty where the value is no node. */
export function node(value: unknown): { readonly kind: string; readonly body: Tree } {
  for (const kind in tree(value)) return { kind, body: tree((value as Tree)[kind]) }
  return { kind: '', body: EMPTY }
}

/** The text of a `String` node; null for any other. */
export function string(value: unknown): string | null {
  const { kind, body } = node(value)
  return kind === 'String' ? (text(body['sval']) ?? '') : null
}

/** The texts of a list of `String` nodes: the parts of a name. */
export function strings(value: unknown): readonly string[] {
  return list(value).flatMap((part) => string(part) ?? [])
}

/** The value of an integer constant; null for any other node. */
export function integer(value: unknown): number | null {
  const { kind, body } = node(value)
  if (kind !== 'A_Const' || !('ival' in body)) return null
  const number = tree(body['ival'])['ival']
  return typeof number === 'number' ? number : 0
}

/** Kinds of nodes or names of fields, parted by blanks. */
export function words(...lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => line.split(' '))
}
