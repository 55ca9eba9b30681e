/** What can go wrong with records. The first two refuse commands (`REFUSALS` in gate/refusal.ts); the others end a start or a reading. */
export const RECORD_ERRORS = {
  'record.unavailable': 'the journal cannot be written',
  'record.spool-full': 'the journal is full of records that have not been shipped',
  'record.locked': 'another process writes to the journal',
  'record.corrupt': 'the journal was damaged',
  'record.foreign': 'the directory or stream does not hold records of this version of Sidegate',
  'record.redis': 'Redis cannot be reached',
  'record.shipping': 'records cannot be shipped',
  'record.session': 'there is no such session on record',
  'record.ambiguous': 'several sessions begin like that',
} as const satisfies Record<string, string>
export type RecordErrorCode = keyof typeof RECORD_ERRORS

/** `message` is for the operator and names files; the agent only ever sees the code's fixed text. */
export class RecordError extends Error {
  readonly code: RecordErrorCode

  constructor(code: RecordErrorCode, detail: string, cause?: unknown) {
    super(`${RECORD_ERRORS[code]}: ${detail}`, { cause })
    this.name = 'RecordError'
    this.code = code
  }
}

/** The system's word for a failure (`ENOSPC`), for records and status: never a message, which could name what it must not. */
export function errnoOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'UNKNOWN'
}

/** What goes wrong while a directory is opened to write, with a code. */
export function guarded<T>(directory: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (error instanceof RecordError) throw error
    throw new RecordError('record.unavailable', `${directory} (${errnoOf(error)})`, error)
  }
}

export function closedError(): RecordError {
  return new RecordError('record.unavailable', 'it is closed')
}
