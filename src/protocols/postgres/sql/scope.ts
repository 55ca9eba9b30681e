/** Which columns a name can mean at one place of a statement, as the server's analyser would look them up. */
import type { Facts, Table } from './facts.ts'
import { MOST_LOOKUPS } from './limits.ts'
import { Refused } from './refused.ts'

/** Something in FROM, or the target of a write. */
export interface Item {
  /** Its alias, or its own name; null where it has none. */
  readonly name: string | null
  /** The schema by which `schema.table.column` finds it: only where it has no alias. */
  readonly schema: string | null
  /** The base relation; null for a subquery, a function or a join. */
  readonly table: Table | null
  /** Output columns of a subquery or CTE; null where not known. */
  readonly columns: ReadonlySet<string> | null
  /** The alias's list of column names, by position. */
  readonly renamed: readonly string[]
  /** What a join's alias covers. */
  readonly members: readonly Item[]
  /** Only `name.column` finds it: OLD, NEW, EXCLUDED, an alias of USING. */
  readonly qualifiedOnly: boolean
}

export interface Cte {
  readonly name: string
  readonly columns: ReadonlySet<string> | null
  readonly next: Cte | null
}

export interface Scope {
  readonly items: Item[]
  readonly outer: Scope | null
  readonly ctes: Cte | null
  /** Names that ORDER BY and GROUP BY may mean before they mean a column. */
  readonly outputs: ReadonlySet<string> | null
}

export const EMPTY_SCOPE: Scope = Object.freeze({ items: [], outer: null, ctes: null, outputs: null })

export function scopeIn(outer: Scope | null, ctes: Cte | null, items: Item[] = []): Scope {
  return { items, outer, ctes, outputs: null }
}

export function item(fields: Partial<Item>): Item {
  return {
    name: null,
    schema: null,
    table: null,
    columns: null,
    renamed: [],
    members: [],
    qualifiedOnly: false,
    ...fields,
  }
}

export function cteNamed(scope: Scope, name: string): Cte | undefined {
  for (let cte = scope.ctes; cte !== null; cte = cte.next) if (cte.name === name) return cte
  return undefined
}

/** Columns that every table has. */
export const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'])

/** What looking at one item takes, measured in looking at columns. */
const ITEM_LOOKUPS = 4

/** `maybe`: it could not be ruled out, and the search goes on. */
type Match = 'yes' | 'maybe' | 'no'

export class Resolver {
  readonly #facts: Facts
  #watched: Item | null = null
  #lookups = 0
  #touched = false

  constructor(facts: Facts) {
    this.#facts = facts
  }

  /** Answers, when called later, whether the item was named since. One is watched at a time. */
  watch(of: Item): () => boolean {
    this.#watched = of
    this.#touched = false
    return () => {
      this.#watched = null
      return this.#touched
    }
  }

  /** All columns of everything in the innermost FROM: `*`. */
  star(scope: Scope): void {
    for (const each of scope.items) if (!each.qualifiedOnly) this.wholeRow(each)
  }

  /** All columns of one item: `qualifier.*`. */
  starOf(scope: Scope, schema: string | null, qualifier: string): void {
    const of = this.named(scope, schema, qualifier)
    if (of === undefined) this.#allRows(scope)
    else this.wholeRow(of)
  }

  wholeRow(of: Item): void {
    this.#looks(of)
    if (of === this.#watched) this.#touched = true
    if (of.table !== null) this.#facts.wholeRow(of.table, 'read')
    for (const member of of.members) this.wholeRow(member)
  }

  /** A bare name. Answers whether it is a whole row rather than a column. */
  bare(scope: Scope, name: string): 'column' | 'row' | 'nothing' {
    let undecided = false
    for (let level: Scope | null = scope; level !== null; level = level.outer) {
      let found = false
      for (const each of level.items) {
        if (each.qualifiedOnly) continue
        const match = this.#column(each, name)
        if (match === 'yes') found = true
        if (match === 'maybe') undecided = true
      }
      if (found) return 'column'
    }
    const row = this.named(scope, null, name)
    if (row !== undefined) {
      this.wholeRow(row)
      return 'row'
    }
    if (undecided) return 'column'
    return this.#everywhere(scope, name)
  }

  /** `qualifier.name`. Answers `nothing` where the qualifier's relation is known not to have that column. */
  qualified(scope: Scope, schema: string | null, qualifier: string, name: string): 'column' | 'nothing' {
    const of = this.named(scope, schema, qualifier)
    if (of === undefined) {
      this.#allRows(scope)
      return 'nothing'
    }
    if (this.#column(of, name) !== 'no') return 'column'
    this.wholeRow(of)
    return 'nothing'
  }

  /** The innermost item of that name. */
  named(scope: Scope, schema: string | null, name: string): Item | undefined {
    for (let level: Scope | null = scope; level !== null; level = level.outer) {
      this.#lookups += level.items.length
      for (const each of level.items) {
        if (each.name === name && (schema === null || each.schema === schema)) return each
      }
    }
    return undefined
  }

  /** One side's column of USING or NATURAL. */
  inItems(items: readonly Item[], name: string): void {
    for (const each of items) if (!each.qualifiedOnly) this.#column(each, name)
  }

  #allRows(scope: Scope): void {
    for (let level: Scope | null = scope; level !== null; level = level.outer) {
      for (const each of level.items) this.wholeRow(each)
    }
  }

  #looks(at: Item): void {
    this.#lookups += ITEM_LOOKUPS + (at.table?.relation?.columns.length ?? 0)
    if (this.#lookups <= MOST_LOOKUPS) return
    throw new Refused(
      'command.too-large',
      'the statement names too many columns of too many relations',
      'split it into smaller statements',
    )
  }

  #column(of: Item, name: string): Match {
    this.#looks(of)
    const position = of.renamed.indexOf(name)
    if (of.table !== null) {
      const match = this.#tableColumn(of, of.table, name, position)
      if (match !== 'no' && of === this.#watched) this.#touched = true
      return match
    }
    if (of.members.length > 0) return this.#memberColumn(of, name, position)
    if (position >= 0) return 'yes'
    if (of.columns === null) return 'maybe'
    return of.columns.has(name) ? 'yes' : 'no'
  }

  #tableColumn(of: Item, table: Table, name: string, position: number): Match {
    if (table.relation === undefined) {
      if (position >= 0) this.#facts.wholeRow(table, 'read')
      else this.#facts.column(table, 'read', name)
      return 'maybe'
    }
    const { columns } = table.relation
    const column =
      position >= 0 ? columns[position] : columns.find((each, at) => at >= of.renamed.length && each.name === name)
    if (column !== undefined) {
      this.#facts.column(table, 'read', column.name)
      return 'yes'
    }
    if (!SYSTEM_COLUMNS.has(name)) return 'no'
    this.#facts.column(table, 'read', name)
    return 'yes'
  }

  #memberColumn(of: Item, name: string, position: number): Match {
    if (position >= 0) {
      this.wholeRow(of)
      return 'yes'
    }
    let match: Match = 'no'
    for (const member of of.members) {
      const found = this.#column(member, name)
      if (found === 'yes' || match === 'no') match = found
    }
    return match
  }

  /** Nothing known has it: a column newer than the snapshot. It may be anybody's. */
  #everywhere(scope: Scope, name: string): 'nothing' {
    for (let level: Scope | null = scope; level !== null; level = level.outer) {
      for (const each of level.items) this.#anyTable(each, name)
    }
    return 'nothing'
  }

  #anyTable(of: Item, name: string): void {
    if (of.table !== null) this.#facts.column(of.table, 'read', name)
    for (const member of of.members) this.#anyTable(member, name)
  }
}
