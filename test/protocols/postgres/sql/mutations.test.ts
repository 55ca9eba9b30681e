/** However a statement is written, it does what it does. */
import fc from 'fast-check'
import t from 'tap'
import { analysed, catalogue, facts, LIMITS, statement } from './fixture.ts'
import { analyse } from '../../../../src/protocols/postgres/sql/analyse.ts'
import { EXAMPLES } from './statements.ts'

const BASES = [
  'SELECT "ssn", pg_read_file($1) FROM "customers" WHERE "id" = $1',
  'DELETE FROM "orders" WHERE "id" IN (SELECT "id" FROM "customers")',
  'UPDATE "customers" SET "name" = lower("ssn") FROM "orders" WHERE "customers"."id" = "customer_id"',
  'INSERT INTO "orders" ("id", "note") SELECT "id", "email" FROM "customers" RETURNING "total"',
  'WITH "x" AS (DELETE FROM "audited" RETURNING "note") SELECT "note" FROM "x"',
  'MERGE INTO "customers" USING "orders" ON "customers"."id" = "customer_id" WHEN MATCHED THEN DELETE',
  'SELECT "c" FROM "customers" "c" JOIN "orders" "o" USING ("id") ORDER BY "o"."total" FOR UPDATE',
]

/** Words of these statements that are keywords or unquoted functions. */
const TOKENS = /"[a-z_]+"|\$\d|[A-Za-z_]+|[^\sA-Za-z_"$]|\s+/g
const SPACES = [' ', '\n', '\t', '\r\n', ' /* a */ ', ' /* a /* nested */ */ ', ' -- x\n', '\f', ' /*\' " $$*/ ']
const IDENTIFIERS: readonly ((name: string) => string)[] = [
  (name) => `"${name}"`,
  (name) => name,
  (name) => name.toUpperCase(),
  (name) => `U&"${[...name].map((letter) => `\\${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`,
  (name) => `u&"!00${name.charCodeAt(0).toString(16)}${name.slice(1)}" UESCAPE '!'`,
]

/** `choices` is used again from its start when it ends. */
function written(sql: string, choices: readonly number[]): string {
  let at = 0
  const choose = <T>(from: readonly T[]): T => {
    at += 1
    const chosen = from[(choices[at % choices.length] ?? 0) % from.length]
    if (chosen === undefined) throw new Error('nothing to choose from')
    return chosen
  }
  const tokens = sql.match(TOKENS) ?? []
  return tokens
    .map((token) => {
      if (token.startsWith('"')) return choose(IDENTIFIERS)(token.slice(1, -1))
      if (/^\s/.test(token)) return choose(SPACES)
      return /^[a-z]/i.test(token) ? choose([token, token.toLowerCase(), token.toUpperCase()]) : token
    })
    .join('')
}

const choices = fc.array(fc.nat(99), { minLength: 5, maxLength: 60 })

void t.test('comments, case, quoting and Unicode escapes change no fact', async (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...BASES), choices, (sql, tape) => {
      const mutated = written(sql, tape)
      t.same(facts(mutated), facts(sql), mutated)
    }),
    { numRuns: 300 },
  )
})

/** Statements around a statement; each keeps all that it does. */
const AROUND: readonly ((sql: string) => string)[] = [
  (sql) => `EXPLAIN ANALYZE ${sql}`,
  (sql) => `EXPLAIN (COSTS off, ANALYZE true) ${sql}`,
  (sql) => `PREPARE wrapped AS ${sql}`,
  (sql) => `SELECT 1 ; ${sql}`,
  (sql) => `${sql} ; COMMIT`,
]
/** For queries, and writes with RETURNING. */
const NESTED: readonly ((sql: string) => string)[] = [
  (sql) => `WITH wrapped AS (${sql}) SELECT 1`,
  (sql) => `WITH a AS (SELECT 1), wrapped AS MATERIALIZED (${sql}), b AS (SELECT 2) SELECT * FROM a, b`,
  (sql) => `COPY (${sql}) TO STDOUT`,
  (sql) => `WITH wrapped AS (${sql}) INSERT INTO customers SELECT * FROM wrapped`,
]
/** For queries alone. */
const INSIDE: readonly ((sql: string) => string)[] = [
  (sql) => `SELECT 1 FROM (${sql}) wrapped`,
  (sql) => `SELECT * FROM orders WHERE EXISTS (${sql})`,
  (sql) => `SELECT (${sql})`,
  (sql) => `SELECT 1 UNION ALL (${sql})`,
  (sql) => `SELECT array(${sql})`,
  (sql) => `DECLARE wrapped CURSOR FOR ${sql}`,
  (sql) => `CREATE VIEW wrapped AS ${sql}`,
  (sql) => `CREATE TABLE wrapped AS ${sql}`,
  (sql) => `INSERT INTO orders ${sql}`,
  (sql) => `SELECT 1 FROM customers c, LATERAL (${sql}) wrapped`,
  (sql) => `SELECT CASE WHEN true THEN (${sql}) END`,
  (sql) => `SELECT sum(1) OVER (ORDER BY (${sql})) FROM orders`,
  (sql) => `SELECT 1 FROM orders LIMIT (${sql})`,
  (sql) => `SELECT json_array(${sql})`,
]

interface Kept {
  readonly effects: ReadonlySet<string>
  readonly relations: ReadonlySet<string>
  readonly functions: ReadonlySet<string>
}

function kept(sql: string): Kept {
  const analysis = analysed(sql)
  if (analysis.kind === 'refused') throw new Error(`${analysis.refusal.message}: ${sql}`)
  const all = analysis.statements.map(({ shape }) => shape.detail as unknown as ReturnType<typeof facts>)
  const columns = all.flatMap(({ relations }) =>
    relations.flatMap((each) => ['', ...each.columns].map((column) => `${each.name} ${each.access} ${column}`)),
  )
  return {
    effects: new Set(all.flatMap((each) => each.effects)),
    relations: new Set(columns),
    functions: new Set(all.flatMap((each) => each.functions.map(({ name, class: its }) => `${name} ${its}`))),
  }
}

/** A whole row holds each of its columns. */
function has(columns: ReadonlySet<string>, one: string): boolean {
  return columns.has(one) || columns.has(one.replace(/\w*$/, '*'))
}

void t.test('nothing that a statement does is lost inside another one', async (t) => {
  const queries = [
    'SELECT ssn, pg_read_file($1) FROM customers WHERE id = $1',
    'SELECT c FROM customers c WHERE lower(ssn) > $1',
  ]
  const writes = [
    'DELETE FROM orders WHERE id IN (SELECT ssn FROM customers) RETURNING note',
    'UPDATE customers SET name = mine(ssn) RETURNING *',
    'INSERT INTO audited (id) SELECT email FROM customers RETURNING id',
  ]
  const wrappings = fc.tuple(
    fc.oneof(
      fc.tuple(
        fc.constantFrom(...queries),
        fc.array(fc.constantFrom(...INSIDE.slice(0, 5)), { maxLength: 3 }),
        fc.constantFrom(...INSIDE, ...NESTED),
      ),
      fc.tuple(fc.constantFrom(...writes), fc.constant([]), fc.constantFrom(...NESTED)),
    ),
    fc.option(fc.constantFrom(...AROUND)),
  )
  fc.assert(
    fc.property(wrappings, ([[sql, inner, outer], around]) => {
      const nested = outer(inner.reduce((text, wrap) => wrap(text), sql))
      const whole = around === null || /^(COPY|DECLARE|CREATE)/.test(nested) ? nested : around(nested)
      const [before, after] = [kept(sql), kept(whole)]
      for (const effect of before.effects) t.ok(after.effects.has(effect), `${effect} of ${whole}`)
      for (const column of before.relations) t.ok(has(after.relations, column), `${column} of ${whole}`)
      for (const called of before.functions) t.ok(after.functions.has(called), `${called} of ${whole}`)
    }),
    { numRuns: 300 },
  )
})

void t.test('no text makes the analysis throw, and what it gives is the same each time', async (t) => {
  const words = Object.values(EXAMPLES).flatMap(([sql]) => sql.split(/(?<=\W)|(?=\W)/))
  const text = fc.oneof(
    fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((some) => some.join('')),
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.constantFrom(...Object.values(EXAMPLES).map(([sql]) => sql)), fc.nat(), fc.constantFrom(...words))
      .map(([sql, at, word]) => sql.slice(0, at % sql.length) + word + sql.slice(at % sql.length)),
  )
  fc.assert(
    fc.property(text, (sql) => {
      t.same(analyse(sql, catalogue, LIMITS), analyse(sql, catalogue, LIMITS))
    }),
    { numRuns: 500 },
  )
})

void t.test('a statement that cannot be parsed is never one that does nothing', async (t) => {
  for (const sql of [
    'DELETE FROM orders \\',
    'DELETE FROM orders\u00a0',
    'DELETE FROM orders WHERE',
    "DELETE FROM orders '",
  ]) {
    const analysis = analysed(sql)
    t.ok(analysis.kind === 'refused' || analysis.statements.some(({ shape }) => shape.action === 'delete'), sql)
  }
  t.equal(statement('DELETE FROM orders--').shape.action, 'delete')
})
