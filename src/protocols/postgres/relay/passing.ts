/** What goes on to the agent of one chunk of the server's: adjacent frames that pass unchanged are one piece of memory. */

const NOTHING = Buffer.alloc(0)

export class Passing {
  #chunk: Buffer = NOTHING
  #from = 0
  #to = 0
  /** What stands before it, where something was made or left out. */
  #before: Uint8Array[] | null = null

  /** A new chunk; what came of the last one was taken. */
  begin(chunk: Buffer): void {
    this.#chunk = chunk
    this.#from = this.#to = 0
  }

  /** A frame goes on as it is. */
  pass(buffer: Buffer, start: number, end: number): void {
    if (buffer !== this.#chunk) return this.emit(buffer.subarray(start, end))
    if (start !== this.#to) {
      this.#cut()
      this.#from = start
    }
    this.#to = end
  }

  /** Bytes that do not stand in the chunk. */
  emit(bytes: Uint8Array): void {
    this.#cut()
    this.#push(bytes)
  }

  /** All of it, once; null where there is nothing. */
  take(): Uint8Array | null {
    const all = this.#before === null ? this.#passed() : this.#joined(this.#before)
    this.discard()
    return all
  }

  /** Nothing of it may go on. */
  discard(): void {
    this.#before = null
    this.#from = this.#to = 0
  }

  #passed(): Uint8Array | null {
    if (this.#to === this.#from) return null
    return this.#from === 0 && this.#to === this.#chunk.length
      ? this.#chunk
      : this.#chunk.subarray(this.#from, this.#to)
  }

  #joined(before: Uint8Array[]): Uint8Array {
    this.#cut()
    return before.length === 1 ? (before[0] as Uint8Array) : Buffer.concat(before)
  }

  #cut(): void {
    if (this.#to > this.#from) this.#push(this.#chunk.subarray(this.#from, this.#to))
    this.#from = this.#to = 0
  }

  #push(bytes: Uint8Array): void {
    if (this.#before === null) this.#before = [bytes]
    else this.#before.push(bytes)
  }
}
