/** The part of OPA's syntax tree (`opa parse --format json --json-include locations`) that the checks look at. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Source } from '../combiner.ts'
import { AuthoringError } from './findings.ts'
import { runOpa } from './opa.ts'

export interface Term {
  readonly type: string
  readonly value?: unknown
  readonly location?: Location
}

interface Location {
  readonly row: number
}

export interface Expression {
  /** A term; an operator and its operands; `some`, `every`. */
  readonly terms: Term | readonly Term[] | Record<string, unknown>
  readonly negated?: boolean
  readonly with?: readonly unknown[]
  readonly generated?: boolean
  readonly location?: Location
}

export interface Rule {
  readonly head: {
    readonly name?: string
    readonly ref: readonly Term[]
    readonly key?: Term
    readonly value?: Term
    readonly args?: readonly Term[]
  }
  readonly body: readonly Expression[]
  readonly default?: boolean
  readonly else?: Rule
  readonly location?: Location
}

interface Tree {
  readonly package: { readonly path: readonly Term[]; readonly location?: Location }
  readonly imports?: readonly { readonly path: Term; readonly alias?: string }[]
  readonly rules?: readonly Rule[]
}

export interface Module {
  readonly path: string
  /** Without `data`: `["policy", "reporting"]`. */
  readonly package: readonly string[]
  /** The path that each imported name stands for: `sql` → `["data", "sidegate", "sql"]`. */
  readonly imports: ReadonlyMap<string, readonly string[]>
  readonly rules: readonly Rule[]
}

export async function parseModules(sources: readonly Source[]): Promise<readonly Module[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-parse-'))
  try {
    const modules: Module[] = []
    for (const source of sources) modules.push(await parseModule(source, folder))
    return modules
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function parseModule({ path, text }: Source, folder: string): Promise<Module> {
  const file = join(folder, 'module.rego')
  writeFileSync(file, text)
  const { status, stdout, stderr } = await runOpa(
    ['parse', '--format', 'json', '--json-include', 'locations', file],
    folder,
  )
  if (status !== 0) {
    const message = (stderr === '' ? stdout : stderr).replaceAll(file, path).trim()
    throw new AuthoringError('policy.syntax', `${path} is not Rego v1\n${message}`)
  }
  const tree = JSON.parse(stdout) as Tree
  return {
    path,
    package: constants(tree.package.path.slice(1)),
    imports: new Map((tree.imports ?? []).map((each) => importOf(each))),
    rules: tree.rules ?? [],
  }
}

function importOf({ path, alias }: { readonly path: Term; readonly alias?: string }): [string, readonly string[]] {
  const whole = refOf(path) ?? []
  const names = constants(whole)
  return [alias ?? names.at(-1) ?? '', names]
}

/** The parts of a reference, or undefined when the term is none. */
export const refOf = (term: Term | undefined): readonly Term[] | undefined =>
  term?.type === 'ref' ? (term.value as readonly Term[]) : undefined

/** The leading parts of a reference that are constant: its variable's name, then the strings. */
export function constants(parts: readonly Term[]): readonly string[] {
  const end = parts.findIndex((part, index) => part.type !== 'string' && !(index === 0 && part.type === 'var'))
  return parts.slice(0, end === -1 ? parts.length : end).map((part) => String(part.value))
}

export const ruleName = ({ head }: Rule): string => constants(head.ref)[0] ?? head.name ?? ''

export const isTerm = (value: unknown): value is Term =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'

/** Visits every term at any depth, the generated ones too; of a reference the whole and its parts, not the name at its head. */
export function visitTerms(node: unknown, visit: (term: Term) => void): void {
  if (Array.isArray(node)) {
    for (const each of node as readonly unknown[]) visitTerms(each, visit)
    return
  }
  if (typeof node !== 'object' || node === null) return
  if (isTerm(node)) visit(node)
  const [head, ...parts] = (isTerm(node) ? refOf(node) : undefined) ?? []
  if (head?.type === 'var') visitTerms(parts, visit)
  else for (const [key, value] of Object.entries(node)) if (key !== 'location') visitTerms(value, visit)
}

/** Visits every expression at any depth. */
export function visitExpressions(node: unknown, visit: (expression: Expression) => void): void {
  if (Array.isArray(node)) {
    for (const each of node as readonly unknown[]) visitExpressions(each, visit)
    return
  }
  if (typeof node !== 'object' || node === null) return
  if ('terms' in node && 'index' in node) visit(node as unknown as Expression)
  for (const [key, value] of Object.entries(node)) if (key !== 'location') visitExpressions(value, visit)
}

/** The full path that a reference or a bare name begins with: imports and the package's own rules resolved. */
export function resolve(module: Module, own: ReadonlySet<string>, term: Term): readonly string[] {
  const parts = refOf(term) ?? (term.type === 'var' ? [term] : [])
  const [head, ...rest] = constants(parts)
  if (head === undefined) return []
  const imported = module.imports.get(head)
  if (imported !== undefined) return [...imported, ...rest]
  if (own.has(head)) return ['data', ...module.package, head, ...rest]
  return [head, ...rest]
}
