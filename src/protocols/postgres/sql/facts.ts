import {
  type Catalogue,
  FIRST_USER_OID,
  type FunctionClass,
  type FunctionEntry,
  type Relation,
  type SystemClass,
} from '../catalogue.ts'
import type { Json, JsonObject } from '../../../gate/json.ts'
import { behind } from './behind.ts'

/** From the most to the least powerful; the first that a statement has is its action. */
export const EFFECTS = [
  'unknown',
  'unsafe-io',
  'procedural',
  'grant',
  'role',
  'ddl',
  'truncate',
  'delete',
  'merge',
  'update',
  'insert',
  'copy-in',
  'maintenance',
  'lock',
  'notify',
  'listen',
  'copy-out',
  'select',
  'cursor',
  'prepare',
  'session',
  'transaction',
] as const
export type Effect = (typeof EFFECTS)[number]

export type Access =
  | 'read'
  | 'insert'
  | 'update'
  | 'delete'
  | 'truncate'
  | 'define'
  | 'grant'
  | 'lock'
  | 'maintain'
  | 'unknown'

export interface Setting {
  readonly name: string
  readonly value: string | null
  readonly scope: 'show' | 'transaction' | 'session' | 'persistent'
  readonly known: boolean
}

/** A relation that a statement names, found in the catalogue or not. */
export interface Table {
  readonly schema: string | null
  readonly name: string
  readonly relation: Relation | undefined
}

/** From what may always be called to what nobody can judge. */
const CLASSES: readonly FunctionClass[] = ['pure', 'session', 'reads', 'waits', 'writes', 'external', 'unknown']

const READS_ONLY: ReadonlySet<Effect> = new Set<Effect>(['select', 'session'])

interface Use {
  readonly table: Table
  readonly access: Access
  /** null: all of them. */
  columns: Set<string> | null
}

/** A schema whose relations are the system's; one of theirs that no data tells is taken for the worst. */
const SYSTEM_SCHEMA = /^(pg_|information_schema$)/

function systemClass({ schema, name, relation }: Table): SystemClass | null {
  if (relation !== undefined) return relation.system ?? null
  if (schema !== null && schema.startsWith('pg_temp')) return null
  return SYSTEM_SCHEMA.test(schema ?? name) ? 'secret' : null
}

/** Gathers what one statement does. It only ever adds. */
export class Facts {
  readonly #catalogue: Catalogue
  readonly effects = new Set<Effect>()
  readonly #uses = new Map<string, Use>()
  readonly #functions = new Map<string, { schema: string | null; name: string; class: FunctionClass }>()
  readonly settings: Setting[] = []
  where: boolean | null = null
  limit: number | null = null
  #callsUsers = false
  role: string | null = null
  parameters = 0

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue
  }

  use(table: Table, access: Access): Use {
    const key = keyOf(table, access)
    const known = this.#uses.get(key)
    if (known !== undefined) return known
    const use: Use = { table, access, columns: new Set() }
    this.#uses.set(key, use)
    // What a view calls is called by whoever reads it, and so is what row security calls.
    for (const entry of table.relation?.showing ?? []) this.calledEntry(entry)
    // Indexes are made anew, and their expressions computed.
    if (access === 'maintain') for (const entry of table.relation?.writing ?? []) this.calledEntry(entry)
    return use
  }

  uses(table: Table, access: Access): boolean {
    return this.#uses.has(keyOf(table, access))
  }

  /** A computed column shows those that it is computed from. */
  column(table: Table, access: Access, name: string): void {
    const { columns } = this.use(table, access)
    columns?.add(name)
    const known = table.relation?.columns ?? []
    const computedFrom = known.find((column) => column.name === name)?.computedFrom ?? []
    for (const column of known) if (computedFrom.includes(column.attnum)) columns?.add(column.name)
  }

  wholeRow(table: Table, access: Access): void {
    this.use(table, access).columns = null
  }

  called(schema: string | null, name: string, its: FunctionClass): void {
    const key = `${schema ?? '\0'}\0${name}`
    const known = this.#functions.get(key)
    if (known === undefined) this.#functions.set(key, { schema, name, class: its })
    else if (CLASSES.indexOf(its) > CLASSES.indexOf(known.class)) known.class = its
    if (its === 'external') this.effects.add('unsafe-io')
  }

  /** It calls any function. */
  get calls(): boolean {
    return this.#functions.size > 0
  }

  /** It calls a function that is not the server's own. */
  get callsUsers(): boolean {
    return this.#callsUsers
  }

  /** All that are known of those that it names. */
  get relations(): readonly Relation[] {
    return [...this.#uses.values()].flatMap(({ table }) => table.relation ?? [])
  }

  /** Values are assigned to columns. */
  get assigns(): boolean {
    return ['insert', 'update', 'merge'].some((effect) => this.effects.has(effect as Effect))
  }

  /** Event triggers fire. */
  get changesSchema(): boolean {
    return ['ddl', 'grant', 'maintenance'].some((effect) => this.effects.has(effect as Effect))
  }

  calledEntry(entry: FunctionEntry): void {
    this.#callsUsers ||= entry.oid >= FIRST_USER_OID
    this.called(entry.schema, entry.name, entry.class)
    if (entry.kind === 'procedure') this.effects.add('procedural')
  }

  bounded(where: boolean): void {
    this.where = (this.where ?? true) && where
  }

  get action(): string {
    return EFFECTS.find((effect) => this.effects.has(effect)) ?? 'empty'
  }

  get readsOnly(): boolean {
    for (const effect of this.effects) if (!READS_ONLY.has(effect)) return false
    for (const { class: its } of this.#functions.values()) if (its !== 'pure' && its !== 'session') return false
    return true
  }

  /** All keys of the schema but those that vary from one execution to the next. */
  detail(index: number, of: number): JsonObject {
    return {
      effects: EFFECTS.filter((effect) => this.effects.has(effect)),
      relations: [...this.#uses.values()].map((use) => relationFact(this.#catalogue, use)),
      functions: [...this.#functions.values()].map((called) => ({ ...called })),
      where: this.where,
      limit: this.limit,
      settings: this.settings.map((setting) => ({ ...setting })),
      role: this.role,
      statement: { index, of },
      readsOnly: this.readsOnly,
    }
  }
}

function keyOf(table: Table, access: Access): string {
  return `${access}\0${table.schema ?? '\0'}\0${table.name}`
}

function relationFact(catalogue: Catalogue, { table, access, columns }: Use): JsonObject {
  return {
    schema: table.schema,
    name: table.name,
    access,
    columns: columns === null ? ['*'] : [...columns].sort(),
    system: systemClass(table),
    kind: table.relation?.kind ?? 'unknown',
    behind: table.relation === undefined ? [] : behind(catalogue, table.relation),
  }
}

/** The relation that the server would mean. */
export function tableNamed(catalogue: Catalogue, schema: string | null, name: string): Table {
  const relation = catalogue.relation(schema, name)
  return { schema: relation?.schema ?? schema, name, relation }
}

export function freeze<T extends Json>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) freeze(inner)
  }
  return value
}
