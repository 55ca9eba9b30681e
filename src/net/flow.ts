/** Keeps two legs at one pace: whoever produces faster than the other side takes is not read from meanwhile. */
import type { Leg } from './leg.ts'

const FULL = 'peer-is-slow'

/** Writes to `sink` what came from `source`; `source` pauses while too much waits. Returns false while it is paused. */
export function forward(source: Leg, sink: Leg, bytes: Uint8Array): boolean {
  if (sink.write(bytes)) return true
  source.pause(FULL)
  return false
}

/** To be called from the sink's `drain`. */
export function drained(source: Leg): void {
  source.resume(FULL)
}
