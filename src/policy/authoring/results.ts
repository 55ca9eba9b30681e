/** What rules yield, as far as it is written out: the combiner would deny everything for a mistake in it. */
import { type Expression, isTerm, refOf, ruleName, type Term, visitExpressions } from './ast.ts'
import { MASK_METHODS, RECORD_LEVELS } from '../../gate/decision.ts'
import type { Finding } from './findings.ts'
import { wrongColumn, wrongFieldPath } from './names.ts'
import { type Definition, finding, isKind, type Kind, type Program } from './program.ts'

type Judge = (term: Term) => string | null

const text: Judge = (term) => (term.type !== 'string' || term.value === '' ? 'text that is not empty' : null)
const anyText: Judge = (term) => (term.type === 'string' ? null : 'text')
const natural: Judge = (term) => (isWhole(term, 0) ? null : 'a whole number, 0 or more')
const positive: Judge = (term) => (isWhole(term, 1) ? null : 'a whole number, 1 or more')
const duration: Judge = (term) =>
  term.type === 'string' && /^[1-9]\d{0,5}[smhd]$/.test(String(term.value)) ? null : 'a time such as 30s, 10m, 2h or 7d'
const oneOf =
  (words: readonly string[]): Judge =>
  (term) =>
    term.type === 'string' && words.includes(String(term.value)) ? null : `one of ${words.join(', ')}`
const texts: Judge = (term) =>
  (term.type === 'array' || term.type === 'set') &&
  (term.value as readonly Term[]).every((each) => isOpen(each) || text(each) === null)
    ? null
    : 'a list of texts'
const column: Judge = (term) => text(term) ?? wrongColumn(String(term.value))
const path: Judge = (term) => text(term) ?? wrongFieldPath(String(term.value))

const reason = { code: text, message: anyText, remedy: anyText }

/** The same keys as in rego/sidegate/contract.rego; a test compares them. */
export const RESULTS = {
  allow: { ...reason, protocol: text },
  deny: reason,
  approve: { ...reason, groups: texts, count: positive, wait: duration, validFor: duration },
  mask: { column, detector: text, path, with: oneOf(MASK_METHODS) },
  limit: { rows: natural, bytes: natural, seconds: natural },
  record: { level: oneOf(RECORD_LEVELS) },
} as const satisfies Record<Kind, Record<string, Judge>>

/** Exactly how many of these keys a result must have. */
const REQUIRED: Record<Kind, (keys: ReadonlySet<string>) => string | null> = {
  allow: (keys) => (keys.has('code') ? null : 'a `code`'),
  deny: (keys) => (keys.has('code') ? null : 'a `code`'),
  approve: (keys) => (keys.has('code') ? null : 'a `code`'),
  mask: (keys) =>
    keys.has('with') && keys.size === 2 ? null : '`with` and exactly one of `column`, `detector`, `path`',
  limit: (keys) => (keys.size > 0 ? null : 'at least one of `rows`, `bytes`, `seconds`'),
  record: (keys) => (keys.has('level') ? null : 'a `level`'),
}

export function checkResults(program: Program): Finding[] {
  return program.all().flatMap((definition) => {
    const kind = ruleName(definition.rule)
    return isKind(kind) ? resultsOf(definition).flatMap((term) => checkResult(program, definition, kind, term)) : []
  })
}

/** The result as the head has it, or what the body assigns to the variable that the head has. */
function resultsOf({ rule }: Definition): readonly Term[] {
  const { key } = rule.head
  if (key === undefined) return []
  return key.type === 'var' ? assigned(rule.body, key) : [key]
}

function checkResult(program: Program, definition: Definition, kind: Kind, term: Term): Finding[] {
  const wrong = (node: Term, message: string, remedy: string) =>
    finding(definition, node.location === undefined ? definition.rule : node, 'policy.result', message, remedy)
  if (isOpen(term)) return []
  if (term.type !== 'object')
    return [wrong(term, `${kind} yields something that is no object`, `write \`${kind} contains { … }\``)]
  const judges: Readonly<Record<string, Judge>> = RESULTS[kind]
  const entries = term.value as readonly (readonly [Term, Term])[]
  const found = entries.flatMap(([key, value]) => {
    if (key.type !== 'string')
      return [wrong(key, `${kind} yields a key that is not written out`, 'write its keys as text')]
    const name = String(key.value)
    const judge = Object.hasOwn(judges, name) ? judges[name] : undefined
    if (judge === undefined) {
      return [wrong(key, `${kind} knows no key \`${name}\``, `its keys are ${Object.keys(judges).join(', ')}`)]
    }
    return valuesOf(program, definition, value).flatMap((each) => {
      const wanted = judge(each)
      return wanted === null ? [] : [wrong(each, `\`${name}\` of ${kind} is not of its form`, `give ${wanted}`)]
    })
  })
  const missing = found.length > 0 ? null : REQUIRED[kind](new Set(entries.map(([key]) => String(key.value))))
  return missing === null ? found : [wrong(term, `${kind} lacks ${missing}`, `give it ${missing}`)]
}

/** A value as it is written, or every value that a variable takes from a literal collection. */
function valuesOf(program: Program, definition: Definition, term: Term): readonly Term[] {
  if (!isOpen(term)) return [term]
  if (term.type !== 'var') return []
  return [...assigned(definition.rule.body, term), ...members(program, definition, term)].filter(
    (each) => !isOpen(each),
  )
}

/** Known only when the policy runs. */
const isOpen = (term: Term): boolean =>
  term.type === 'var' ||
  term.type === 'ref' ||
  term.type === 'call' ||
  term.type.endsWith('comprehension') ||
  term.type === 'templatestring'

function assigned(body: readonly Expression[], variable: Term): readonly Term[] {
  const found: Term[] = []
  visitExpressions(body, ({ terms }) => {
    if (!Array.isArray(terms)) return
    const [operator, left, right] = terms as readonly Term[]
    const name = refOf(operator)?.[0]?.value
    if (
      (name === 'assign' || name === 'eq') &&
      left?.type === 'var' &&
      left.value === variable.value &&
      right !== undefined
    ) {
      found.push(right)
    }
  })
  return found
}

/** `some variable in collection`, where the collection is a rule of literals. */
function members(program: Program, { module, rule }: Definition, variable: Term): readonly Term[] {
  const found: Term[] = []
  visitExpressions(rule.body, ({ terms }) => {
    if (Array.isArray(terms) || !('symbols' in terms)) return
    const [call] = terms['symbols'] as readonly Term[]
    const operands = call?.type === 'call' ? (call.value as readonly Term[]).slice(1) : []
    const [member, collection] = operands.slice(-2)
    if (member?.type !== 'var' || member.value !== variable.value || collection === undefined) return
    const name = program.resolve(module, collection).slice(1).join('.')
    const sources = isOpen(collection)
      ? (program.definitions.get(name) ?? []).map((each) => each.rule.head.value)
      : [collection]
    found.push(...sources.filter((each) => each !== undefined).flatMap((each) => elements(each)))
  })
  return found
}

const elements = (term: Term): readonly Term[] =>
  term.type === 'array' || term.type === 'set' ? (term.value as readonly unknown[]).filter((each) => isTerm(each)) : []

const isWhole = (term: Term, least: number): boolean =>
  term.type === 'number' && Number.isSafeInteger(Number(term.value)) && Number(term.value) >= least
