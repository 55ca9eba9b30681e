/** Puts one packet together. */
export class PacketWriter {
  readonly #parts: Uint8Array[] = []
  readonly #type: number
  #size = 1

  constructor(type: number) {
    this.#type = type
  }

  uint32(value: number): this {
    const word = Buffer.allocUnsafe(4)
    word.writeUInt32BE(value)
    return this.bytes(word)
  }

  uint64(value: bigint): this {
    const words = Buffer.allocUnsafe(8)
    words.writeBigUInt64BE(value)
    return this.bytes(words)
  }

  bytes(value: Uint8Array): this {
    this.#parts.push(value)
    this.#size += value.length
    return this
  }

  /** A string's length and bytes; text as UTF-8. */
  string(value: Uint8Array | string): this {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    return this.uint32(bytes.length).bytes(bytes)
  }

  finish(): Buffer {
    const packet = Buffer.allocUnsafe(4 + this.#size)
    packet.writeUInt32BE(this.#size)
    packet[4] = this.#type
    let at = 5
    for (const part of this.#parts) {
      packet.set(part, at)
      at += part.length
    }
    return packet
  }
}
