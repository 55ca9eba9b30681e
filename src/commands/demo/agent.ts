/** The agent: an ordinary program with an ordinary PostgreSQL driver, which knows nothing of the gate. */
import type { Client, DatabaseError, QueryResult } from 'pg'
import type { Paint } from '../../config/printout.ts'
import { DemoError } from './database.ts'
import { table } from './panels.ts'
import type { Step } from './scenes.ts'

/** Rows of one result that are printed. */
const ROWS = 6

export type Seen =
  | { readonly kind: 'rows'; readonly result: QueryResult<Record<string, unknown>> }
  | { readonly kind: 'error'; readonly error: DatabaseError }

export async function connect(config: {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password?: string
  readonly database: string
}): Promise<Client> {
  const { default: pg } = await import('pg').catch((error: unknown) => {
    throw new DemoError('the demo needs the package pg: run `make deps`', { cause: error })
  })
  const client = new pg.Client(config)
  // What ends the connection also rejects the query that is under way.
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Does a step and says what the driver gave back. Whatever is not PostgreSQL's own answer is thrown. */
export async function perform(client: Client, { sql, values }: Step): Promise<Seen> {
  try {
    const query = values === undefined ? { text: sql } : { text: sql, values: [...values] }
    return { kind: 'rows', result: await client.query<Record<string, unknown>>(query) }
  } catch (error) {
    if (isDatabaseError(error)) return { kind: 'error', error }
    throw error
  }
}

function isDatabaseError(error: unknown): error is DatabaseError {
  return error instanceof Error && 'severity' in error && 'code' in error
}

function text(value: unknown): string {
  if (value === null) return '∅'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The driver's answer, as a person would print it. */
export function describe(seen: Seen, paint: Paint): string[] {
  if (seen.kind === 'rows') {
    const { command, rowCount, fields, rows } = seen.result
    if (fields.length === 0) return [paint.green(`${command}${rowCount === null ? '' : ` ${rowCount}`}`)]
    const names = fields.map(({ name }) => name)
    const cells = rows.map((row) => names.map((name) => text(row[name])))
    return [...table(names, cells, ROWS, paint), paint.green(`${rows.length} row${rows.length === 1 ? '' : 's'}`)]
  }
  const { severity, code, message, detail, hint } = seen.error
  const lines = [paint.red(`${severity ?? 'ERROR'}  ${code ?? ''}`), message]
  if (detail !== undefined) lines.push(`DETAIL  ${detail}`)
  if (hint !== undefined) lines.push(`HINT    ${hint}`)
  return lines
}
