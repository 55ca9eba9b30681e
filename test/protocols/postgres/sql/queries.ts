/** Random queries over customers, orders and items, whose columns are all text, so that most of them are valid. */
import fc from 'fast-check'

const TABLES: Readonly<Record<string, readonly string[]>> = {
  customers: ['id', 'name', 'ssn', 'email'],
  orders: ['id', 'customer_id', 'total', 'note'],
  items: ['id', 'order_id', 'sku', 'qty'],
}
const NAMES = Object.keys(TABLES)
/** Few, so that inner ones hide outer ones. */
const ALIASES = ['a', 'b', 'customers', 'orders', 'x']
const COLUMNS = ['id', 'name', 'ssn', 'email', 'customer_id', 'total', 'note', 'order_id', 'sku', 'qty', 'c1', 'c2']

interface Range {
  readonly alias: string
  readonly columns: readonly string[]
}

/** What a query may name where it stands. */
interface Place {
  readonly ranges: readonly Range[]
  readonly outer: readonly Range[]
  readonly ctes: readonly Range[]
  readonly depth: number
}

const NOWHERE: Place = { ranges: [], outer: [], ctes: [], depth: 0 }
const DEEPEST = 3

/** Draws numbers from a tape, so that fast-check can shrink what it finds. */
class Tape {
  readonly #numbers: readonly number[]
  #at = 0

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers
  }

  below(limit: number): number {
    const drawn = this.#numbers[this.#at % this.#numbers.length] ?? 0
    this.#at += 1
    return (drawn + this.#at * 7) % limit
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)]
    if (picked === undefined) throw new Error('nothing to pick from')
    return picked
  }

  chance(of: number): boolean {
    return this.below(100) < of
  }
}

export function query(): fc.Arbitrary<string> {
  const numbers = fc.array(fc.nat(9_999), { minLength: 20, maxLength: 160 })
  return numbers.map((tape) => selectOf(new Tape(tape), NOWHERE).sql)
}

interface Written {
  readonly sql: string
  readonly columns: readonly string[]
}

function selectOf(tape: Tape, place: Place): Written {
  const deeper = { ...place, depth: place.depth + 1 }
  const ctes: Range[] = [...place.ctes]
  const clauses: string[] = []
  if (place.depth < DEEPEST && tape.chance(30)) clauses.push(withOf(tape, deeper, ctes))
  const inside = { ...deeper, ctes }
  if (place.depth < DEEPEST && tape.chance(15)) {
    const [left, right] = [plain(tape, inside, 2), plain(tape, inside, 2)]
    const order = tape.chance(30) ? ` ORDER BY ${left.columns[0] ?? '1'}` : ''
    const operator = tape.pick(['UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT'])
    return { sql: `${clauses.join('')}(${left.sql}) ${operator} (${right.sql})${order}`, columns: left.columns }
  }
  const body = plain(tape, inside, 1 + tape.below(3))
  return { sql: clauses.join('') + body.sql, columns: body.columns }
}

function withOf(tape: Tape, place: Place, ctes: Range[]): string {
  const body = selectOf(tape, { ...place, ranges: [], ctes: [...ctes] })
  const alias = tape.pick(ALIASES)
  const renamed = tape.chance(30) && body.columns.length > 1
  const columns = renamed ? ['c1', ...body.columns.slice(1)] : body.columns
  ctes.unshift({ alias, columns })
  return `WITH ${alias}${renamed ? ' (c1)' : ''} AS (${body.sql}) `
}

function plain(tape: Tape, place: Place, width: number): Written {
  const ranges: Range[] = []
  const from: string[] = []
  const count = 1 + tape.below(2)
  for (let at = 0; at < count; at += 1) {
    const { sql, adds } = fromOf(tape, { ...place, ranges }, new Set(ranges.map((range) => range.alias)))
    from.push(sql)
    ranges.push(...adds)
  }
  const here = { ...place, ranges }
  const columns: string[] = []
  const targets: string[] = []
  for (let at = 0; at < width; at += 1) {
    const name = tape.chance(50) ? tape.pick(COLUMNS) : `o${at}`
    columns.push(name)
    targets.push(`${expression(tape, here)} AS ${name}`)
  }
  if (width === 1 && tape.chance(10) && place.depth === 1)
    targets.push(tape.chance(50) ? '*' : `${tape.pick(ranges).alias}.*`)
  const where = tape.chance(50) ? ` WHERE ${condition(tape, here)}` : ''
  const order = tape.chance(25) ? ` ORDER BY ${tape.chance(60) ? tape.pick(columns) : expression(tape, here)}` : ''
  return { sql: `SELECT ${targets.join(', ')} FROM ${from.join(', ')}${where}${order}`, columns }
}

interface From {
  readonly sql: string
  readonly adds: readonly Range[]
}

function fromOf(tape: Tape, place: Place, taken: ReadonlySet<string>): From {
  const free = ALIASES.filter((alias) => !taken.has(alias))
  const alias = free[tape.below(Math.max(1, free.length))] ?? `z${taken.size}`
  const kind = place.depth < DEEPEST ? tape.below(100) : 0
  if (kind < 45) return table(tape, place, alias)
  if (kind < 65) {
    const lateral = tape.chance(40)
    const outer = [...(lateral ? place.ranges : []), ...place.outer]
    const inner = selectOf(tape, { ...place, ranges: [], outer })
    const renamed = tape.chance(25)
    const columns = renamed ? ['c2', ...inner.columns.slice(1)] : inner.columns
    return {
      sql: `${lateral ? 'LATERAL ' : ''}(${inner.sql}) AS ${alias}${renamed ? ' (c2)' : ''}`,
      adds: [{ alias, columns }],
    }
  }
  if (kind < 75) {
    const left = table(tape, place, alias)
    const other = ALIASES.find((name) => name !== alias && !taken.has(name))
    const right = table(tape, place, other ?? `y${taken.size}`)
    const all = [...left.adds, ...right.adds]
    const common = (left.adds[0]?.columns ?? []).filter((name) => right.adds[0]?.columns.includes(name) === true)
    if (common.length > 0 && tape.chance(50)) {
      const how = tape.chance(50)
        ? { sql: `${left.sql} NATURAL JOIN ${right.sql}` }
        : { sql: `${left.sql} JOIN ${right.sql} USING (${common[0]})` }
      return { ...how, adds: all }
    }
    return { sql: `${left.sql} JOIN ${right.sql} ON ${condition(tape, { ...place, ranges: all })}`, adds: all }
  }
  return table(tape, place, alias)
}

function table(tape: Tape, place: Place, alias: string): From {
  if (place.ctes.length > 0 && tape.chance(40)) {
    const cte = tape.pick(place.ctes)
    return { sql: `${cte.alias} AS ${alias}`, adds: [{ alias, columns: cte.columns }] }
  }
  const name = tape.pick(NAMES)
  const schema = tape.chance(30) ? 'public.' : ''
  const columns = TABLES[name] ?? []
  if (tape.chance(20))
    return { sql: `${schema}${name} AS ${alias} (c1)`, adds: [{ alias, columns: ['c1', ...columns.slice(1)] }] }
  if (tape.chance(20)) return { sql: `${schema}${name}`, adds: [{ alias: name, columns }] }
  return { sql: `${schema}${name} AS ${alias}`, adds: [{ alias, columns }] }
}

function column(tape: Tape, place: Place): string {
  const ranges = tape.chance(75) || place.outer.length === 0 ? place.ranges : place.outer
  if (ranges.length === 0) return "'k'"
  const range = tape.pick(ranges)
  const name = range.columns.length === 0 ? 'id' : tape.pick(range.columns)
  if (tape.chance(8)) return `${range.alias}::text`
  if (tape.chance(8)) return `(${range.alias}).${name}`
  if (tape.chance(5)) return `${name}(${range.alias})`
  return tape.chance(45) ? name : `${range.alias}.${name}`
}

function expression(tape: Tape, place: Place): string {
  const kind = tape.below(100)
  if (kind < 60) return column(tape, place)
  if (kind < 68) return `(${column(tape, place)} || ${column(tape, place)})`
  if (kind < 76) return `coalesce(${column(tape, place)}, 'x')`
  if (kind < 84) return `CASE WHEN ${condition(tape, place)} THEN ${column(tape, place)} ELSE 'n' END`
  if (kind < 90) return `lower(${column(tape, place)})`
  if (place.depth >= DEEPEST) return `'k'`
  const inner = plain(
    tape,
    { ...place, ranges: [], outer: [...place.ranges, ...place.outer], depth: place.depth + 1 },
    1,
  )
  return `(${inner.sql} LIMIT 1)`
}

function condition(tape: Tape, place: Place): string {
  const kind = tape.below(100)
  if (kind < 60) return `${column(tape, place)} = ${column(tape, place)}`
  if (kind < 75) return `${column(tape, place)} IS NOT NULL`
  if (kind < 85) return `(${column(tape, place)} > 'a' OR NOT ${column(tape, place)} LIKE 'b%')`
  if (place.depth >= DEEPEST) return 'true'
  const outer = [...place.ranges, ...place.outer]
  const inner = selectOf(tape, { ...place, ranges: [], outer, depth: place.depth + 1 })
  return `EXISTS (${inner.sql})`
}
