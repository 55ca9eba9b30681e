/**
 * Made-up statements over a small schema, in all the shapes in which names can be hidden behind names. Most of them name
 * what is there; some do not.
 */

/** What a name before the dot stands for; an empty name stands for nothing. */
interface Range {
  readonly name: string
  readonly columns: readonly string[]
}

interface From {
  readonly sql: string
  readonly ranges: readonly Range[]
}

interface Query {
  readonly sql: string
  readonly columns: readonly string[]
}

const TABLES: readonly (readonly [name: string, columns: readonly string[]])[] = [
  ['customers', ['id', 'name', 'ssn']],
  ['customers', ['id', 'name', 'ssn']],
  ['vip', ['id', 'name', 'ssn', 'perk']],
  ['orders', ['id', 'x', 'total', 'ssn']],
  ['events', ['id', 'ssn']],
  ['events_1', ['id', 'ssn']],
]
const ALIASES = ['c', 'o', 's', 'ssn', 'customers', 'w', 'old'] as const
const NAMES = ['id', 'name', 'ssn', 'x', 'y', 'c', 's', 'customers'] as const

export class Generator {
  #state: number
  #queries: Range[] = []

  constructor(seed: number) {
    this.#state = seed
  }

  statement(): string {
    if (this.#chance(0.85)) return this.#query(3, []).sql
    const from = this.#from(1, [])
    const target: Range = { name: 'c', columns: ['id', 'name', 'ssn'] }
    const ranges = [target, ...from.ranges]
    return this.#pick([
      () =>
        `update customers c set name = ${this.#expression(ranges, 1)}::text from ${from.sql} returning ${this.#targets(ranges, 1).sql}`,
      () =>
        `delete from customers c using ${from.sql} where ${this.#predicate(ranges, 1)} returning ${this.#targets([target], 1).sql}`,
      () =>
        `insert into orders (id, ssn) select ${this.#column(from.ranges)}, ${this.#column(from.ranges)} from ${from.sql} returning *`,
      () =>
        `insert into customers values (1, 'n', 's') on conflict (id) do update set name = ${this.#expression([target, { ...target, name: 'excluded' }], 1)}::text returning *`,
      () => `with w as (update customers c set name = 'x' returning ${this.#targets([target], 1).sql}) select * from w`,
    ])()
  }

  /** xorshift: small, and the same everywhere. */
  #random(): number {
    let x = this.#state | 0 || 88_675_123
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return (x >>> 0) / 2 ** 32
  }

  #chance(probability: number): boolean {
    return this.#random() < probability
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#random() * choices.length)] as T
  }

  #query(depth: number, outer: readonly Range[]): Query {
    const before = this.#queries
    const opening = depth > 0 && this.#chance(0.25) ? this.#with(depth - 1) : ''
    const query = this.#select(depth, outer)
    this.#queries = before
    return { sql: opening + query.sql, columns: query.columns }
  }

  #with(depth: number): string {
    const query = this.#query(depth, [])
    const name = this.#pick(['w', 'w', 'customers', 's'])
    const renamed = this.#chance(0.3) ? query.columns.map((_, index) => `a${index}`) : null
    this.#queries = [...this.#queries, { name, columns: renamed ?? query.columns }]
    const recursive = this.#chance(0.2) ? 'recursive ' : ''
    return `with ${recursive}${name}${renamed === null ? '' : ` (${renamed.join(', ')})`} as (${query.sql}) `
  }

  #select(depth: number, outer: readonly Range[]): Query {
    const from = this.#from(depth, outer)
    const ranges = [...from.ranges, ...(this.#chance(0.3) ? outer : [])]
    const targets = this.#targets(ranges, depth)
    let sql = `select ${this.#chance(0.04) ? 'distinct ' : ''}${targets.sql} from ${from.sql}`
    if (this.#chance(0.25)) sql += ` where ${this.#predicate(ranges, depth)}`
    if (this.#chance(0.04)) sql += ` group by ${this.#column(ranges)}`
    if (this.#chance(0.04)) sql = `${sql} union all ${sql}`
    else if (this.#chance(0.15))
      sql += ` order by ${this.#pick(['1', '2', 'id', this.#column(ranges), this.#pick(NAMES)])}`
    return { sql, columns: targets.columns }
  }

  #from(depth: number, outer: readonly Range[]): From {
    const choice = this.#random()
    if (depth > 0 && choice < 0.35) return this.#join(depth - 1, outer)
    if (depth > 0 && choice < 0.6) {
      const query = this.#query(depth - 1, [])
      return this.#aliased(`(${query.sql})`, null, query.columns)
    }
    if (choice < 0.64) return this.#aliased(this.#pick(['generate_series(1, 2)', 'unnest(array[1, 2])']), null, ['id'])
    if (this.#queries.length > 0 && choice < 0.8) {
      const { name, columns } = this.#pick(this.#queries)
      return this.#aliased(name, name, columns)
    }
    const [name, columns] = this.#pick(TABLES)
    return this.#aliased(`${this.#pick(['', '', 'public.', 'only '])}${name}`, name, columns)
  }

  #aliased(sql: string, name: string | null, columns: readonly string[]): From {
    if (name !== null && this.#chance(0.3)) return { sql, ranges: [{ name, columns }] }
    const alias = this.#pick(ALIASES)
    if (columns.length === 0 || this.#chance(0.7))
      return { sql: `${sql} as ${alias}`, ranges: [{ name: alias, columns }] }
    const some = columns.slice(0, 1 + Math.floor(this.#random() * columns.length)).map(() => this.#pick(NAMES))
    const renamed = columns.map((column, index) => some[index] ?? column)
    return { sql: `${sql} as ${alias} (${some.join(', ')})`, ranges: [{ name: alias, columns: renamed }] }
  }

  #join(depth: number, outer: readonly Range[]): From {
    const left = this.#from(depth, outer)
    const lateral = depth > 0 && this.#chance(0.2) ? this.#query(depth - 1, left.ranges) : null
    const right =
      lateral === null ? this.#from(depth, outer) : this.#aliased(`lateral (${lateral.sql})`, null, lateral.columns)
    const ranges = [...left.ranges, ...right.ranges]
    const how = this.#pick(['join', 'left join', 'full join', 'cross join', 'natural join', ','])
    const on = this.#pick([
      'using (id)',
      'using (id) as u',
      'on true',
      `on ${this.#column(left.ranges)}::text = ${this.#column(right.ranges)}::text`,
    ])
    const sql = `${left.sql} ${how} ${right.sql}${how.endsWith('n') && !/cross|natural/.test(how) ? ` ${on}` : ''}`
    if (how === ',' || this.#chance(0.9)) return { sql, ranges }
    return { sql: `(${sql}) as j`, ranges: [{ name: 'j', columns: ranges.flatMap((range) => range.columns) }] }
  }

  #targets(ranges: readonly Range[], depth: number): Query {
    const parts: string[] = []
    const columns: string[] = []
    for (let left = 1 + Math.floor(this.#random() * 3); left > 0; left--) {
      const range = this.#pick(ranges)
      if (range !== undefined && this.#chance(0.2)) {
        const all = this.#chance(0.5)
        parts.push(all ? '*' : `${range.name}.*`)
        columns.push(...(all ? ranges : [range]).flatMap((each) => each.columns))
        continue
      }
      const alias = this.#pick(NAMES)
      const value = this.#chance(0.85) ? this.#column(ranges) : this.#expression(ranges, depth)
      const named = this.#chance(0.3)
      parts.push(named ? `${value} as ${alias}` : value)
      columns.push(named ? alias : (value.split('.').at(-1) ?? value))
    }
    return { sql: parts.join(', '), columns }
  }

  #column(ranges: readonly Range[]): string {
    const range = this.#pick(ranges)
    if (range === undefined || this.#chance(0.03)) return this.#pick(NAMES)
    const name = range.columns.length === 0 || this.#chance(0.03) ? this.#pick(NAMES) : this.#pick(range.columns)
    return this.#chance(0.6) ? `${range.name}.${name}` : name
  }

  /** Mostly of columns that are not masked, or nothing would be left to run. */
  #plainColumn(ranges: readonly Range[]): string {
    const column = this.#column(ranges)
    return column.endsWith('ssn') && this.#chance(0.8) ? '1' : column
  }

  #expression(ranges: readonly Range[], depth: number): string {
    const range = this.#pick(ranges)?.name ?? 'c'
    const column = this.#plainColumn(ranges)
    return this.#pick([
      () => `${column}::text`,
      () => `lower(${column}::text)`,
      () => `coalesce(${column}::text, ${this.#plainColumn(ranges)}::text)`,
      () => 'count(*) over ()',
      () => `row_number() over (order by ${column})`,
      () => (this.#chance(0.2) ? `row_to_json(${range})::text` : column),
      () => (this.#chance(0.2) ? `(${range}).ssn` : column),
      () => (this.#chance(0.2) ? `${range}::text` : column),
      () => this.#scalar(ranges),
      () => this.#scalar(ranges),
      () => `exists (${this.#query(Math.min(depth - 1, 1), ranges).sql})`,
    ])()
  }

  #scalar(outer: readonly Range[]): string {
    const { sql, ranges } = this.#from(1, outer)
    return `(select ${this.#column(this.#chance(0.8) ? ranges : outer)} from ${sql} limit 1)`
  }

  #predicate(ranges: readonly Range[], depth: number): string {
    return `(${this.#expression(ranges, depth)})::text > '${this.#pick(['Q', 'Q', '2'])}'`
  }
}
