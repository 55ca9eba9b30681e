/** The masks of a decision against a catalogue: which columns they hide, and which relations can no longer be told apart. */
import { type Mask, MASK_METHODS, type MaskMethod } from '../../../gate/decision.ts'
import type { Refusal } from '../../../gate/refusal.ts'
import type { Catalogue, Relation } from '../catalogue.ts'
import { parseColumnName, quoted } from './names.ts'
import { unsupported } from './refusing.ts'

export interface ColumnMask {
  /** `schema.table.column` of the relation that is read, which may be a parent or a child of the one that a policy named. */
  readonly column: string
  /** The most hiding of all methods that apply. */
  readonly method: MaskMethod
}

/** Masks that hold under one catalogue. Frozen but for its memo; whatever is derived from it holds as long as it does. */
export interface CompiledMasks {
  readonly catalogue: Catalogue
  /** The catalogue's. */
  readonly revision: number
  readonly empty: boolean
  /** By relation, by column number. */
  readonly columns: ReadonlyMap<number, ReadonlyMap<number, ColumnMask>>
  /** Types of rows that have masked columns: whoever keeps such rows keeps their values. */
  readonly rows: ReadonlySet<number>
  /** Relations of which nothing may be read, because a mask names a column that they do not have. */
  readonly damaged: ReadonlySet<number>
  /** Masks that hide nothing as they are: an unknown relation or column, a malformed name. For status. */
  readonly unknown: readonly string[]
  /** Set where a mask is of a kind that no result of this protocol can be given: every statement with data is refused. */
  readonly unsupported: Refusal | null
}

/** How a column is hidden that is computed from one that is: parts of another form would be other parts. */
const COMPUTED = {
  deny: 'deny',
  null: 'null',
  redact: 'redact',
  hash: 'redact',
  partial: 'redact',
} as const satisfies Record<MaskMethod, MaskMethod>

const compiled = new WeakMap<readonly Mask[], WeakMap<Catalogue, CompiledMasks>>()

/** Compiles a decision's masks; the same list under the same catalogue gives the same object. */
export function compileMasks(masks: readonly Mask[], catalogue: Catalogue): CompiledMasks {
  let byCatalogue = compiled.get(masks)
  if (byCatalogue === undefined) compiled.set(masks, (byCatalogue = new WeakMap()))
  let result = byCatalogue.get(catalogue)
  if (result === undefined) byCatalogue.set(catalogue, (result = new Compiler(catalogue).compile(masks)))
  return result
}

class Compiler {
  readonly #catalogue: Catalogue
  readonly #columns = new Map<number, Map<number, ColumnMask>>()
  readonly #damaged = new Set<number>()
  readonly #unknown: string[] = []
  #unsupported: Refusal | null = null

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue
  }

  compile(masks: readonly Mask[]): CompiledMasks {
    for (const mask of masks) this.#add(mask)
    return Object.freeze({
      catalogue: this.#catalogue,
      revision: this.#catalogue.revision,
      empty: masks.length === 0,
      columns: this.#columns,
      rows: this.#rows(),
      damaged: this.#damaged,
      unknown: Object.freeze(this.#unknown),
      unsupported: this.#unsupported,
    })
  }

  #add(mask: Mask): void {
    if (mask.column === null) {
      const what = mask.detector === null ? `path ${mask.path ?? ''}` : `detector ${mask.detector}`
      this.#unsupported ??= unsupported(`the mask of ${what} cannot be applied to results of SQL`, 'mask columns')
      return
    }
    const name = parseColumnName(mask.column)
    if (name === null) {
      this.#unknown.push(mask.column)
      this.#unsupported ??= unsupported(
        `the mask of ${mask.column} names no column`,
        'write it as schema.table.column in the policy',
      )
      return
    }
    // A relation that is not there cannot be read; what might still be it (an unresolved name) is refused as such.
    const relation = this.#catalogue.relation(name.schema, name.table)
    if (relation === undefined) this.#unknown.push(mask.column)
    else this.#hide(relation, name.column, mask)
  }

  #hide(relation: Relation, column: string, mask: Mask): void {
    const known = relation.columns.some((candidate) => candidate.name === column)
    if (!known) this.#unknown.push(mask.column ?? column)
    for (const relative of this.#relatives(relation, column, known)) {
      const attnum = relative.columns.find((candidate) => candidate.name === column)?.attnum
      if (!known || attnum === undefined) this.#damaged.add(relative.oid)
      else this.#hideColumn(relative, attnum, column, mask.with)
    }
  }

  /**
   * The relation, what inherits from it, and whatever shows rows of any of these through inheritance.
   * A column keeps its name down the whole tree, so an ancestor without it cannot show it.
   */
  #relatives(relation: Relation, column: string, known: boolean): Iterable<Relation> {
    const down = this.#closure([relation], (each) => each.children)
    const up = this.#closure(down, (each) => each.parents)
    return [...up].filter(
      (each) => down.has(each) || !known || each.columns.some((candidate) => candidate.name === column),
    )
  }

  #closure(from: Iterable<Relation>, next: (relation: Relation) => readonly number[]): ReadonlySet<Relation> {
    const found = new Set(from)
    for (const relation of found) {
      for (const oid of next(relation)) {
        const other = this.#catalogue.relationByOid(oid)
        if (other !== undefined) found.add(other)
      }
    }
    return found
  }

  #rows(): ReadonlySet<number> {
    const types = [...this.#columns.keys(), ...this.#damaged].flatMap((oid) => {
      const relation = this.#catalogue.relationByOid(oid)
      return relation === undefined ? [] : (this.#catalogue.type(relation.schema, relation.name) ?? [])
    })
    return new Set(types)
  }

  #hideColumn(relation: Relation, attnum: number, column: string, method: MaskMethod): void {
    let columns = this.#columns.get(relation.oid)
    if (columns === undefined) this.#columns.set(relation.oid, (columns = new Map()))
    const before = columns.get(attnum)?.method
    const hiding = before === undefined || MASK_METHODS.indexOf(method) < MASK_METHODS.indexOf(before) ? method : before
    columns.set(attnum, { column: quoted(relation.schema, relation.name, column), method: hiding })
    // What is computed from it could show all of it, in another form.
    for (const computed of relation.columns) {
      if (computed.computedFrom?.includes(attnum) !== true) continue
      this.#hideColumn(relation, computed.attnum, computed.name, COMPUTED[hiding])
    }
  }
}
