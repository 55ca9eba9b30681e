/** One state of a database's catalogs, indexed. */
import type { Catalogue, Coercion, FunctionEntry, Relation } from '../catalogue.ts'
import type { Builtins } from './builtins.ts'

export interface SnapshotParts {
  readonly revision: number
  readonly serverVersion: number
  readonly searchPath: readonly string[]
  readonly builtins: Builtins
  readonly relations: readonly Relation[]
  /** Of users; builtins come from `builtins`. */
  readonly functions: readonly FunctionEntry[]
  readonly operators: readonly { readonly schema: string; readonly name: string; readonly function: FunctionEntry }[]
  readonly types: readonly { readonly oid: number; readonly schema: string; readonly name: string }[]
  /** By type; none where absent. */
  readonly typeChecks?: ReadonlyMap<number, readonly FunctionEntry[]>
  readonly typeParts?: ReadonlyMap<number, readonly number[]>
  readonly coercions?: readonly Coercion[]
  readonly eventTriggers?: boolean
}

type BySchema<T> = ReadonlyMap<string, ReadonlyMap<string, T>>

export class Snapshot implements Catalogue {
  readonly revision: number
  readonly serverVersion: number
  readonly searchPath: readonly string[]
  readonly coercions: readonly Coercion[]
  readonly eventTriggers: boolean
  readonly #builtins: Builtins
  readonly #relations: BySchema<Relation>
  readonly #byOid: ReadonlyMap<number, Relation>
  readonly #functions: BySchema<FunctionEntry[]>
  readonly #operators: BySchema<FunctionEntry[]>
  readonly #types: BySchema<number>
  readonly #typeChecks: ReadonlyMap<number, readonly FunctionEntry[]>
  readonly #typeParts: ReadonlyMap<number, readonly number[]>

  constructor(parts: SnapshotParts) {
    this.revision = parts.revision
    this.serverVersion = parts.serverVersion
    this.searchPath = Object.freeze([...parts.searchPath])
    this.#builtins = parts.builtins
    this.#relations = single(parts.relations, (relation) => relation)
    this.#byOid = new Map(parts.relations.map((relation) => [relation.oid, relation]))
    this.#functions = several(parts.functions, (entry) => entry)
    this.#operators = several(parts.operators, (operator) => operator.function)
    this.#types = single(parts.types, (type) => type.oid)
    this.#typeChecks = parts.typeChecks ?? new Map()
    this.#typeParts = parts.typeParts ?? new Map()
    this.coercions = parts.coercions ?? []
    this.eventTriggers = parts.eventTriggers === true
  }

  relation(schema: string | null, name: string): Relation | undefined {
    return first(this.#relations, this.#path(schema), name)
  }

  relationByOid(oid: number): Relation | undefined {
    return this.#byOid.get(oid)
  }

  functions(schema: string | null, name: string): readonly FunctionEntry[] {
    const found: FunctionEntry[] = []
    for (const each of this.#path(schema)) {
      const builtins = this.#builtins.functions.get(`${each}.${name}`)
      if (builtins !== undefined) found.push(...builtins)
      const own = this.#functions.get(each)?.get(name)
      if (own !== undefined) found.push(...own)
    }
    return found
  }

  operators(schema: string | null, name: string): readonly FunctionEntry[] {
    if (this.#operators.size === 0) return NONE
    return this.#path(schema).flatMap((each) => this.#operators.get(each)?.get(name) ?? [])
  }

  type(schema: string | null, name: string): number | undefined {
    return first(this.#types, this.#path(schema), name)
  }

  typeChecks(type: number): readonly FunctionEntry[] {
    return this.#typeChecks.get(type) ?? NONE
  }

  typeParts(type: number): readonly number[] {
    return this.#typeParts.get(type) ?? NO_TYPES
  }

  #path(schema: string | null): readonly string[] {
    return schema === null ? this.searchPath : [schema]
  }
}

const NONE: readonly FunctionEntry[] = Object.freeze([])
const NO_TYPES: readonly number[] = Object.freeze([])

function first<T>(from: BySchema<T>, path: readonly string[], name: string): T | undefined {
  for (const schema of path) {
    const found = from.get(schema)?.get(name)
    if (found !== undefined) return found
  }
  return undefined
}

interface Named {
  readonly schema: string
  readonly name: string
}

function single<T extends Named, V>(all: readonly T[], value: (of: T) => V): BySchema<V> {
  const bySchema = new Map<string, Map<string, V>>()
  for (const each of all) within(bySchema, each.schema).set(each.name, value(each))
  return bySchema
}

function several<T extends Named, V>(all: readonly T[], value: (of: T) => V): BySchema<V[]> {
  const bySchema = new Map<string, Map<string, V[]>>()
  for (const each of all) {
    const schema = within(bySchema, each.schema)
    const values = schema.get(each.name)
    if (values === undefined) schema.set(each.name, [value(each)])
    else values.push(value(each))
  }
  return bySchema
}

function within<V>(bySchema: Map<string, Map<string, V>>, schema: string): Map<string, V> {
  let inner = bySchema.get(schema)
  if (inner === undefined) bySchema.set(schema, (inner = new Map()))
  return inner
}
