/** What a source file imports, read from its text: TypeScript 7 has no compiler API for JavaScript. */

export interface Import {
  readonly specifier: string
  /** It is gone when types are stripped. */
  readonly typeOnly: boolean
  readonly line: number
}

const STRING = `'([^'\\n]+)'|"([^"\\n]+)"`
const PATTERNS = [
  // import … from 'x' and export … from 'x'
  new RegExp(`\\b(?:import|export)\\s+(type\\s+(?!from\\b))?(?:[\\w$*{][^'"();]*?)\\bfrom\\s*(?:${STRING})`, 'g'),
  // import 'x'
  new RegExp(`\\bimport()\\s*(?:${STRING})`, 'g'),
  // import('x') and require('x'); an `import('x')` in a type counts as a value's, which errs on the strict side
  new RegExp(`\\b(?:import|require)()\\s*\\(\\s*(?:${STRING})`, 'g'),
  // A worker or a file beside the source
  new RegExp(`\\bnew\\s+URL()\\s*\\(\\s*(?:${STRING})\\s*,\\s*import\\.meta\\.url`, 'g'),
]
const COMPUTED = /\b(?:import|require)\s*\(\s*(?!['"\s])/g

export function importsOf(source: string): Import[] {
  const code = withoutComments(source)
  const found = PATTERNS.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => ({
      specifier: match[2] ?? match[3] ?? '',
      typeOnly: match[1] !== undefined && match[1] !== '' ? true : onlyTypesNamed(match[0]),
      line: lineOf(code, match.index),
    })),
  )
  // What a computed import loads cannot be known here, so it is reported as what nobody may import.
  const computed = [...code.matchAll(COMPUTED)].map((match) => ({
    specifier: '(computed)',
    typeOnly: false,
    line: lineOf(code, match.index),
  }))
  return [...found, ...computed]
}

/** The text with comments blanked and everything else at its place; strings and templates are left as they are. */
export function withoutComments(source: string): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g
  return source.replace(token, (text) => (text.startsWith('/') ? text.replace(/[^\n]/g, ' ') : text))
}

/** `import { type A, type B } from` loads a module under verbatimModuleSyntax, but names nothing of it. */
function onlyTypesNamed(statement: string): boolean {
  const named = /^(?:import|export)\s*\{([^}]*)\}/.exec(statement)?.[1]
  if (named === undefined) return false
  const names = named.split(',').map((name) => name.trim())
  return names.every((name) => name === '' || name.startsWith('type '))
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
