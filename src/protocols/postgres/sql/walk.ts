/** Walks a whole parse tree: every node that nothing else claims is entered, and every node that is not known is an effect. */
import type { Cascade, Catalogue, FunctionEntry } from '../catalogue.ts'
import { coercionsIn } from './coercions.ts'
import type { ParseLimits } from './limits.ts'
import { Facts, tableNamed, type Access, type Table } from './facts.ts'
import { nameOf, struct, structOf, text, type Fields } from './nodes.ts'
import { HANDLERS } from './handlers.ts'
import { Refused } from './refused.ts'
import { EMPTY_SCOPE, Resolver, type Scope } from './scope.ts'

/** How rows are written; `columns` null for any of them. */
export interface Written {
  readonly access: 'update' | 'delete'
  readonly columns: readonly string[] | null
}

export class Walk {
  readonly catalogue: Catalogue
  readonly facts: Facts
  readonly names: Resolver
  /** How a relation that is met outside of a query is accessed. */
  access: Access = 'unknown'
  /** The relations that FROM clauses have read so far, in order. */
  readonly read: Table[] = []
  /** Types that it names, and those of them that it casts to. */
  readonly types = new Set<number>()
  readonly castTo = new Set<number>()
  /** What runs when values become others. */
  readonly #converting = new Set<FunctionEntry>()
  readonly #limits: ParseLimits
  #nodes = 0
  #depth = 0

  constructor(catalogue: Catalogue, limits: ParseLimits) {
    this.catalogue = catalogue
    this.#limits = limits
    this.facts = new Facts(catalogue)
    this.names = new Resolver(this.facts)
  }

  /** A node with its name, or a list of them. */
  visit(value: unknown, scope: Scope): void {
    if (typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) {
      for (const each of value) this.visit(each, scope)
      return
    }
    const name = nameOf(value)
    const fields = name === undefined ? undefined : (value as Fields)[name]
    if (name === undefined) {
      if (Object.keys(value).length > 0) this.facts.effects.add('unknown')
      return
    }
    this.enter(name, struct(fields) ?? {}, scope)
  }

  /** A struct whose name the grammar knows. */
  enter(name: string, fields: Fields, scope: Scope): void {
    this.#nodes += 1
    this.#depth += 1
    if (this.#nodes > this.#limits.nodes) throw tooLarge('has too many parts', `at most ${this.#limits.nodes} nodes`)
    if (this.#depth > this.#limits.depth) throw tooLarge('is nested too deeply', `at most ${this.#limits.depth} levels`)
    const handler = HANDLERS.get(name)
    if (handler === undefined) {
      this.facts.effects.add('unknown')
      this.children(name, fields, scope)
    } else handler(this, fields, scope)
    this.#depth -= 1
  }

  /** Everything below a node, except the fields that its handler has dealt with. */
  children(name: string, fields: Fields, scope: Scope, except?: ReadonlySet<string>): void {
    for (const field in fields) {
      const value = fields[field]
      if (typeof value !== 'object' || value === null || except?.has(field) === true) continue
      const inner = Array.isArray(value) ? undefined : structOf(name, field)
      if (inner !== undefined) this.enter(inner, value as Fields, scope)
      else this.visit(value, scope)
    }
  }

  /** Below a statement, whose relations are accessed in that way. */
  within(access: Access, walk: () => void): void {
    const before = this.access
    this.access = access
    walk()
    this.access = before
  }

  /** The relation that a RangeVar names. CTEs are not looked at: only FROM sees them. */
  table(rangeVar: Fields): Table {
    return tableNamed(this.catalogue, text(rangeVar['schemaname']), text(rangeVar['relname']) ?? '')
  }

  /** A relation that does not exist yet, where the server would create it. */
  newTable(rangeVar: Fields): Table {
    const name = text(rangeVar['relname']) ?? ''
    const path = this.catalogue.searchPath.find((schema) => !schema.startsWith('pg_'))
    const schema = rangeVar['relpersistence'] === 't' ? 'pg_temp' : (text(rangeVar['schemaname']) ?? path ?? null)
    return { schema, name, relation: schema === null ? undefined : this.catalogue.relation(schema, name) }
  }

  /** Rules and triggers of what is written run code that nobody sees here; foreign keys carry it on. */
  writes(table: Table, ...ways: readonly Written[]): void {
    if (isSettings(table)) throw settingsByUpdate()
    const seen = new Set<number>()
    const waiting = table.relation === undefined ? [] : [table.relation.oid]
    for (let oid = waiting.pop(); oid !== undefined; oid = waiting.pop()) {
      const relation = this.catalogue.relationByOid(oid)
      if (relation === undefined || seen.has(oid)) continue
      seen.add(oid)
      if (relation.rules || relation.triggers) this.facts.effects.add('procedural')
      for (const entry of relation.writing ?? []) this.facts.calledEntry(entry)
      if (isSettings(relation)) throw settingsByUpdate()
      waiting.push(...relation.children)
      if (relation.kind === 'view') waiting.push(...relation.reads)
      for (const way of ways) for (const cascade of relation.cascades ?? []) this.#carried(cascade, way)
    }
  }

  /** What a foreign key does is written there as well, and may be carried on from there. */
  #carried(cascade: Cascade, way: Written): void {
    const does = actionOf(cascade, way)
    if (does === null) return
    const relation = this.catalogue.relationByOid(cascade.oid)
    const table = { schema: relation?.schema ?? null, name: relation?.name ?? `oid ${cascade.oid}`, relation }
    const known = this.facts.uses(table, does)
    this.facts.effects.add(does)
    if (does === 'delete') this.facts.use(table, 'delete')
    else this.facts.wholeRow(table, 'update')
    if (!known) this.writes(table, { access: does, columns: null })
  }

  /** Functions that are called because a value becomes one of another type. */
  converts(entries: readonly FunctionEntry[] | undefined): void {
    for (const entry of entries ?? []) {
      this.#converting.add(entry)
      this.facts.calledEntry(entry)
    }
  }

  get converting(): readonly FunctionEntry[] {
    return [...this.#converting]
  }

  root(tree: object): void {
    this.visit(tree, EMPTY_SCOPE)
    const { facts, types, castTo } = this
    // A function can make a value of the type of its arguments: jsonb_populate_record(row, …), array_append(column, …).
    if (facts.calls) for (const { relation } of this.read) this.converts(relation?.checking)
    const { relations, callsUsers, assigns } = facts
    this.converts(coercionsIn(this.catalogue, { relations, types, castTo, callsUsers, assigns }))
    if (this.catalogue.eventTriggers === true && facts.changesSchema) facts.effects.add('procedural')
  }
}

function actionOf({ onDelete, onUpdate }: Cascade, { access, columns }: Written): Written['access'] | null {
  if (access === 'delete') return onDelete
  return onUpdate.some((name) => columns?.includes(name) ?? true) ? 'update' : null
}

/** UPDATE of pg_settings is SET: it has a rule that calls set_config(). */
function isSettings({ schema, name }: { schema: string | null; name: string }): boolean {
  return name === 'pg_settings' && (schema === null || schema === 'pg_catalog')
}

function settingsByUpdate(): Refused {
  return new Refused('command.unsupported', 'pg_settings is not updated through this gate', 'use SET')
}

function tooLarge(what: string, limit: string): Refused {
  return new Refused('command.too-large', `the statement ${what}: ${limit}`, 'split it into smaller statements')
}
