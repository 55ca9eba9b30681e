/** A connection of Sidegate's own to the target, for what it asks itself: simple queries, text rows, one at a time. */
import { NetError } from '../../../net/errors.ts'
import { NONE, FRAME } from '../framing.ts'
import { type BackendKeyData, decodeDataRow, decodeErrorResponse } from '../messages/backend.ts'
import { encodeQuery, encodeTerminate } from '../messages/frontend-writing.ts'
import { BACKEND, BACKEND_NAMES } from '../messages/types.ts'
import { ProtocolViolation } from '../messages/violation.ts'
import { connectUpstream, type UpstreamRequest } from '../upstream.ts'
import type { UpstreamConfig } from './tls.ts'

/** All answers that Sidegate asks for are catalogs: even those of huge databases are smaller. */
const LARGEST_ANSWER = 256 * 1024 ** 2
/** One value of a catalog is at most a view's definition. */
const LARGEST_ROW = 64 * 1024 ** 2

/** The target refused the query, or the answer cannot be used. The message is for the operator. */
export class QueryError extends Error {
  readonly code = 'upstream.query'
  /** Empty where the target gave none. */
  readonly sqlstate: string

  constructor(message: string, sqlstate = '', cause?: unknown) {
    super(message, { cause })
    this.name = 'QueryError'
    this.sqlstate = sqlstate
  }
}

export interface Queries {
  /** All rows of the last statement, in text. Fails with a {@link QueryError}, or a NetError when the connection is lost. */
  query(sql: string): Promise<(string | null)[][]>
  /** As reported when connecting: `server_version` and its like. */
  readonly parameters: ReadonlyMap<string, string>
  /** By which a query of this connection can be cancelled. */
  readonly key: BackendKeyData
  readonly closed: boolean
  close(): void
}

interface Asked {
  readonly resolve: (rows: (string | null)[][]) => void
  readonly reject: (error: Error) => void
  rows: (string | null)[][]
  bytes: number
  error: QueryError | null
}

/** Fails with a ConnectionRefused. */
export async function openQueries(config: UpstreamConfig, request: UpstreamRequest): Promise<Queries> {
  const upstream = await connectUpstream(config, request)
  const { leg, reader } = upstream
  reader.pieceAbove = LARGEST_ROW
  let asked: Asked | null = null
  let lost: Error | null = null

  const fail = (error: Error) => {
    lost ??= error
    const waiting = asked
    asked = null
    waiting?.reject(lost)
    leg.destroy()
  }
  const advance = () => {
    try {
      for (let kind = reader.next(); kind !== NONE; kind = reader.next()) {
        if (kind !== FRAME) throw new QueryError(`a row of more than ${LARGEST_ROW} bytes`)
        if (asked === null) continue
        if (!message(asked, reader.type, reader.buffer, reader.start, reader.end)) continue
        const { resolve, reject, rows, error } = asked
        asked = null
        if (error === null) resolve(rows)
        else reject(error)
      }
    } catch (error) {
      fail(error as Error)
    }
  }
  upstream.handshake.handOver({
    chunk(bytes) {
      reader.feed(bytes)
      advance()
    },
    drain: () => {},
    end: () => fail(new NetError('net.aborted', 'the target closed the connection')),
    close: (error) => fail(error ?? new NetError('net.aborted', 'the connection to the target was lost')),
  })
  advance()

  return {
    parameters: upstream.parameters,
    key: upstream.key,
    get closed() {
      return lost !== null || !leg.open
    },
    async query(sql) {
      if (lost !== null) throw lost
      if (asked !== null) throw new QueryError('a query is running already')
      return await new Promise((resolve, reject) => {
        asked = { resolve, reject, rows: [], bytes: 0, error: null }
        leg.write(encodeQuery(sql))
      })
    },
    close() {
      lost ??= new NetError('net.aborted', 'the connection was closed')
      leg.end(encodeTerminate())
    },
  }
}

/** Takes one message of an answer; true at its end. */
function message(asked: Asked, type: number, buffer: Buffer, start: number, end: number): boolean {
  switch (type) {
    case BACKEND.RowDescription:
      asked.rows = []
      return false
    case BACKEND.DataRow:
      asked.bytes += end - start
      if (asked.bytes > LARGEST_ANSWER) throw new QueryError(`an answer of more than ${LARGEST_ANSWER} bytes`)
      asked.rows.push(decodeDataRow(buffer, start, end).map((value) => value?.toString('utf8') ?? null))
      return false
    case BACKEND.ErrorResponse: {
      const fields = decodeErrorResponse(buffer, start, end)
      asked.error ??= new QueryError(fields.get('M') ?? 'the target gave an error', fields.get('C'))
      return false
    }
    case BACKEND.ReadyForQuery:
      return true
    case BACKEND.CommandComplete:
    case BACKEND.EmptyQueryResponse:
    case BACKEND.NoticeResponse:
    case BACKEND.NotificationResponse:
    case BACKEND.ParameterStatus:
      return false
    default:
      throw new ProtocolViolation('an answer', `${BACKEND_NAMES[type] ?? type} is not expected`)
  }
}
