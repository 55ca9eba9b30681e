/** Idleness by what happens on channels: keepalives are no activity. */

/** How finely idleness is measured: it is noticed at most this part of its limit late. */
const PARTS = 4

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
      if (quiet < PARTS) return
      clearInterval(timer)
      idle()
    },
    Math.max(1, Math.ceil(ms / PARTS)),
  )
  // A session that only waits to be idle must not keep the process alive.
  timer.unref()
  return () => clearInterval(timer)
}
