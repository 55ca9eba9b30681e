/** The numbers and bounds of SFTP version 3 (draft-ietf-secsh-filexfer-02), the version that OpenSSH speaks. */

export const VERSION_3 = 3

/** What a client sends. */
export const REQUEST = {
  INIT: 1,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  WRITE: 6,
  LSTAT: 7,
  FSTAT: 8,
  SETSTAT: 9,
  FSETSTAT: 10,
  OPENDIR: 11,
  READDIR: 12,
  REMOVE: 13,
  MKDIR: 14,
  RMDIR: 15,
  REALPATH: 16,
  STAT: 17,
  RENAME: 18,
  READLINK: 19,
  SYMLINK: 20,
  EXTENDED: 200,
} as const

/** What a server sends. */
export const REPLY = {
  VERSION: 2,
  STATUS: 101,
  HANDLE: 102,
  DATA: 103,
  NAME: 104,
  ATTRS: 105,
  EXTENDED_REPLY: 201,
} as const
export type ReplyType = (typeof REPLY)[keyof typeof REPLY]

/** The codes of STATUS, `SSH_FX_…`. */
export const STATUS = {
  OK: 0,
  EOF: 1,
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  NO_CONNECTION: 6,
  CONNECTION_LOST: 7,
  OP_UNSUPPORTED: 8,
} as const

const STATUS_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(STATUS).map(([name, code]) => [code, `SSH_FX_${name}`]),
)

/** The draft's name of a STATUS code; the number where it has none. */
export function statusName(code: number): string {
  return STATUS_NAMES.get(code) ?? String(code)
}

/** `pflags` of OPEN. */
export const OPEN_FLAG = { READ: 1, WRITE: 2, APPEND: 4, CREAT: 8, TRUNC: 16, EXCL: 32 } as const

/** The first word of ATTRS says which fields follow. */
export const ATTRIBUTE = { SIZE: 1, UIDGID: 2, PERMISSIONS: 4, ACMODTIME: 8, EXTENDED: 0x8000_0000 } as const

/** What OpenSSH's client and server take, `SFTP_MAX_MSG_LENGTH`: larger packets end its connections too. */
export const LARGEST_PACKET = 256 * 1024
/** What OpenSSH leaves of a packet for the content of a file, `SFTP_MAX_READ_LENGTH`. */
export const LARGEST_CONTENT = LARGEST_PACKET - 1024
/** Packets without content or listings hold two paths and attributes; what is a little too long gets a STATUS. */
const LARGEST_SMALL_PACKET = 32 * 1024
/** The draft's own bound: "The length of the handle string MUST NOT exceed 256 data bytes". */
export const LARGEST_HANDLE = 256

/** Which types one direction has, with the largest length of each. */
export interface PacketTable {
  readonly caps: Uint32Array
  readonly names: readonly (string | undefined)[]
}

const LARGE: ReadonlySet<number> = new Set([REQUEST.WRITE, REPLY.DATA, REPLY.NAME, REPLY.EXTENDED_REPLY])

function table(types: Readonly<Record<string, number>>): PacketTable {
  const caps = new Uint32Array(256)
  const names: (string | undefined)[] = Array.from({ length: 256 })
  for (const [name, type] of Object.entries(types)) {
    caps[type] = LARGE.has(type) ? LARGEST_PACKET : LARGEST_SMALL_PACKET
    names[type] = name
  }
  return { caps, names }
}

export const REQUEST_TABLE: PacketTable = table(REQUEST)
export const REPLY_TABLE: PacketTable = table(REPLY)
