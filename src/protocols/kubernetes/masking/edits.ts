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
    if (!this.#sorted) this.#sort(from)
    const [first, last] = this.#within(start, end, from)
    if (first === last) return source.subarray(start, end)
    let length = end - start
    for (let edit = first; edit < last; edit++) {
      length += (this.#bytes[edit] as Buffer).length - ((this.#ends[edit] as number) - (this.#starts[edit] as number))
    }
    const target = Buffer.allocUnsafe(length)
    let at = 0
    let read = start
    for (let edit = first; edit < last; edit++) {
      at += source.copy(target, at, read, this.#starts[edit])
      const bytes = this.#bytes[edit] as Buffer
      target.set(bytes, at)
      at += bytes.length
      read = this.#ends[edit] as number
    }
    source.copy(target, at, read, end)
    return target
  }

  /** Those that lie within the bytes: they are in order, and none overlaps another. */
  #within(start: number, end: number, from: number): [number, number] {
    let first = from
    while (first < this.#starts.length && (this.#starts[first] as number) < start) first++
    let last = first
    while (last < this.#starts.length && (this.#ends[last] as number) <= end) last++
    return [first, last]
  }

  /** Those before the `from`th lie before the others, so that a part of them can be put in order by itself. */
  #sort(from: number): void {
    const order: number[] = []
    for (let edit = from; edit < this.#starts.length; edit++) order.push(edit)
    order.sort((left, right) => (this.#starts[left] as number) - (this.#starts[right] as number))
    const starts = order.map((edit) => this.#starts[edit] as number)
    const ends = order.map((edit) => this.#ends[edit] as number)
    const bytes = order.map((edit) => this.#bytes[edit] as Buffer)
    this.truncate(from)
    for (let edit = 0; edit < order.length; edit++) {
      this.#starts.push(starts[edit] as number)
      this.#ends.push(ends[edit] as number)
      this.#bytes.push(bytes[edit] as Buffer)
    }
    this.#sorted = from === 0
  }
}
