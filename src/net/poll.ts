/**
 * Looks a moment longer for an answer that is about to come, before the thread goes to sleep.
 *
 * A thread that sleeps is woken by the scheduler, and on a virtual machine whose processor has halted meanwhile that costs
 * 20–50 µs, twice a command: more than a local server takes for a row. So after a write the event loop goes on polling
 * for {@link WINDOW}, as a kernel does before it halts (`haltpoll`), on legs whose peers answer that soon. For one client that halves
 * what the sidecar adds, for no more processor time than sleeping and waking takes.
 *
 * It is no good where there is always something to do: nobody is polled for while another peer's answer is due too. Nor is it
 * where others want the processor, the peer among them. So both ways are tried, and answers are polled for only while they come
 * sooner so.
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

/** So many answers show how soon they come one way; in one of so many such rounds the other way is tried. */
export const ROUND = 64
export const ROUNDS = 64
/** Polling has to save a sixth of the time until the answer, to be worth the processor's. */
const WORTH = 5 / 6
/** Of an answer that takes longer than anybody would poll for, no more than this counts. */
const LONGEST = 1

/** Of the control group, version 2: quota and period in microseconds, or `max`. */
const QUOTA = '/sys/fs/cgroup/cpu.max'

/** Whether legs poll. With one processor the peer could not run meanwhile, and with less than one of quota it is no time to waste. */
let polls = worthwhile()
let until = 0
let polling = false

function worthwhile(): boolean {
  if (availableParallelism() < 2) return false
  try {
    const [quota = 'max', period = ''] = readFileSync(QUOTA, 'utf8').split(' ')
    return quota === 'max' || Number(quota) >= Number(period)
  } catch {
    return true
  }
}

/** Turns polling on or off, for tests and where it is not wanted. What was found out before is forgotten. */
export function usePolling(on: boolean): void {
  polls = on
  trial = new Trial()
  Answering.forget()
}

/** Which way answers come sooner: awake or asleep. */
class Trial {
  awake = true
  #rounds = 0
  #count = 0
  #sum = 0
  /** Milliseconds, of late; null while that way was not tried. */
  #awake: number | null = null
  #asleep: number | null = null

  /** An answer of a peer that answers soon came after so many milliseconds. */
  came(took: number): void {
    this.#sum += Math.min(took, LONGEST)
    if (++this.#count === ROUND) this.#next()
  }

  #next(): void {
    const took = this.#sum / this.#count
    if (this.awake) this.#awake = lately(this.#awake, took)
    else this.#asleep = lately(this.#asleep, took)
    this.#count = this.#sum = 0
    this.#rounds++
    if (this.#awake === null || this.#asleep === null) this.awake = this.#awake === null
    else this.awake = this.#awake < this.#asleep * WORTH === this.#rounds % ROUNDS > 0
  }
}

const lately = (before: number | null, now: number): number => (before === null ? now : (before + now) / 2)

let trial = new Trial()

/** One peer's habit of answering. */
export class Answering {
  /** Who was asked last. */
  static #latest: Answering | null = null
  #askedAt = 0
  #awake = false
  #crowded = false
  #soon = AT_FIRST

  static forget(): void {
    Answering.#latest = null
  }

  /** Something was sent that it may answer. */
  asked(): void {
    if (!polls) return
    const now = performance.now()
    const latest = Answering.#latest
    this.#crowded = latest !== null && latest !== this && latest.#askedAt > now - WINDOW
    Answering.#latest = this
    this.#askedAt = now
    this.#awake = trial.awake && this.#soon > 0 && !this.#crowded
    // Who came before is not polled for any more either.
    if (this.#crowded) until = 0
    if (!this.#awake) return
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
    if (this.#soon > 0 && !this.#crowded) trial.came(took)
    if (took <= (this.#awake ? WINDOW : WINDOW_ASLEEP)) this.#soon = Math.min(MOST, this.#soon + 1)
    else this.#soon = Math.max(0, this.#soon - LATE)
  }

  /** It answers soon enough to be polled for. */
  get soon(): boolean {
    return this.#soon > 0
  }
}

/** An immediate that is due keeps the event loop from sleeping: it looks at the sockets and comes back here. */
function poll(): void {
  if (performance.now() < until) setImmediate(poll)
  else polling = false
}
