/**
 * Looks a moment longer for an answer that is about to come, before the thread goes to sleep.
 *
 * A thread that sleeps is woken by the scheduler, and on a virtual machine whose processor has halted meanwhile that costs
 * 20–50 µs, twice a command: more than a local server takes for a row. So after a write the event loop goes on polling
 * for {@link WINDOW}, as a kernel does before it halts (`haltpoll`), on legs whose peers answer that soon. For one client that halves
 * what the sidecar adds, for no more processor time than sleeping and waking takes.
 *
 * It is no good where there is always something to do: nobody is polled for while other peers' answers are due too, and such
 * times say nothing of others. Nor is it where others want the processor, the peer among them. So both ways are tried, and answers
 * are polled for only while they come sooner so.
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

/** Where two answers were due at once, so many that are due alone say that there is one peer now. */
export const CALM = 8

/** So many answers show how soon they come one way. */
export const ROUND = 64
/** The other way is tried after one round, and after twice as many each time that it is no better, up to this. */
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

/** Which way answers come sooner: awake or asleep. A round of one way is compared with the one before it of the other. */
class Trial {
  awake = true
  #count = 0
  #sum = 0
  /** Milliseconds that answers took in the last round of each way. */
  readonly #took = { awake: 0, asleep: 0 }
  #better = true
  #trying = false
  #patience = 1
  #left = 1

  /** An answer of a peer that answers soon came after so many milliseconds. */
  came(took: number): void {
    this.#sum += Math.min(took, LONGEST)
    if (++this.#count === ROUND) this.#next()
  }

  #next(): void {
    this.#took[this.awake ? 'awake' : 'asleep'] = this.#sum / this.#count
    this.#count = this.#sum = 0
    if (this.#trying) this.#judge()
    else if (--this.#left === 0) {
      this.#trying = true
      this.awake = !this.#better
    }
  }

  #judge(): void {
    const { awake, asleep } = this.#took
    const better = awake < asleep * WORTH
    this.#patience = better === this.#better ? Math.min(2 * this.#patience, ROUNDS) : 1
    this.#left = this.#patience
    this.awake = this.#better = better
    this.#trying = false
  }
}

let trial = new Trial()

/** One peer's habit of answering. */
export class Answering {
  /** Who was asked last. */
  static #latest: Answering | null = null
  /** How many answers that are due alone are still to come until it is calm. */
  static #unrest = 0
  #askedAt = 0
  #awake = false
  #crowded = false
  #soon = AT_FIRST

  static forget(): void {
    Answering.#latest = null
    Answering.#unrest = 0
  }

  /** Something was sent that it may answer. */
  asked(): void {
    if (!polls) return
    const now = performance.now()
    this.#crowded = this.#joins(now)
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

  /** Others' answers are due too, or were of late. */
  #joins(now: number): boolean {
    const latest = Answering.#latest
    Answering.#latest = this
    if (latest !== null && latest !== this && latest.#askedAt > now - WINDOW) Answering.#unrest = CALM
    else if (Answering.#unrest > 0) Answering.#unrest--
    return Answering.#unrest > 0
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
