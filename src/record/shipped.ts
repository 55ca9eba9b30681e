/** How far shipping got, in a small file beside the segments. Never ahead of the truth: what it does not know of is sent again. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export interface Shipped {
  readonly instance: string
  /** The first half of the entries' ids. */
  readonly epoch: number
  /** All records up to here are in Redis. */
  readonly position: number
  /** The stream that the last of them is in; absent where that is not known. */
  readonly stream?: string
}

const NAME = 'shipped'

/** null where there is none, or another instance's. */
export function readShipped(directory: string, instance: string): Shipped | null {
  try {
    const stored = JSON.parse(readFileSync(join(directory, NAME), 'utf8')) as Partial<Shipped>
    const { epoch, position, stream } = stored
    if (stored.instance !== instance || !isCount(epoch) || !isCount(position)) return null
    return { instance, epoch, position, ...(typeof stream === 'string' ? { stream } : {}) }
  } catch {
    return null
  }
}

export function writeShipped(directory: string, shipped: Shipped): void {
  const path = join(directory, NAME)
  const fd = openSync(`${path}.new`, 'w', 0o600)
  try {
    writeSync(fd, JSON.stringify(shipped))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(`${path}.new`, path)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
