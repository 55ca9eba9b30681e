/** Strings and numbers as RFC 4251, section 5, writes them, read with nothing left over. */

/** What the bytes are not; whoever reads them says of what. */
export class WireError extends Error {
  override readonly name = 'WireError'
}

export class WireReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  /** How much was read. */
  get at(): number {
    return this.#at
  }

  uint32(): number {
    return this.#take(4).readUInt32BE()
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE()
  }

  string(): Buffer {
    return this.#take(this.uint32())
  }

  /** A string of text: UTF-8, and no control characters, which neither names nor options have. */
  text(): string {
    const bytes = this.string()
    let text: string
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch (error) {
      throw new WireError('a text is not UTF-8', { cause: error })
    }
    if (/\p{Cc}/u.test(text)) throw new WireError('a text has control characters')
    return text
  }

  /** What a string holds must be read to its end. */
  within<T>(read: (reader: WireReader) => T): T {
    const reader = new WireReader(this.string())
    const value = read(reader)
    reader.end()
    return value
  }

  end(): void {
    if (!this.done) throw new WireError('it holds more than it should')
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new WireError('it is cut off')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}

/** Strings with their lengths, numbers of 32 bits, and bigints of 64. */
export function wire(...values: readonly (string | Uint8Array | number | bigint)[]): Buffer {
  return Buffer.concat(
    values.flatMap((value) => {
      if (typeof value === 'number') return [uint32(value)]
      if (typeof value === 'bigint') return [uint64(value)]
      const bytes = Buffer.from(value)
      return [uint32(bytes.length), bytes]
    }),
  )
}

/** A positive number in its only form: no needless zero in front, and none that reads as negative. */
export function mpint(magnitude: Uint8Array): Buffer {
  const first = magnitude.findIndex((byte) => byte !== 0)
  const bare = first === -1 ? new Uint8Array(0) : magnitude.subarray(first)
  return Buffer.concat((bare[0] ?? 0) >= 0x80 ? [Buffer.of(0), bare] : [bare])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}
