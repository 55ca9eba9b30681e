/**
 * Pieces of recordings as records (`FrameRecord` in records.ts): their bytes in base64, between quotes. What comes in small pieces is
 * joined while its record still waits to be written, since a terminal's echo is a byte at a time and a record's frame is a hundred and fifty.
 */
import type { FrameEvent, FrameKind } from '../gate/ports.ts'

/** More is split: a line is then no longer than 256 KiB, a fraction of the longest record, and of what a reader or Redis is given at once. */
export const FRAME_BYTES = 192 * 1024
/** What comes later has a time of its own. A replay shows no shorter pause. */
const JOIN_MS = 10
/** Base64 is made in strings of 32 KiB, of whole groups of three bytes. */
const PIECE = 24 * 1024
const GROUP = 3
const CHARACTERS = 4
/** `"}` and a line feed. */
const TAIL = Buffer.from('"}\n', 'latin1')
const EMPTY = Buffer.alloc(0)

/** Of these, one piece after another is the same as both at once. */
const JOINED: Readonly<Record<FrameKind, boolean>> = {
  input: true,
  output: true,
  error: true,
  resize: false,
  signal: false,
  exit: false,
  marker: false,
  transfer: false,
}

export class FrameWriter {
  /** The frame that was written last. */
  #event: FrameEvent | null = null
  #seq = 0
  #end = 0
  /** Where its base64 begins in the slab, and how many bytes that stands for. */
  #data = 0
  #length = 0
  /** Bytes after the last whole group of three: they are encoded again with what is joined. */
  #rest: Buffer = EMPTY

  /** Writes one record of as much of the event's data as may be in one, from `from` on, after a `head`. Returns where it ends. */
  begin(slab: Buffer, offset: number, seq: number, head: string, event: FrameEvent, from: number): number {
    this.#event = event
    this.#seq = seq
    this.#data = offset + slab.write(head, offset, 'latin1')
    this.#length = 0
    this.#rest = EMPTY
    return this.#extend(slab, bytesOf(event.data).subarray(from, from + FRAME_BYTES))
  }

  /** How much of the event's data still goes into the record `seq` that ends at `end`: 0 where that is no frame of the same stream. */
  room(seq: number, end: number, { session, sequence, kind, at }: FrameEvent): number {
    const last = this.#event
    if (last === null || this.#seq !== seq || this.#end !== end || !JOINED[kind]) return 0
    if (at - last.at > JOIN_MS || last.kind !== kind || last.sequence !== sequence || last.session !== session) return 0
    return FRAME_BYTES - this.#length
  }

  /** Puts the data's first `length` bytes, which {@link room} allows, into the last record. Returns where it ends now. */
  join(slab: Buffer, { data }: FrameEvent, length: number): number {
    return this.#extend(slab, bytesOf(data).subarray(0, length))
  }

  #extend(slab: Buffer, data: Buffer): number {
    let at = this.#data + ((this.#length - this.#rest.length) / GROUP) * CHARACTERS
    let from = 0
    if (this.#rest.length > 0) {
      from = Math.min(GROUP - this.#rest.length, data.length)
      const group = Buffer.concat([this.#rest, data.subarray(0, from)])
      const end = at + slab.write(group.toString('base64'), at, 'latin1')
      if (group.length === GROUP) at = end
      else return this.#close(slab, end, data.length, group)
    }
    const whole = data.length - ((data.length - from) % GROUP)
    let end = at
    for (; from < data.length; from += PIECE) {
      end += slab.write(data.toString('base64', from, Math.min(from + PIECE, data.length)), end, 'latin1')
    }
    return this.#close(slab, end, data.length, Buffer.from(data.subarray(whole)))
  }

  #close(slab: Buffer, end: number, added: number, rest: Buffer): number {
    slab.set(TAIL, end)
    this.#length += added
    this.#rest = rest
    this.#end = end + TAIL.length
    return this.#end
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
