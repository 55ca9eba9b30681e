/**
 * The message types of protocol 3.x by direction, with PostgreSQL's own names and the most that each may carry.
 * https://www.postgresql.org/docs/18/protocol-message-formats.html
 */

/** `whole` frames are held in memory to be read; `streamed` ones may be given in pieces. */
type Size = 'small' | 'large' | 'streamed'

/** The server's own limit for messages without a text or values: PQ_SMALL_MESSAGE_LIMIT. */
export const SMALL_MESSAGE = 10_000
/** The server's own limit for passwords and tokens: PG_MAX_AUTH_TOKEN_LENGTH. */
export const AUTHENTICATION_MESSAGE = 65_535
/** The most that PostgreSQL allocates at once (MaxAllocSize): no frame of its own is larger. */
export const LARGEST_FRAME = 0x3fffffff

const frontend = {
  Q: { name: 'Query', size: 'large' },
  P: { name: 'Parse', size: 'large' },
  B: { name: 'Bind', size: 'large' },
  D: { name: 'Describe', size: 'small' },
  E: { name: 'Execute', size: 'small' },
  C: { name: 'Close', size: 'small' },
  S: { name: 'Sync', size: 'small' },
  H: { name: 'Flush', size: 'small' },
  F: { name: 'FunctionCall', size: 'large' },
  X: { name: 'Terminate', size: 'small' },
  d: { name: 'CopyData', size: 'streamed' },
  c: { name: 'CopyDone', size: 'small' },
  f: { name: 'CopyFail', size: 'large' },
} as const satisfies Record<string, { name: string; size: Size }>

const backend = {
  R: { name: 'Authentication', size: 'large' },
  K: { name: 'BackendKeyData', size: 'small' },
  S: { name: 'ParameterStatus', size: 'large' },
  Z: { name: 'ReadyForQuery', size: 'small' },
  T: { name: 'RowDescription', size: 'large' },
  t: { name: 'ParameterDescription', size: 'large' },
  D: { name: 'DataRow', size: 'streamed' },
  C: { name: 'CommandComplete', size: 'large' },
  I: { name: 'EmptyQueryResponse', size: 'small' },
  s: { name: 'PortalSuspended', size: 'small' },
  n: { name: 'NoData', size: 'small' },
  1: { name: 'ParseComplete', size: 'small' },
  2: { name: 'BindComplete', size: 'small' },
  3: { name: 'CloseComplete', size: 'small' },
  E: { name: 'ErrorResponse', size: 'large' },
  N: { name: 'NoticeResponse', size: 'large' },
  A: { name: 'NotificationResponse', size: 'large' },
  v: { name: 'NegotiateProtocolVersion', size: 'small' },
  G: { name: 'CopyInResponse', size: 'large' },
  H: { name: 'CopyOutResponse', size: 'large' },
  d: { name: 'CopyData', size: 'streamed' },
  c: { name: 'CopyDone', size: 'small' },
  V: { name: 'FunctionCallResponse', size: 'large' },
} as const satisfies Record<string, { name: string; size: Size }>

const authentication = {
  p: { name: 'PasswordMessage', size: 'large' },
} as const satisfies Record<string, { name: string; size: Size }>

/** What a frame reader must know of a direction. Indexed by the type byte. */
export interface FrameTable {
  /** The most bytes after the type byte (the length word counts itself); 0 where the type is unknown. */
  readonly caps: Float64Array
  /** 1 where frames may be given in runs and pieces. */
  readonly streamed: Uint8Array
  readonly names: readonly (string | undefined)[]
}

function table(types: Record<string, { name: string; size: Size }>, large: number): FrameTable {
  const caps = new Float64Array(256)
  const streamed = new Uint8Array(256)
  const names: (string | undefined)[] = Array.from({ length: 256 })
  const limits: Record<Size, number> = { small: SMALL_MESSAGE, large, streamed: LARGEST_FRAME }
  for (const [letter, { name, size }] of Object.entries(types)) {
    const type = letter.charCodeAt(0)
    caps[type] = limits[size]
    streamed[type] = size === 'streamed' ? 1 : 0
    names[type] = name
  }
  return { caps, streamed, names }
}

/** What an agent sends after it is authenticated; `large` is the target's `limits.message`. */
export const frontendTable = (large: number): FrameTable => table(frontend, large)
/** What a server sends; `large` bounds what is held in memory to be read. */
export const backendTable = (large: number): FrameTable => table(backend, large)
/** What an agent sends while it authenticates. */
export const AUTHENTICATION_TABLE: FrameTable = table(authentication, AUTHENTICATION_MESSAGE)

function codes<Types extends Record<string, { name: string; size: Size }>>(types: Types) {
  const entries = Object.entries(types).map(([letter, { name }]) => [name, letter.charCodeAt(0)])
  return Object.freeze(Object.fromEntries(entries)) as {
    readonly [Letter in keyof Types as Types[Letter]['name']]: number
  }
}

/** Type bytes by name: `FRONTEND.Query`. */
export const FRONTEND = codes(frontend)
export const BACKEND = codes(backend)
export const PASSWORD_MESSAGE = 0x70
/** Names by type byte, for messages to people. */
export const BACKEND_NAMES = backendTable(0).names
