/** Timeouts that cost nothing per message: a deadline is one timer, idleness is read off the sockets' own counters. */
import type { Leg } from './leg.ts'

/** Calls back once after `ms`, unless it is called off before. Zero is never. */
export function deadline(ms: number, expired: () => void): () => void {
  if (ms === 0) return () => {}
  const timer = setTimeout(expired, ms)
  return () => clearTimeout(timer)
}

/** How finely idleness is measured: it is noticed at most this part of its limit late. */
const IDLE_PARTS = 4

/** Calls back once when `count` stood still for `ms`. Zero is never. The returned function ends the watch. */
export function watchActivity(count: () => number, ms: number, idle: () => void): () => void {
  if (ms === 0) return () => {}
  let seen = count()
  let quiet = 0
  const timer = setInterval(
    () => {
      const now = count()
      quiet = now === seen ? quiet + 1 : 0
      seen = now
      if (quiet < IDLE_PARTS) return
      clearInterval(timer)
      idle()
    },
    Math.max(1, Math.ceil(ms / IDLE_PARTS)),
  )
  // A session that only waits to be idle must not keep the process alive.
  timer.unref()
  return () => clearInterval(timer)
}

/** The same of the bytes that come and go on any of the legs. */
export function watchIdle(legs: () => readonly Leg[], ms: number, idle: () => void): () => void {
  return watchActivity(() => traffic(legs()), ms, idle)
}

function traffic(legs: readonly Leg[]): number {
  return legs.reduce((sum, { socket }) => sum + socket.bytesRead + socket.bytesWritten - socket.writableLength, 0)
}
