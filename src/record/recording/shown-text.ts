/** A stream of recorded bytes as text that may be shown: code points that were cut in two are put together, what would act on a terminal is left out. */
import { DisplayFilter } from './display.ts'

export class ShownText {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #filter = new DisplayFilter()
  readonly #terminal: boolean
  #returned = false

  /** Without a terminal, a line feed did not return: whoever plays it on one has to see lines all the same. */
  constructor(terminal: boolean) {
    this.#terminal = terminal
  }

  write(bytes: Uint8Array): string {
    return this.#show(this.#decoder.decode(bytes, { stream: true }))
  }

  /** What is left when no more comes: half a code point is shown as what it is. */
  end(): string {
    return this.#show(this.#decoder.decode())
  }

  #show(text: string): string {
    const shown = this.#filter.write(text)
    if (this.#terminal || shown === '') return shown
    const lines = shown.replace(/(?<!\r)\n/g, (feed, at: number) => (at === 0 && this.#returned ? feed : '\r\n'))
    this.#returned = shown.endsWith('\r')
    return lines
  }
}
