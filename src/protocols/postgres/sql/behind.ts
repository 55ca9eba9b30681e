/** Which relations are concerned when one is named: a table's rows are also read and written under other names. */
import type { Catalogue, Relation } from '../catalogue.ts'

/** A relation belongs to one snapshot, and so does what is behind it. */
const known = new WeakMap<Relation, readonly string[]>()

/**
 * `schema.name`, sorted, of what the relation shows, reads or writes: below it, whatever its rules and those of views
 * read and write, and children and partitions; and the parents of each of these, whose rows a child's rows are.
 */
export function behind(catalogue: Catalogue, relation: Relation): readonly string[] {
  const found = known.get(relation) ?? Object.freeze(namesOf(catalogue, relation))
  known.set(relation, found)
  return found
}

function namesOf(catalogue: Catalogue, relation: Relation): string[] {
  const below = reached(catalogue, [relation.oid], ({ reads, children }) => [...reads, ...children])
  const all = reached(catalogue, below, ({ parents }) => parents)
  all.delete(relation.oid)
  return [...all].map((oid) => nameOf(catalogue, oid)).sort()
}

function reached(catalogue: Catalogue, from: Iterable<number>, next: (of: Relation) => readonly number[]): Set<number> {
  const seen = new Set(from)
  for (const oid of seen) {
    const relation = catalogue.relationByOid(oid)
    if (relation !== undefined) for (const each of next(relation)) seen.add(each)
  }
  return seen
}

/** What the snapshot has no name for is another session's temporary relation: it is told, and is nobody's by name. */
function nameOf(catalogue: Catalogue, oid: number): string {
  const relation = catalogue.relationByOid(oid)
  return relation === undefined ? `oid ${oid}` : `${relation.schema}.${relation.name}`
}
