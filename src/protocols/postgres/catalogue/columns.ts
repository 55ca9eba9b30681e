/** Columns and foreign keys of relations, from rows of the catalogs. */
import type { Cascade, Column, Reference } from '../catalogue.ts'
import type { Rows } from './rows.ts'

const NO_COLUMNS: readonly Column[] = Object.freeze([])

export function columnsOf(
  rows: Rows,
  domains: ReadonlyMap<number, number>,
  computed: Rows,
): ReadonlyMap<number, readonly Column[]> {
  const sources = new Map<string, number[]>()
  for (const [relation, attnum, from] of computed) {
    const key = `${relation} ${attnum}`
    sources.set(key, [...(sources.get(key) ?? []), Number(from)])
  }
  const byRelation = new Map<number, Column[]>()
  for (const [relation, name, attnum, type, notNull] of rows) {
    const typeOid = Number(type)
    const computedFrom = sources.get(`${relation} ${attnum}`)
    const column = Object.freeze({
      name: name ?? '',
      attnum: Number(attnum),
      typeOid,
      baseTypeOid: baseOf(typeOid, domains),
      ...(notNull === 't' ? { notNull: true as const } : {}),
      ...(computedFrom === undefined ? {} : { computedFrom }),
    })
    const columns = byRelation.get(Number(relation))
    if (columns === undefined) byRelation.set(Number(relation), [column])
    else columns.push(column)
  }
  return byRelation
}

export function domainsOf(types: Rows): ReadonlyMap<number, number> {
  const domains = new Map<number, number>()
  for (const [oid, , , base] of types) if (base !== '0') domains.set(Number(oid), Number(base))
  return domains
}

function baseOf(type: number, domains: ReadonlyMap<number, number>): number {
  let base = type
  for (let next = domains.get(base); next !== undefined; next = domains.get(base)) base = next
  return base
}

const ON_DELETE: ReadonlyMap<string, Cascade['onDelete']> = new Map([
  ['c', 'delete'],
  ['n', 'update'],
  ['d', 'update'],
])

export function cascadesOf(
  rows: Rows,
  columns: ReadonlyMap<number, readonly Column[]>,
): ReadonlyMap<number, readonly Cascade[]> {
  const found = new Map<number, Cascade[]>()
  for (const [referred, referring, onDelete, onUpdate, key] of rows) {
    const keys = new Set((key ?? '').split(' ').map(Number))
    const named = (columns.get(Number(referred)) ?? NO_COLUMNS).filter(({ attnum }) => keys.has(attnum))
    const cascade = Object.freeze({
      oid: Number(referring),
      onDelete: ON_DELETE.get(onDelete ?? '') ?? null,
      onUpdate: Object.freeze(ON_DELETE.has(onUpdate ?? '') ? named.map(({ name }) => name) : []),
    })
    const known = found.get(Number(referred))
    if (known === undefined) found.set(Number(referred), [cascade])
    else known.push(cascade)
  }
  return found
}

export function referencesOf(rows: Rows): ReadonlyMap<number, readonly Reference[]> {
  const found = new Map<number, Reference[]>()
  for (const row of rows) {
    const [relation = 0, attnum = 0, oid = 0, theirs = 0] = row.map(Number)
    const reference = Object.freeze({ attnum, to: Object.freeze({ oid, attnum: theirs }) })
    const known = found.get(relation)
    if (known === undefined) found.set(relation, [reference])
    else known.push(reference)
  }
  return found
}
