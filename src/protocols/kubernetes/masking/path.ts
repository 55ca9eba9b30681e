/**
 * Paths of masks: names from the root of each object, separated by dots, with `*` for every member or element and brackets for
 * names that have dots (`metadata.annotations["a.b/c"]`). A leading `$` may stand for the object, as JSONPath has it.
 *
 * A name that meets an array goes on into each of its elements: whoever forgets a `*` hides more, and never less.
 */
export type Segment = { readonly name: string } | '*'

export type MaskPath = readonly Segment[]

/** Objects of Kubernetes are a dozen levels deep; schemas of custom resources a few dozen. */
const SEGMENTS = 64
const NAME = /[^.[\]"'*\s$]+/y
const QUOTED = /"(?:[^"\\]|\\.)*"/y

/** Null where it cannot be read. The object itself (`$`) is a path without segments. */
export function parsePath(text: string): MaskPath | null {
  const segments: Segment[] = []
  let at = text.startsWith('$') ? 1 : 0
  if (at === 0 && text === '') return null
  while (at < text.length) {
    const read = text[at] === '[' ? bracket(text, at) : name(text, at === 0 ? 0 : at + 1, at === 0 || text[at] === '.')
    if (read === null || segments.length >= SEGMENTS) return null
    segments.push(read.segment)
    at = read.end
  }
  return segments
}

interface Read {
  readonly segment: Segment
  readonly end: number
}

function name(text: string, at: number, separated: boolean): Read | null {
  if (!separated) return null
  if (text[at] === '*') return { segment: '*', end: at + 1 }
  NAME.lastIndex = at
  const match = NAME.exec(text)
  return match === null ? null : { segment: { name: match[0] }, end: NAME.lastIndex }
}

function bracket(text: string, at: number): Read | null {
  if (text.startsWith('[*]', at)) return { segment: '*', end: at + 3 }
  QUOTED.lastIndex = at + 1
  const match = QUOTED.exec(text)
  if (match === null || text[QUOTED.lastIndex] !== ']') return null
  try {
    return { segment: { name: JSON.parse(match[0]) as string }, end: QUOTED.lastIndex + 1 }
  } catch {
    return null
  }
}

/**
 * Whether a name in a JSON Pointer may be an element of an array: as RFC 6901 writes them, and as the API server reads them
 * besides, with a sign (`-1` is the last) and with leading zeros (evanphx/json-patch, strconv.Atoi).
 */
export function isIndex(name: string): boolean {
  return /^([+-]?\d+|-)$/.test(name)
}

/** Whether one of the two leads to the other: they name the same value, or one a part of the other's. */
export function overlaps(path: MaskPath, names: readonly string[]): boolean {
  return meets(path, 0, names, 0)
}

function meets(path: MaskPath, segment: number, names: readonly string[], at: number): boolean {
  const wanted = path[segment]
  const found = names[at]
  if (wanted === undefined || found === undefined) return true
  if ((wanted === '*' || wanted.name === found) && meets(path, segment + 1, names, at + 1)) return true
  // The path leaves it out.
  return wanted !== '*' && isIndex(found) && meets(path, segment, names, at + 1)
}
