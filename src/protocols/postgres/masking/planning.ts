/** What one statement's planning knows and finds out: the masks, the catalogue, and what the statement touches. */
import {
  type Catalogue,
  type Column,
  FIRST_USER_OID,
  type FunctionClass,
  type FunctionEntry,
  type Relation,
} from '../catalogue.ts'
import type { ColumnMask, CompiledMasks } from './compile.ts'
import { quoted } from './names.ts'
import { because, masked } from './refusing.ts'
import type { Columns } from './scope.ts'
import { type Tree, text } from './tree.ts'

/** Functions that show nothing but what they are given, or nothing at all. Others may read any table. */
const HARMLESS: ReadonlySet<FunctionClass> = new Set(['pure', 'session', 'waits'])

/** Functions that write, and of which it is known that they show no rows: reading a replication slot also counts as a write. */
const HARMLESS_WRITES: ReadonlySet<string> = new Set([
  'nextval',
  'setval',
  'pg_notify',
  'pg_try_advisory_lock',
  'pg_try_advisory_lock_shared',
  'pg_try_advisory_xact_lock',
  'pg_try_advisory_xact_lock_shared',
])

/** It shows no rows by itself. */
export function harmless(entry: FunctionEntry): boolean {
  return HARMLESS.has(entry.class) || (entry.class === 'writes' && HARMLESS_WRITES.has(entry.name))
}

export class Planning {
  readonly masks: CompiledMasks
  readonly catalogue: Catalogue
  /** A relation with a masked column is read or written. */
  touched = false
  /** Errors and notices may quote values of masked columns. */
  scrub = false
  /** It runs or explains something by name: a prepared statement, a cursor. */
  runsNamed = false

  constructor(masks: CompiledMasks, catalogue: Catalogue) {
    this.masks = masks
    this.catalogue = catalogue
  }

  /** The relation that a RangeVar names, which may be read or written. */
  relation(range: Tree): Relation {
    const name = text(range['relname']) ?? ''
    const schema = text(range['schemaname'])
    const relation = this.catalogue.relation(schema, name)
    if (relation === undefined) {
      const written = schema === null ? quoted(name) : quoted(schema, name)
      throw because(`relation ${written} is not known, and could show a masked column`, 'check its name and schema')
    }
    this.#check(relation)
    return relation
  }

  #check(relation: Relation): void {
    const { columns, damaged } = this.masks
    const name = quoted(relation.schema, relation.name)
    if (damaged.has(relation.oid)) {
      throw because(`a mask names a column that ${name} does not have`, 'correct the policy, or the table')
    }
    if (this.#shows(relation)) {
      throw because(
        `${name} shows a table with masked columns`,
        'read the table itself: its columns are masked on the way',
      )
    }
    if (relation.showing?.some((entry) => !harmless(entry)) === true) {
      throw because(`${name} calls functions that may read tables by themselves`, 'read the tables that it is made of')
    }
    if (relation.kind === 'toast' || relation.system === 'values' || relation.system === 'secret') {
      throw because(`${name} can show values of masked columns`, 'leave it out')
    }
    if (columns.has(relation.oid) || this.#keepsRows(relation)) {
      this.touched = true
      this.scrub = true
    }
  }

  /** It is a view, of whatever depth, of a relation with masked columns. */
  #shows(relation: Relation): boolean {
    const { columns, damaged } = this.masks
    const read = new Set(relation.reads)
    for (const oid of read) {
      const shown = this.catalogue.relationByOid(oid)
      if (columns.has(oid) || damaged.has(oid) || (shown !== undefined && this.#keepsRows(shown))) return true
      for (const deeper of shown?.reads ?? []) read.add(deeper)
    }
    return false
  }

  /** The relation that is written. A rule would turn the statement into others, which are not planned. */
  target(range: Tree): Relation {
    const relation = this.relation(range)
    if (relation.rules && relation.kind !== 'view' && relation.kind !== 'materialized-view') {
      throw because(
        `rules rewrite what is written to ${quoted(relation.schema, relation.name)}`,
        'write to a table without rules',
      )
    }
    return relation
  }

  /**
   * Refuses to write a value where that succeeds or fails by what a masked column holds in other rows: it is unique, or a foreign
   * key refers to it. `names` are the columns that are written, null for all of them.
   */
  refuseGuess(relation: Relation, names: readonly string[] | null): void {
    const seen = new Set([relation.oid, ...relation.reads])
    for (const oid of seen) {
      const each = this.catalogue.relationByOid(oid)
      if (each === undefined) continue
      for (const child of each.children) seen.add(child)
      // Columns of a view have other names.
      const written = relation.kind === 'view' || names === null ? null : names
      const isWritten = (attnum: number) =>
        written === null || each.columns.some((column) => column.attnum === attnum && written.includes(column.name))
      const own = each.compared?.find((attnum) => this.#mask(oid, attnum) !== null && isWritten(attnum))
      const reference = each.references?.find(({ attnum, to }) => this.#mask(to.oid, to.attnum) && isWritten(attnum))
      const mask =
        own === undefined ? reference && this.#mask(reference.to.oid, reference.to.attnum) : this.#mask(oid, own)
      if (mask) throw masked(mask.column, 'a key that is written')
    }
  }

  #mask(oid: number, attnum: number): ColumnMask | null {
    return this.masks.columns.get(oid)?.get(attnum) ?? null
  }

  /** The columns of a relation, in order. */
  columns(relation: Relation): Columns {
    const masks = this.masks.columns.get(relation.oid)
    const list = relation.columns.map((column) => {
      const { name, attnum } = column
      const mask = masks?.get(attnum) ?? (this.#isRow(column) ? hidden(relation, column) : null)
      return { name, origin: { table: relation.oid, attnum, mask } }
    })
    return { list, open: false }
  }

  /** A column of it keeps rows of a relation with masked columns. */
  #keepsRows({ columns }: Relation): boolean {
    return columns.some((column) => this.#isRow(column))
  }

  #isRow({ typeOid }: Column): boolean {
    const { rows } = this.masks
    if (typeOid < FIRST_USER_OID || rows.size === 0) return false
    return rows.has(typeOid) || (this.catalogue.typeParts?.(typeOid) ?? []).some((part) => rows.has(part))
  }

  /** Refuses a call that could read a masked column by itself, whichever of the name's functions the server means. */
  call(name: readonly string[]): void {
    const [schema, own] = nameOf(name)
    const candidates = this.catalogue.functions(schema, own)
    // A type's name is a cast when no function has it.
    if (candidates.length === 0 && this.catalogue.type(schema, own) !== undefined) return
    if (candidates.length > 0 && candidates.every(harmless)) return
    const why = candidates.length === 0 ? 'is not known' : 'may read tables by itself'
    throw because(`function ${quoted(...name)} ${why}, and could show a masked column`, 'leave the function out')
  }

  /** Attribute notation: what is no column calls a function of that name, if there is one. */
  attribute(name: string): void {
    if (this.catalogue.functions(null, name).length > 0) this.call([name])
  }

  /**
   * Refuses an operator that the server could take for one of its own and that is not. Operators of types that are not
   * the server's (citext, hstore …) are left alone: only values of these types reach them.
   */
  operator(name: readonly string[]): void {
    const [schema, own] = nameOf(name)
    const shadows = (entry: FunctionEntry): boolean =>
      !harmless(entry) && entry.arguments.every((type) => type < FIRST_USER_OID)
    if (this.catalogue.operators(schema, own).some(shadows)) {
      throw because(
        `operator ${own} may read tables by itself, and could show a masked column`,
        'leave the operator out',
      )
    }
  }
}

/** A row is no text, and becomes NULL. */
function hidden({ schema, name }: Relation, column: Column): ColumnMask {
  return { column: quoted(schema, name, column.name), method: 'redact' }
}

function nameOf(name: readonly string[]): readonly [schema: string | null, own: string] {
  return [name.at(-2) ?? null, name.at(-1) ?? '']
}
