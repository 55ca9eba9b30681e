/** The lines of a program's output, put together from pieces. */

/** A longer line is shown in parts. */
const LINE_LENGTH = 4_096
const TAB = 8
/** Colours, movements and erasures, character sets, keypad modes, and titles: what any prompt sends. All else is worth seeing. */
const USUAL =
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[78DEHM=>]|\x1b[()*+][0AB]|\x1b\](?:[012]|7|133);[^\x07\x1b]{0,256}(?:\x07|\x1b\\)/g

export class LinesOf {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #terminal: boolean
  #rest = ''

  constructor(terminal: boolean) {
    this.#terminal = terminal
  }

  /** The lines that are whole now. */
  write(bytes: Uint8Array): string[] {
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true })
    const lines = text.split('\n')
    this.#rest = lines.pop() ?? ''
    while (this.#rest.length > LINE_LENGTH) {
      lines.push(this.#rest.slice(0, LINE_LENGTH))
      this.#rest = this.#rest.slice(LINE_LENGTH)
    }
    return lines.flatMap((line) => this.#clean(line))
  }

  /** What is left when no more comes. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.decode()
    this.#rest = ''
    return rest === '' ? [] : this.#clean(rest)
  }

  #clean(line: string): string[] {
    const whole = line.endsWith('\r') ? line.slice(0, -1) : line
    // A terminal's line may be written over: each of its states is shown.
    const states = this.#terminal ? whole.replaceAll(USUAL, '').split(/\r+/) : [whole]
    const written = states.filter((state) => state !== '')
    return (written.length === 0 ? [''] : written).map(spaced)
  }
}

/** Tabs as spaces. */
function spaced(line: string): string {
  const [first = '', ...rest] = line.split('\t')
  return rest.reduce((text, part) => text.padEnd((Math.floor(text.length / TAB) + 1) * TAB) + part, first)
}
