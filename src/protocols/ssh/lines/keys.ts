/** What was typed: bytes in, keys out, however they are split. A pasted text is text, whatever is in it. */

export type KeyName =
  | 'enter'
  | 'interrupt'
  | 'end-of-input'
  | 'backspace'
  | 'delete'
  | 'left'
  | 'right'
  | 'up'
  | 'down'
  | 'home'
  | 'end'
  | 'kill-to-start'
  | 'kill-to-end'
  | 'kill-word'
  | 'clear-screen'
  | 'unknown'

export type Key = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'key'; readonly name: KeyName }

const CONTROLS: ReadonlyMap<string, KeyName> = new Map([
  ['\r', 'enter'],
  ['\n', 'enter'],
  ['\x03', 'interrupt'],
  ['\x04', 'end-of-input'],
  ['\x7f', 'backspace'],
  ['\b', 'backspace'],
  ['\x01', 'home'],
  ['\x05', 'end'],
  ['\x02', 'left'],
  ['\x06', 'right'],
  ['\x10', 'up'],
  ['\x0e', 'down'],
  ['\x15', 'kill-to-start'],
  ['\x0b', 'kill-to-end'],
  ['\x17', 'kill-word'],
  ['\x0c', 'clear-screen'],
])
/** What follows `ESC [` or `ESC O`. */
const SEQUENCES: ReadonlyMap<string, KeyName> = new Map([
  ['A', 'up'],
  ['B', 'down'],
  ['C', 'right'],
  ['D', 'left'],
  ['H', 'home'],
  ['F', 'end'],
  ['1~', 'home'],
  ['7~', 'home'],
  ['4~', 'end'],
  ['8~', 'end'],
  ['3~', 'delete'],
])
const PASTE_BEGINS = '200~'
const PASTE_ENDS = '\x1b[201~'

/** What keys send is shorter; of what is longer, only the end is looked for. */
const SEQUENCE = 16
/** A terminal's answer to a question is shorter; whatever follows is typed. */
const ANSWER = 4 * 1024

// oxlint-disable-next-line no-control-regex -- controls are what ends a text
const TEXT = /[^\x00-\x1f\x7f]+/y
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const PASTED = /[^\r\n\x1b]+/y

/** `escape`: behind ESC; `sequence`: behind `ESC [` or `ESC O`; `answer`: in a string that ends with BEL or `ESC \`. */
type State = 'ground' | 'escape' | 'sequence' | 'single' | 'answer' | 'paste'

export class KeyReader {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #text = ''
  /** What stands before is read. */
  #at = 0
  #state: State = 'ground'
  #sequence = ''
  #swallowed = 0
  /** A line feed right behind a carriage return is no second line. */
  #returned = false

  push(chunk: Uint8Array): void {
    this.#text = this.#text.slice(this.#at) + this.#decoder.decode(chunk, { stream: true })
    this.#at = 0
  }

  /** Characters that wait. */
  get waiting(): number {
    return this.#text.length - this.#at
  }

  /** What comes next belongs to a text that is being pasted. */
  get pasting(): boolean {
    return this.#state === 'paste'
  }

  /** Forgets what waits, as terminals do at ^C. */
  discard(): void {
    this.#at = this.#text.length
    this.#state = 'ground'
    this.#returned = false
  }

  next(): Key | null {
    while (this.waiting > 0) {
      const [at, state] = [this.#at, this.#state]
      const key = state === 'paste' ? this.#pasted() : this.#typed(state)
      if (key !== null) return key
      if (this.#at === at && this.#state === 'paste') return null
    }
    return null
  }

  #typed(state: Exclude<State, 'paste'>): Key | null {
    if (state === 'ground') {
      const text = this.#match(TEXT)
      return text === null ? this.#control(this.#shift()) : { kind: 'text', text }
    }
    const character = this.#shift()
    if (state === 'answer') return this.#answer(character)
    if (character < ' ' || character > '~') return this.#broken()
    return state === 'escape' ? this.#escape(character) : this.#inSequence(character)
  }

  #control(character: string): Key | null {
    const returned = this.#returned
    this.#returned = character === '\r'
    if (character === '\n' && returned) return null
    if (character === '\x1b') {
      this.#state = 'escape'
      return null
    }
    return { kind: 'key', name: CONTROLS.get(character) ?? 'unknown' }
  }

  #escape(character: string): null {
    this.#sequence = ''
    this.#swallowed = 0
    if (character === '[') this.#state = 'sequence'
    else if (character === 'O') this.#state = 'single'
    else this.#state = ']PX^_'.includes(character) ? 'answer' : 'ground'
    return null
  }

  #inSequence(character: string): Key | null {
    if (this.#sequence.length < SEQUENCE) this.#sequence += character
    if (this.#state === 'sequence' && character < '@') return null
    this.#state = this.#sequence === PASTE_BEGINS ? 'paste' : 'ground'
    if (this.#state === 'paste') return null
    return { kind: 'key', name: SEQUENCES.get(this.#sequence) ?? 'unknown' }
  }

  /** A control character ends what was begun, and means what it always does. */
  #broken(): null {
    this.#state = 'ground'
    this.#at -= 1
    return null
  }

  #answer(character: string): null {
    this.#swallowed += 1
    if (character === '\x07' || this.#swallowed >= ANSWER) this.#state = 'ground'
    else if (character === '\x1b') this.#state = 'escape'
    else if (character < ' ') this.#broken()
    return null
  }

  #pasted(): Key | null {
    const text = this.#match(PASTED)
    if (text !== null) return { kind: 'text', text }
    if (this.#text.startsWith(PASTE_ENDS, this.#at)) {
      this.#at += PASTE_ENDS.length
      this.#state = 'ground'
      return null
    }
    // Its end may be on the way.
    if (this.waiting < PASTE_ENDS.length && PASTE_ENDS.startsWith(this.#text.slice(this.#at))) return null
    const character = this.#shift()
    return character === '\x1b' ? { kind: 'text', text: character } : this.#control(character)
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const [text] = pattern.exec(this.#text) ?? []
    if (text === undefined) return null
    this.#returned = false
    this.#at += text.length
    return text
  }

  #shift(): string {
    this.#at += 1
    return this.#text.charAt(this.#at - 1)
  }
}
