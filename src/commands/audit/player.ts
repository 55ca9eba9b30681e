/** Plays a recording on a terminal, in its own time or faster. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Recording, RecordingEvent } from '../../record/recording/recording.ts'
import { plain } from './text.ts'

export interface Playing {
  /** How many times faster than it was. */
  readonly speed: number
  /** Milliseconds that nothing happens at most; `Infinity` for as long as it was. */
  readonly maxIdle: number
}

export interface Screen {
  /** Resolves when more may come. */
  write(text: string): Promise<void> | void
  readonly dim: (text: string) => string
}

/** Shorter waits are not kept, and add up. */
const SHORT_MS = 5
const SECOND_SCREEN = /\x1b\[\?(?:47|1047|1049)([hl])/g // oxlint-disable-line no-control-regex -- it is what is looked for
/** Modes, margins and colours as they were; the cursor is seen. */
const RESET = '\x1b[!p\x1b7\x1b[r\x1b8\x1b[0m\x1b(B\x0f\x1b[?7h\x1b[?25h'
const LEAVE = '\x1b[?1049l'

/** Plays until the end or until the signal aborts. Either way the terminal is as before. */
export async function play(recording: Recording, playing: Playing, screen: Screen, signal: AbortSignal): Promise<void> {
  const player = new Player(screen)
  let before = 0
  let due = performance.now()
  try {
    for await (const event of recording.events) {
      due += Math.min(event.time - before, playing.maxIdle) / playing.speed
      before = event.time
      const wait = due - performance.now()
      if (wait > SHORT_MS) await sleep(wait, undefined, { signal }).catch(() => {})
      if (signal.aborted) break
      await player.show(event)
    }
  } finally {
    await player.end()
  }
}

class Player {
  readonly #screen: Screen
  /** Commands whose terminal is on the screen: a marker would be in the middle of it. */
  readonly #terminals = new Set<number>()
  #second = false
  /** The cursor is at a line's beginning. */
  #fresh = true
  #touched = false

  constructor(screen: Screen) {
    this.#screen = screen
  }

  async show({ code, data, part, sequence, terminal }: RecordingEvent): Promise<void> {
    if (code === 'o') {
      if (terminal) this.#terminals.add(sequence)
      for (const [, mode] of data.matchAll(SECOND_SCREEN)) this.#second = mode === 'h'
      this.#fresh = data.endsWith('\n')
      this.#touched = true
      await this.#screen.write(data)
    } else if (code === 'm') {
      if (part === 'end' && this.#terminals.delete(sequence)) await this.#restore()
      if (this.#terminals.size === 0) await this.#mark(data)
    }
  }

  async end(): Promise<void> {
    await this.#restore()
    if (!this.#fresh) await this.#screen.write('\r\n')
  }

  async #mark(text: string): Promise<void> {
    await this.#screen.write(`${this.#fresh ? '' : '\r\n'}${this.#screen.dim(`── ${plain(text)}`)}\r\n`)
    this.#fresh = true
  }

  async #restore(): Promise<void> {
    if (!this.#touched) return
    await this.#screen.write((this.#second ? LEAVE : '') + RESET)
    this.#touched = this.#second = false
  }
}
