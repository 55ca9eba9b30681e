/**
 * Looks a moment longer for an answer that is about to come, before the thread goes to sleep.
 *
 * A thread that sleeps is woken by the scheduler, and on a virtual machine whose processor has halted meanwhile that costs
 * 20–50 µs, twice a command: more than a local server takes for a row. So after a write the event loop goes on polling
 * for {@link WINDOW}, as a kernel does before it halts (`haltpoll`), on legs whose peers answer that soon. For one client that halves
 * what the sidecar adds, for no more processor time than sleeping and waking takes. A peer that takes longer is soon not waited for,
 * and while others want the processor nobody is.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Milliseconds: what waking takes, ours and that of a peer that slept too. */
const WINDOW = 0.1
/** An answer that came within this would have come within the window, had nobody slept. */
const WINDOW_ASLEEP = 2 * WINDOW
/** How many answers in time a peer is remembered for; what one that came late takes from it; and what a new peer has. */
const MOST = 8
const LATE = 2
const AT_FIRST = 2 * LATE

/**
 * Of so many polls, this many in which the thread was taken off its processor mean that others want it: polling then only makes them,
 * and the peer perhaps among them, wait. After {@link CROWDED_MS} it is tried again.
 */
const SAMPLE = 32
const INTERRUPTED = SAMPLE / 8
const CROWDED_MS = 1_000

/** Of the control group, version 2: quota and period in microseconds, or `max`. */
const QUOTA = '/sys/fs/cgroup/cpu.max'

let until = 0
let polling = false
let polls = worthwhile()
let sampled = 0
let interruptions = 0
let crowdedUntil = 0

/** Whether legs poll. With one processor the peer could not run meanwhile, and with less than one of quota it is no time to waste. */
function worthwhile(): boolean {
  if (availableParallelism() < 2) return false
  try {
    const [quota = 'max', period = ''] = readFileSync(QUOTA, 'utf8').split(' ')
    return quota === 'max' || Number(quota) >= Number(period)
  } catch {
    return true
  }
}

/** Turns polling on or off, for tests and where it is not wanted. */
export function usePolling(on: boolean): void {
  polls = on
}

/** One peer's habit of answering. */
export class Answering {
  #askedAt = 0
  #soon = AT_FIRST

  /** Something was sent that it may answer. */
  asked(): void {
    if (!polls) return
    const now = performance.now()
    this.#askedAt = now
    if (this.#soon === 0 || now < crowdedUntil) return
    if (sampled++ % SAMPLE === 0) look(now)
    until = now + WINDOW
    if (polling) return
    polling = true
    setImmediate(poll)
  }

  /** Something came from it. */
  came(): void {
    if (this.#askedAt === 0) return
    const took = performance.now() - this.#askedAt
    this.#askedAt = 0
    if (took <= (this.#soon === 0 ? WINDOW_ASLEEP : WINDOW)) this.#soon = Math.min(MOST, this.#soon + 1)
    else this.#soon = Math.max(0, this.#soon - LATE)
  }

  /** It is worth polling for. */
  get soon(): boolean {
    return this.#soon > 0
  }
}

/** Whether others wanted the processor during the last polls. What they wanted while nobody polled says nothing. */
function look(now: number): void {
  const { involuntaryContextSwitches } = process.resourceUsage()
  const crowded = sampled > 1 && involuntaryContextSwitches - interruptions >= INTERRUPTED
  interruptions = involuntaryContextSwitches
  if (!crowded) return
  crowdedUntil = now + CROWDED_MS
  sampled = 0
}

/** An immediate that is due keeps the event loop from sleeping: it looks at the sockets and comes back here. */
function poll(): void {
  if (performance.now() < until) setImmediate(poll)
  else polling = false
}
