/**
 * The editor of lines: bytes in, an echo and events out. It knows no clock and no channel. Nothing becomes an event but
 * a line that was entered as it stands on the screen.
 */
import { LineBuffer } from './buffer.ts'
import { type Cell, cellsOf } from './cells.ts'
import { type Change, type Display, PlainDisplay, type Scene, ScreenDisplay } from './display.ts'
import { History } from './history.ts'
import { type KeyName, KeyReader } from './keys.ts'
import type { Terminal } from './host.ts'

export type EditorEvent =
  | { readonly kind: 'line'; readonly text: string }
  /** It did not fit, and what was seen of it is no line. */
  | { readonly kind: 'too-long' }
  | { readonly kind: 'interrupt' }
  /** ^D on an empty line. */
  | { readonly kind: 'end' }

/** They know no sequences, or nobody knows what they know. */
const PLAIN = new Set(['', 'dumb', 'unknown', 'network'])

const BELL = '\x07'

type Effect = Change | 'bell' | EditorEvent

export class LineEditor {
  readonly history = new History()
  readonly #keys = new KeyReader()
  readonly #buffer: LineBuffer
  readonly #display: Display
  readonly #plain: boolean
  #prompt: readonly Cell[] = []
  #active = false
  #output = ''
  #change: Change | null = null
  #bell = false
  #clear = false

  constructor(terminal: Terminal, limit: number) {
    this.#plain = PLAIN.has(terminal.name)
    this.#display = this.#plain ? new PlainDisplay() : new ScreenDisplay(terminal.columns, terminal.rows)
    this.#buffer = new LineBuffer(limit)
  }

  /** Begins a line, on a row of its own. */
  begin(prompt: string): void {
    this.#prompt = cellsOf(prompt)
    this.#active = true
    this.#display.forget()
    if (!this.#plain) this.#output += '\x1b[?2004h'
    this.#draw('all')
  }

  /** The line will not be entered. */
  abandon(): void {
    if (this.#active) this.#close(this.#scene())
  }

  push(chunk: Uint8Array): void {
    this.#keys.push(chunk)
  }

  /** Characters that wait to be read, while a line is not being edited or an event was taken. */
  get waiting(): number {
    return this.#keys.waiting
  }

  get pasting(): boolean {
    return this.#keys.pasting
  }

  discard(): void {
    this.#keys.discard()
  }

  /** What has to be written to the terminal since the last call. */
  take(): string {
    this.#flush()
    const output = this.#output
    this.#output = ''
    return output
  }

  /** The next event of what waits, after which `begin` is due (but not after `end`); null when nothing waits. */
  next(): EditorEvent | null {
    while (this.#active) {
      const key = this.#keys.next()
      if (key === null) return null
      const effect = key.kind === 'text' ? this.#insert(key.text) : this.#act(key.name)
      if (effect === 'bell') this.#bell = true
      else if (typeof effect === 'object') return this.#finish(effect)
      else this.#changed(effect)
    }
    return null
  }

  resize(columns: number, rows: number): void {
    this.#flush()
    this.#display.resize(columns, rows)
    if (this.#active) this.#draw('all')
  }

  #insert(text: string): Effect {
    const { overflowed } = this.#buffer
    const atEnd = this.#buffer.cursor === this.#buffer.cells.length
    const from = this.#buffer.cells.length
    const changed = this.#buffer.insert(text)
    if (this.#buffer.overflowed && !overflowed) this.#bell = true
    return atEnd && changed >= from ? from : 'all'
  }

  #act(name: KeyName): Effect {
    switch (name) {
      case 'enter':
        return this.#buffer.overflowed ? { kind: 'too-long' } : { kind: 'line', text: this.#buffer.text }
      case 'interrupt':
        return { kind: 'interrupt' }
      case 'end-of-input':
        return this.#buffer.empty ? { kind: 'end' } : this.#remove(this.#buffer.cursor, this.#buffer.cursor + 1)
      case 'up':
      case 'down':
        return this.#recall(name)
      case 'clear-screen':
        if (this.#plain) return 'bell'
        this.#clear = true
        return 'all'
      case 'unknown':
        return 'bell'
      default:
        return this.#edit(name)
    }
  }

  #edit(
    name: Exclude<KeyName, 'enter' | 'interrupt' | 'end-of-input' | 'up' | 'down' | 'clear-screen' | 'unknown'>,
  ): Effect {
    const { cursor, cells } = this.#buffer
    switch (name) {
      case 'backspace':
        return this.#remove(cursor - 1, cursor)
      case 'delete':
        return this.#remove(cursor, cursor + 1)
      case 'kill-to-start':
        return this.#remove(0, cursor)
      case 'kill-to-end':
        return this.#remove(cursor, cells.length)
      case 'kill-word':
        return this.#remove(this.#buffer.wordBefore(), cursor)
      case 'left':
        return this.#move(cursor - 1)
      case 'right':
        return this.#move(cursor + 1)
      case 'home':
        return this.#move(0)
      case 'end':
        return this.#move(cells.length)
    }
  }

  #remove(from: number, to: number): Effect {
    return from >= 0 && this.#buffer.remove(from, to) ? 'all' : 'bell'
  }

  #move(to: number): Effect {
    return !this.#plain && this.#buffer.move(to) ? 'cursor' : 'bell'
  }

  #recall(way: 'up' | 'down'): Effect {
    // It would come back as if it were whole.
    if (this.#buffer.overflowed) return 'bell'
    const line = way === 'up' ? this.history.older(this.#buffer.text) : this.history.newer()
    if (line === null) return 'bell'
    this.#buffer.set(line)
    return 'all'
  }

  #finish(event: EditorEvent): EditorEvent {
    this.#flush()
    let scene = this.#scene()
    if (event.kind === 'interrupt') {
      const line = [...scene.line, ...cellsOf('\x03')]
      scene = { ...scene, line, cursor: line.length }
      this.#output += this.#display.draw(scene, 'all')
    }
    if (event.kind === 'line') this.history.add(event.text)
    else this.history.reset()
    this.#close(scene)
    return event
  }

  #close(scene: Scene): void {
    this.#flush()
    if (!this.#plain) this.#output += '\x1b[?2004l'
    this.#output += this.#display.finish(scene)
    this.#buffer.clear()
    this.#active = false
  }

  /** Drawing waits for the rest of what was typed. */
  #changed(change: Change): void {
    if (this.#change === null || change === this.#change) this.#change = change
    else if (typeof this.#change === 'number' && typeof change === 'number')
      this.#change = Math.min(this.#change, change)
    else this.#change = 'all'
  }

  #flush(): void {
    if (this.#change !== null && this.#active) this.#draw(this.#change)
    if (this.#bell) this.#output += BELL
    this.#bell = false
  }

  #draw(change: Change): void {
    if (this.#clear) this.#output += this.#display.clearScreen()
    this.#clear = false
    this.#output += this.#display.draw(this.#scene(), change)
    this.#change = null
  }

  #scene(): Scene {
    const { cells, cursor } = this.#buffer
    return { prompt: this.#prompt, line: cells, cursor }
  }
}
