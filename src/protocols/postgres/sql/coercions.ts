/** Casts of users, most of which no statement writes: which of them could be made in one. */
import { type Catalogue, type Coercion, FIRST_USER_OID, type FunctionEntry, type Relation } from '../catalogue.ts'

/** What a statement has in it that values can be cast from and to. */
export interface Casting {
  readonly relations: Iterable<Relation>
  /** Types that it names. */
  readonly types: ReadonlySet<number>
  /** Types that it casts to; what it writes as a literal is read, and not cast. */
  readonly castTo: ReadonlySet<number>
  /** It calls functions of users, which may take and give values of any type. */
  readonly callsUsers: boolean
  /** Values are assigned to columns. */
  readonly assigns: boolean
}

/** The functions of casts that could be made. Where that cannot be told, they could. */
export function coercionsIn(catalogue: Catalogue, casting: Casting): readonly FunctionEntry[] {
  const { coercions = [] } = catalogue
  if (coercions.length === 0) return []
  const present = new Set(casting.types)
  for (const { columns, schema, name } of casting.relations) {
    for (const { typeOid } of columns) present.add(typeOid)
    const row = catalogue.type(schema, name)
    if (row !== undefined) present.add(row)
  }
  return coercions.filter((each) => isPossible(each, casting, present)).map((each) => each.function)
}

/** Of a parameter of that type, whatever becomes of it. */
export function coercionsOf({ coercions = [] }: Catalogue, type: number): readonly FunctionEntry[] {
  if (type < FIRST_USER_OID) return []
  const concerned = coercions.filter(({ held }) => held.source.has(type) || held.target.has(type))
  return concerned.map((each) => each.function)
}

function isPossible(coercion: Coercion, casting: Casting, present: ReadonlySet<number>): boolean {
  const { source, target, context, held } = coercion
  const isThere = (type: number, holders: ReadonlySet<number>) =>
    type < FIRST_USER_OID || casting.callsUsers || [...holders].some((holder) => present.has(holder))
  if (!isThere(source, held.source)) return false
  if (isWritten(coercion, casting.castTo)) return true
  const unwritten = context === 'implicit' || (context === 'assignment' && casting.assigns)
  return unwritten && (source >= FIRST_USER_OID || isThere(target, held.target))
}

/** A type of users may be a domain over the target, or a row with a column of it. */
function isWritten({ target, held }: Coercion, castTo: ReadonlySet<number>): boolean {
  return [...castTo].some((type) => held.target.has(type) || (target < FIRST_USER_OID && type >= FIRST_USER_OID))
}
