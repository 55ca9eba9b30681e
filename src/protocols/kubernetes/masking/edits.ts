/** What is replaced in bytes that otherwise pass as they are. */
export class Edits {
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  readonly #bytes: Buffer[] = []
  #sorted = true

  get length(): number {
    return this.#starts.length
  }

  replace(start: number, end: number, bytes: Buffer): void {
    if (this.#starts.length > 0 && start < (this.#ends.at(-1) as number)) this.#sorted = false
    this.#starts.push(start)
    this.#ends.push(end)
    this.#bytes.push(bytes)
  }

  /** Forgets what came after the first `length`. */
  truncate(length: number): void {
    this.#starts.length = length
    this.#ends.length = length
    this.#bytes.length = length
    if (length === 0) this.#sorted = true
  }

  /** Whether one of those from the `from`th up to the `until`th, which are in order, touches these bytes. */
  touches(start: number, end: number, from: number, until: number): boolean {
    let low = from
    let high = until
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#ends[middle] as number) <= start) low = middle + 1
      else high = middle
    }
    return low < until && (this.#starts[low] as number) < end
  }

  /** The bytes from `start` to `end` with what lies within them replaced, by those from the `from`th on. */
  apply(source: Buffer, start: number, end: number, from = 0): Buffer {
    const order = this.#order(from)
    let length = end - start
    for (const edit of order) {
      if (!this.#within(edit, start, end)) continue
      length += (this.#bytes[edit] as Buffer).length - ((this.#ends[edit] as number) - (this.#starts[edit] as number))
    }
    if (order.length === 0) return source.subarray(start, end)
    const target = Buffer.allocUnsafe(length)
    let at = 0
    let read = start
    for (const edit of order) {
      if (!this.#within(edit, start, end)) continue
      const until = this.#starts[edit] as number
      at += source.copy(target, at, read, until)
      const bytes = this.#bytes[edit] as Buffer
      target.set(bytes, at)
      at += bytes.length
      read = this.#ends[edit] as number
    }
    source.copy(target, at, read, end)
    return target
  }

  #within(edit: number, start: number, end: number): boolean {
    return (this.#starts[edit] as number) >= start && (this.#ends[edit] as number) <= end
  }

  #order(from: number): number[] {
    const order: number[] = []
    for (let edit = from; edit < this.#starts.length; edit++) order.push(edit)
    if (!this.#sorted) order.sort((left, right) => (this.#starts[left] as number) - (this.#starts[right] as number))
    return order
  }
}
