/** The log of the operator: JSON lines on standard output. It holds no secret, no statement and no row. */
import { type DestinationStream, type Logger, pino } from 'pino'

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** Synchronous, so that the last line before an exit is there. */
export function createLog(
  level: Level,
  destination: DestinationStream = pino.destination({ fd: 1, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorOf },
    },
    destination,
  )
}

/** Code and message of an error and of its causes. No stack below `debug`, and never properties that a library hung on it. */
export function errorOf(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return { code, message: error.message, ...(error.cause instanceof Error ? { cause: errorOf(error.cause) } : {}) }
}
