import type pg from 'pg'
import type { Query } from '../../../../src/protocols/postgres/catalogue/loader.ts'

const AS_TEXT = { getTypeParser: () => (value: unknown) => value }

/** The query function that the catalogue is read with, over an ordinary driver. */
export function textQuery(client: pg.Client): Query {
  return async (sql) => {
    const { rows } = await client.query({ text: sql, rowMode: 'array', types: AS_TEXT })
    return rows as (string | null)[][]
  }
}
