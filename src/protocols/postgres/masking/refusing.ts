/** Why a statement cannot be masked, in words that help whoever wrote it to write another. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'

/** Where a masked column may not stand, and what to do instead. */
const REMEDIES = {
  'a select expression': 'select it as a bare column: it is masked on the way',
  'a subquery used as a value': 'join its table, and select it as a bare column',
  'a function in FROM': 'leave it out of the arguments of functions',
  WHERE: 'leave it out of WHERE',
  HAVING: 'leave it out of HAVING',
  'a join condition': 'join on columns that are not masked',
  'GROUP BY': 'leave it out of GROUP BY',
  'ORDER BY': 'order by columns that are not masked',
  DISTINCT: 'leave it out of the columns that DISTINCT compares',
  'a window definition': 'leave it out of PARTITION BY and ORDER BY',
  'UNION, INTERSECT or EXCEPT': 'run each of the queries on its own',
  'LIMIT or OFFSET': 'leave it out of LIMIT and OFFSET',
  VALUES: 'leave it out of VALUES',
  'a recursive query': 'leave it out of the columns of WITH RECURSIVE',
  'a list of column aliases': 'leave out the aliases of the columns',
  'a value to be written': 'masked values cannot be copied; leave it out',
  'a key that is written': 'leave the column out: whether it may be written tells who has the value',
  'SET of an UPDATE': 'masked values cannot be updated; leave it out of SET',
  'ON CONFLICT': 'name columns that are not masked in ON CONFLICT, and leave it out of what follows',
  MERGE: 'use INSERT, UPDATE or DELETE instead of MERGE',
  RETURNING: 'return it as a bare column: it is masked on the way',
  COPY: 'name the columns to copy, without it, or use SELECT',
  'a table or view made from a query': 'leave it out of the query',
  'a change of the schema': 'leave the change to whoever administers the database',
} as const
export type Place = keyof typeof REMEDIES

const WHOLE_ROW = 'name the columns that are needed instead of the whole row'

/** Thrown within planning only, and caught by it: this statement cannot be masked. */
export class Unmaskable extends Error {
  readonly refusal: Refusal

  constructor(because: Refusal) {
    super(because.message)
    this.refusal = because
  }
}

export function unsupported(message: string, remedy: string): Refusal {
  return refusal('obligation.unsupported', message, remedy)
}

export function masked(column: string, place: Place): Unmaskable {
  return new Unmaskable(unsupported(`column ${column} is masked and cannot be used in ${place}`, REMEDIES[place]))
}

export function wholeRow(column: string, place: Place): Unmaskable {
  return new Unmaskable(
    unsupported(`a whole row with the masked column ${column} cannot be used in ${place}`, WHOLE_ROW),
  )
}

export function because(message: string, remedy: string): Unmaskable {
  return new Unmaskable(unsupported(message, remedy))
}
