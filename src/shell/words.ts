/** What one word of the grammar stands for, and what the shell would run to find that out. */
import { forEachChild } from 'unbash'
import type { ParameterExpansionPart, ParsedScript, SyntaxNode, Word as SyntaxWord } from 'unbash'
import type { Reason, Word } from './facts.ts'

/** What was found in one or more words. */
export interface Findings {
  readonly reasons: Set<Reason>
  /** Substitutions, in order. */
  readonly scripts: { readonly script: ParsedScript; readonly via: string }[]
  /** Shells differ in how they read it. */
  unportable: boolean
  /** Expanding it could run what is not in sight: arithmetic evaluates subscripts in the values of variables. */
  opaque: boolean
}

export function noFindings(): Findings {
  return { reasons: new Set(), scripts: [], unportable: false, opaque: false }
}

/** Bash expands a tilde after `=` and `:` too where a word looks like an assignment. */
const TILDE_AT_START = /^~|[=:]~/
const TILDE_WITHIN = /[=:]~/
/** Outside of quotes: control characters, and what a locale may count among the blanks. */
const DOUBTFUL = /[^\t\n\x20-\x7e]/
const OPERATOR = /[()<>;&|]/
/** No name in it: nothing of it is evaluated but the numbers. */
const NUMBERS_ONLY = /^\$\(\([\d\s+\-*/%()<>=!&|^~?:]*\)\)$/

/** The word where it is literal, else null; what is remarkable about it is added to `found`. */
export function readWord(word: SyntaxWord, found: Findings): Word {
  const own = new Set<Reason>()
  const inner: Findings = { ...found, reasons: own }
  const { parts } = word
  if (parts === undefined) readUnquoted(word.text, true, inner)
  else parts.forEach((part, index) => readPart(part, index === 0, inner))
  for (const reason of own) found.reasons.add(reason)
  found.unportable ||= inner.unportable
  found.opaque ||= inner.opaque
  return own.size > 0 ? null : word.value
}

/** Anything but a word where the grammar nests words: operands of expansions, arithmetic, here-documents. */
export function readNested(node: SyntaxNode, found: Findings): void {
  if (node.type === 'Word') readWord(node, found)
  else readPart(node, false, found)
}

function readUnquoted(text: string, first: boolean, found: Findings): void {
  if ((first ? TILDE_AT_START : TILDE_WITHIN).test(text)) found.reasons.add('tilde')
  if (DOUBTFUL.test(text)) found.unportable = true
  // The parser takes some of these for letters where no shell does.
  if (OPERATOR.test(text.replaceAll(/\\./gs, ''))) {
    found.reasons.add('unsupported')
    found.opaque = true
  }
}

function readPart(part: SyntaxNode, first: boolean, found: Findings): void {
  switch (part.type) {
    case 'Literal':
      readUnquoted(part.text, first, found)
      return
    case 'SingleQuoted':
      return
    case 'AnsiCQuoted':
      found.unportable = true
      // Bytes that are no UTF-8: the word is another than this text.
      if (part.value.includes('\uFFFD') || !part.value.isWellFormed()) found.reasons.add('unsupported')
      return
    case 'DoubleQuoted':
      for (const child of part.parts) if (child.type !== 'Literal') readPart(child, false, found)
      return
    case 'LocaleString':
      expansion('locale-quoting', part, found)
      found.unportable = true
      return
    case 'SimpleExpansion':
      found.reasons.add('parameter')
      return
    case 'ParameterExpansion':
      readParameter(part, found)
      return
    case 'Glob':
      expansion('glob', part, found)
      return
    case 'ExtendedGlob':
      found.unportable = true
      found.opaque = true
      expansion('glob', part, found)
      return
    case 'BraceExpansion':
      if (part.parts === undefined && /[$`]/.test(part.text)) found.opaque = true
      expansion('brace', part, found)
      return
    default:
      readSubstitution(part, found)
  }
}

function readSubstitution(part: SyntaxNode, found: Findings): void {
  switch (part.type) {
    case 'CommandExpansion':
    case 'ArithmeticCommandExpansion':
      found.reasons.add('command-substitution')
      // `${ …; }` is bash's of late; what backquotes unescape differs within double quotes.
      if (part.text.startsWith('${') || /^`.*[\\"]/s.test(part.text)) found.unportable = true
      substitution(part.script, '$()', found)
      return
    case 'ProcessSubstitution':
      found.reasons.add('process-substitution')
      found.unportable = true
      substitution(part.script, part.operator === '<' ? '<()' : '>()', found)
      return
    case 'ArithmeticExpansion':
      if (!NUMBERS_ONLY.test(part.text)) found.opaque = true
      expansion('arithmetic', part, found)
      return
    case 'ArithmeticWord':
    case 'ArithmeticBinary':
    case 'ArithmeticUnary':
    case 'ArithmeticTernary':
    case 'ArithmeticGroup':
      expansion('arithmetic', part, found)
      return
    default:
      found.reasons.add('unsupported')
      found.opaque = true
      forEachChild(part, (child) => readNested(child, found))
  }
}

function substitution(script: ParsedScript | undefined, via: string, found: Findings): void {
  if (script === undefined) found.opaque = true
  else found.scripts.push({ script, via })
}

function expansion(reason: Reason, part: SyntaxNode, found: Findings): void {
  found.reasons.add(reason)
  forEachChild(part, (child) => readNested(child, found))
}

function readParameter(part: ParameterExpansionPart, found: Findings): void {
  found.reasons.add('parameter')
  const { operation } = part
  const plain = operation === undefined || operation.type === 'Default' || operation.type === 'Remove'
  if (!plain || part.index !== undefined || part.prefix === '!') {
    found.unportable = true
    // Indirection, subscripts, offsets and @P evaluate what variables hold.
    if (operation?.type !== 'Replace' && operation?.type !== 'CaseModification') found.opaque = true
    if (part.index !== undefined || part.prefix === '!') found.opaque = true
  }
  if (part.index !== undefined) readWord(part.index, found)
  if (operation !== undefined) forEachChild(operation, (child) => readNested(child, found))
}
