/**
 * What is typed while a command runs: its input, line by line, as a terminal's line discipline would give it. There is
 * no terminal upstream, so nobody can switch the echo off.
 */
import { type Cell, cellOf, isMark, marked } from './cells.ts'
import { erased } from './display.ts'
import type { KeySignal } from './host.ts'

/** As in terminals (MAX_CANON); what is beyond is not taken, which the bell says. */
const LINE = 4096

export interface Typed {
  readonly echo: string
  /** For the command. */
  readonly input: string
  readonly signals: readonly KeySignal[]
  /** ^D: nothing more comes, and what follows it in the chunk is not the command's. */
  readonly ended: boolean
  readonly rest: string
}

export class TypedInput {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #line: Cell[] = []
  #returned = false
  #echo = ''
  #input = ''
  #signals: KeySignal[] = []

  /** What was not entered yet. */
  get pending(): string {
    return this.#line.map((cell) => cell.text).join('')
  }

  push(chunk: Uint8Array): Typed {
    const text = this.#decoder.decode(chunk, { stream: true })
    let at = 0
    let ended = false
    for (const character of text) {
      at += character.length
      ended = this.#character(character)
      if (ended) break
    }
    const typed = { echo: this.#echo, input: this.#input, signals: this.#signals, ended, rest: text.slice(at) }
    this.#echo = ''
    this.#input = ''
    this.#signals = []
    return typed
  }

  /** @returns the input is over */
  #character(character: string): boolean {
    const returned = this.#returned
    this.#returned = character === '\r'
    switch (character) {
      case '\n':
      case '\r':
        if (character === '\r' || !returned) this.#enter()
        return false
      case '\x03':
      case '\x1c':
        this.#signal(character === '\x03' ? 'INT' : 'QUIT', character)
        return false
      case '\x04':
        if (this.#line.length === 0) return true
        this.#input += this.pending
        this.#line = []
        return false
      case '\x7f':
      case '\b':
        this.#erase(1)
        return false
      case '\x15':
        this.#erase(this.#line.length)
        return false
      default:
        this.#add(character)
        return false
    }
  }

  #enter(): void {
    this.#input += `${this.pending}\n`
    this.#line = []
    this.#echo += '\r\n'
  }

  #signal(name: KeySignal, character: string): void {
    this.#signals.push(name)
    this.#line = []
    this.#echo += `${cellOf(character).shown}\r\n`
  }

  #erase(cells: number): void {
    for (const cell of this.#line.splice(this.#line.length - cells, cells)) this.#echo += erased(cell.width)
  }

  #add(character: string): void {
    const whole = isMark(character) ? marked(this.#line.at(-1), character) : null
    const cell = whole ?? cellOf(character)
    if (whole !== null) this.#line.pop()
    if (this.#line.length >= LINE || cell.text.length > LINE) {
      this.#echo += '\x07'
      return
    }
    this.#line.push(cell)
    this.#echo += whole === null ? cell.shown : character
  }
}
