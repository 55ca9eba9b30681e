/** A YAML file as plain values, with the place of every key kept. */
import { isMap, isScalar, LineCounter, parseDocument, type Node } from 'yaml'
import { type KeyPath, type Located, type Problem, problem } from './problem.ts'

/** No configuration is larger; what is, is not one. */
export const MAX_CONFIGURATION = 1024 ** 2

export interface Document {
  readonly value: unknown
  readonly problems: readonly Located[]
  /** Says where in the file a problem lies: at its key, or at the nearest one above that is there. */
  locate(found: Problem): Located
}

export function readDocument(file: string, text: string): Document {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false, stringKeys: true })
  const at = (offset: number | undefined, found: Problem): Located => {
    const { line, col } = offset === undefined ? { line: null, col: null } : lines.linePos(offset)
    return { ...found, file, line, column: col }
  }
  const found = [...document.errors, ...document.warnings].sort((one, other) => one.pos[0] - other.pos[0])
  // Where the parser has lost its place, what follows is no fault of its own.
  const first = found.find(({ code }) => code !== 'DUPLICATE_KEY')
  const told = found.filter((fault) => fault === first || fault.code === 'DUPLICATE_KEY')
  const faults = told.map((fault) => {
    const duplicate = fault.code === 'DUPLICATE_KEY'
    const [code, remedy] = duplicate
      ? (['config.duplicate-key', 'keep one of them'] as const)
      : (['config.syntax', 'write plain YAML 1.2'] as const)
    return at(fault.pos[0], problem(code, [], duplicate ? 'the same key is there twice' : fault.message, remedy))
  })
  return {
    value: faults.length > 0 ? null : toValue(document, faults, at),
    problems: faults,
    locate: (found) => at(offsetOf(document.contents, found.path), found),
  }
}

function toValue(
  document: { toJS(): unknown },
  faults: Located[],
  at: (offset: number | undefined, found: Problem) => Located,
): unknown {
  try {
    return document.toJS()
  } catch (error) {
    // Aliases that multiply (`yaml` stops at a hundred) or lead nowhere.
    const message = error instanceof Error ? error.message : 'aliases cannot be followed'
    faults.push(at(undefined, problem('config.syntax', [], message, 'write it out without aliases')))
    return null
  }
}

/** Where the key that a path ends with begins; of what is missing, the nearest parent's. */
function offsetOf(root: Node | null, path: KeyPath): number | undefined {
  let offset = root?.range?.[0]
  let node: unknown = root
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part))
      if (pair === undefined) return offset
      offset = isScalar(pair.key) ? pair.key.range?.[0] : offset
      node = pair.value
    } else {
      const items = (node as { items?: readonly Node[] } | null)?.items
      const item = typeof part === 'number' ? items?.[part] : undefined
      if (item === undefined) return offset
      offset = item.range?.[0] ?? offset
      node = item
    }
  }
  return offset
}
