/** What a rule refers to must be there: a misspelt path is undefined, and `not undefined` is true. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { combinerSources } from '../combiner.ts'
import { argumentJudges, checkArguments } from './arguments.ts'
import { refOf, type Term, visitExpressions, visitTerms } from './ast.ts'
import type { Finding } from './findings.ts'
import { type Definition, finding, type Program } from './program.ts'
import { SCHEMAS } from './sources.ts'

export interface Schema {
  readonly type?: string | readonly string[]
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}

export function checkReferences(program: Program, dataRoots: ReadonlySet<string>): Finding[] {
  const schemas = readSchemas()
  const helpers = helperNames()
  const judges = argumentJudges()
  return program.all().flatMap((definition) => {
    const found: Finding[] = []
    visitTerms([definition.rule.head, definition.rule.body, definition.rule.else], (term) => {
      if (refOf(term) === undefined) return
      const path = program.resolve(definition.module, term)
      if (path[0] === 'input') found.push(...checkInput(definition, term, schemas))
      if (path[0] === 'data') found.push(...checkData(program, definition, term, path, helpers, dataRoots))
    })
    visitExpressions([definition.rule.head, definition.rule.body, definition.rule.else], (expression) => {
      if (expression.with !== undefined) {
        const message = '`with` gives a rule another input than the one that is judged'
        found.push(finding(definition, expression, 'policy.with', message, 'use it in tests only'))
      }
    })
    return [...found, ...checkArguments(program, definition, judges)]
  })
}

export interface Schemas {
  readonly input: Schema
  readonly details: readonly Schema[]
}

export function readSchemas(): Schemas {
  const read = (name: string) => JSON.parse(readFileSync(join(SCHEMAS, name), 'utf8')) as Schema
  const names = readdirSync(SCHEMAS).filter((name) => name.endsWith('.json') && name !== 'input.json')
  return {
    input: read('input.json'),
    details: names.map((name) => read(name)),
  }
}

function checkInput(definition: Definition, term: Term, { input, details }: Schemas): Finding[] {
  let schemas: readonly Schema[] = [input]
  const read: string[] = ['input']
  for (const part of (refOf(term) ?? []).slice(1)) {
    const expanded = schemas.flatMap((schema) => schema.anyOf ?? [schema])
    const next = expanded.flatMap((schema) => below(schema, part))
    if (next.length === 0 && expanded.length > 0) {
      const known = [...new Set(expanded.flatMap((schema) => Object.keys(schema.properties ?? {})))]
      const message = `${read.join('.')} has no \`${String(part.value)}\``
      const remedy = known.length === 0 ? `${read.join('.')} has no parts` : `it has ${known.join(', ')}`
      return [
        finding(definition, part.location === undefined ? definition.rule : part, 'policy.input', message, remedy),
      ]
    }
    read.push(part.type === 'string' ? String(part.value) : '_')
    schemas = read.join('.') === 'input.command.detail' ? details : next
    if (next.some((schema) => Object.keys(schema).length === 0)) return []
  }
  return []
}

/** What the schema says of one part: nothing when there is no such part, `{}` when it may be anything. */
function below(schema: Schema, part: Term): readonly Schema[] {
  if (schema.type === 'array') return part.type === 'string' ? [] : [schema.items ?? {}]
  if (schema.type !== undefined && schema.type !== 'object') return []
  if (part.type !== 'string') return [{}]
  const { properties, additionalProperties } = schema
  const name = String(part.value)
  if (properties !== undefined && Object.hasOwn(properties, name)) return [properties[name] ?? {}]
  if (typeof additionalProperties === 'object') return [additionalProperties]
  return properties === undefined || (additionalProperties ?? true) ? [{}] : []
}

/** By package of `data.sidegate`. The rules of our own files begin their lines, as `opa fmt` has it. */
function helperNames(): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>()
  for (const { text } of combinerSources()) {
    const [, name = ''] = /^package sidegate\.(\w+)$/m.exec(text) ?? []
    const found = names.get(name) ?? new Set()
    if (name !== '') names.set(name, found)
    for (const [, rule = ''] of text.matchAll(/^(?:default )?([a-z]\w*)(?=[ (])/gm)) {
      if (!['package', 'import', 'default', 'else'].includes(rule)) found.add(rule)
    }
  }
  return names
}

function checkData(
  program: Program,
  definition: Definition,
  term: Term,
  path: readonly string[],
  helpers: ReadonlyMap<string, ReadonlySet<string>>,
  roots: ReadonlySet<string>,
): Finding[] {
  const [, root, name, rule] = path
  const wrong = (message: string, remedy: string) => [
    finding(definition, term.location === undefined ? definition.rule : term, 'policy.reference', message, remedy),
  ]
  if (root === undefined) return wrong('all of `data` is read', 'name what is meant')
  if (root === 'sidegate') {
    const known = helpers.get(name ?? '')
    if (known !== undefined && rule !== undefined && known.has(rule)) return []
    const remedy =
      known === undefined ? `packages: ${[...helpers.keys()].join(', ')}` : `it has ${[...known].sort().join(', ')}`
    return wrong(`there is no helper ${path.join('.')}`, remedy)
  }
  if (root === 'policy') {
    if (rule !== undefined && program.definitions.has(path.slice(1, 4).join('.'))) return []
    return wrong(`there is no rule ${path.join('.')}`, 'name a rule of one of the packages `policy.<name>`')
  }
  if (roots.has(root)) return []
  return wrong(`nothing in the policy's folder defines data.${root}`, 'add it to a data.json, or correct the name')
}
