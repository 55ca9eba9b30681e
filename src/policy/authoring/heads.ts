/**
 * What a restrictive rule yields must be there whenever its conditions hold: of `deny contains {…, "message": …}`, a message that
 * cannot be made takes the denial with it.
 */
import { callsOf, OF_ELEMENTS } from './builtins.ts'
import { refOf, ruleName, type Term, visitTerms } from './ast.ts'
import type { Finding } from './findings.ts'
import { Origins } from './origins.ts'
import { type Definition, finding, isKind, type Program } from './program.ts'
import { readSchemas, type Schema, type Schemas } from './references.ts'

/** These take whatever there is. */
const TAKES_ANYTHING: ReadonlySet<string> = new Set(
  'sprintf json.marshal type_name is_array is_boolean is_null is_number is_object is_set is_string'.split(' '),
)

/** How many of the operands have to be of a type; of others all. */
const CERTAIN: ReadonlyMap<string, number> = new Map([['object.get', 1]])

interface Known {
  readonly program: Program
  readonly schemas: Schemas
  readonly origins: Origins
}

export function checkHeads(program: Program): Finding[] {
  const known: Known = { program, schemas: readSchemas(), origins: new Origins(program) }
  return program.all().flatMap((definition) => {
    const kind = ruleName(definition.rule)
    if (!isKind(kind) || kind === 'allow') return []
    const { key } = definition.rule.head
    return [...absent(known, definition, key, kind), ...failing(known, definition, key, kind)]
  })
}

/** References to parts of the input that are not in every input. */
function absent({ program, schemas }: Known, definition: Definition, key: unknown, kind: string): Finding[] {
  const found: Finding[] = []
  visitTerms(key, (term) => {
    const parts = refOf(term)
    if (parts === undefined || program.resolve(definition.module, term)[0] !== 'input') return
    if (alwaysThere(parts.slice(1), schemas) !== null) return
    const message = `what this ${kind} yields is not in every input, and where it is not nothing is yielded`
    const remedy = 'take it by values.field(object, path, fallback), or make it a condition of its own'
    found.push(
      finding(definition, term.location === undefined ? definition.rule : term, 'policy.head', message, remedy),
    )
  })
  return found
}

/** Builtins that fail where an operand is of another type than they take. */
function failing({ program, schemas, origins }: Known, definition: Definition, key: unknown, kind: string): Finding[] {
  return callsOf(program, definition, key).flatMap(({ name, operator, operands }) => {
    // Said already, wherever it stands.
    if (TAKES_ANYTHING.has(name) || OF_ELEMENTS.has(name)) return []
    const isCertain = (operand: Term) =>
      !origins.isAgents(definition, operand) || isTyped(program, definition, operand, schemas)
    if (operands.slice(0, CERTAIN.get(name)).every(isCertain)) return []
    const message = `${name} fails where an operand is not of its type (null), and this ${kind} would yield nothing`
    const remedy =
      'use sprintf, or a helper of data.sidegate.values: values.text(value, fallback), values.field(object, path, fallback)'
    return [
      finding(definition, operator.location === undefined ? definition.rule : operator, 'policy.head', message, remedy),
    ]
  })
}

/** A part of every input that has one type, and is never null. */
function isTyped(program: Program, { module }: Definition, term: Term, schemas: Schemas): boolean {
  const parts = refOf(term)
  if (parts === undefined || program.resolve(module, term)[0] !== 'input') return false
  return alwaysThere(parts.slice(1), schemas)?.every(({ type }) => typeof type === 'string' && type !== 'null') === true
}

/** What the schemas say of a part of the input that is in every one; null where it may not be there. */
function alwaysThere(parts: readonly Term[], { input, details }: Schemas): readonly Schema[] | null {
  let schemas: readonly Schema[] = [input]
  const read: string[] = []
  for (const part of parts) {
    if (part.type !== 'string') return null
    const name = String(part.value)
    // Of the facts, those of the protocol that has this one.
    const having = schemas.filter(({ properties }) => properties !== undefined && Object.hasOwn(properties, name))
    const certain = having.every(({ type, required }) => type === 'object' && required?.includes(name) === true)
    if (having.length === 0 || !certain) return null
    read.push(name)
    schemas =
      read.join('.') === 'command.detail' ? details : having.flatMap(({ properties }) => properties?.[name] ?? [])
  }
  return schemas
}
