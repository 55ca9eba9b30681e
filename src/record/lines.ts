/** The lines of one segment's blocks, each made whole where it refers to another (reference.ts). */
import { readSync } from 'node:fs'
import { type Block, BLOCK_HEADER, linesOf, SEGMENT_HEADER } from './block.ts'
import { corrupt } from './directory.ts'
import { headOf, type RecordHead } from './head.ts'
import { expand, type Parts, partsOf, type Reference, referenceOf, REFERRED_MAX } from './reference.ts'

/** Lines that others refer to which are kept: most that are met at all, in at most 8 MiB. */
const KEPT = 256
const LINE_FEED = 0x0a

export interface Line {
  readonly head: RecordHead
  readonly line: Buffer
}

interface Referred {
  readonly seq: number
  readonly line: Buffer
  readonly parts: Parts
}

export class Lines {
  readonly #path: string
  readonly #fd: number
  /** By where their lines begin, the one that was used last at the end. */
  readonly #kept = new Map<number, Referred>()

  /** The segment's file must be open for as long as this is used. */
  constructor(path: string, fd: number) {
    this.#path = path
    this.#fd = fd
  }

  /** One after the other, as they are asked for: a short line may stand for a long one. Throws `record.corrupt`. */
  *of(block: Block): Generator<Line> {
    for (const line of linesOf(block)) {
      const head = headOf(line)
      yield { head, line: this.#whole(line, head) }
    }
  }

  #whole(line: Buffer, head: RecordHead): Buffer {
    const reference = referenceOf(line, head)
    if (reference === null) return line
    const { seq } = head
    try {
      const { line: other, parts } = this.#referred(reference, seq)
      return expand(line, reference, other, parts)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw corrupt(this.#path, reference.offset, `record ${seq} refers to record ${reference.seq} there: ${why}`)
    }
  }

  #referred(reference: Reference, seq: number): Referred {
    const { offset } = reference
    let referred = this.#kept.get(offset)
    if (referred === undefined || !fits(referred, reference)) referred = this.#read(reference, seq)
    this.#kept.delete(offset)
    this.#kept.set(offset, referred)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > KEPT && oldest !== undefined) this.#kept.delete(oldest)
    return referred
  }

  #read({ seq, offset, length }: Reference, from: number): Referred {
    if (seq >= from || offset < SEGMENT_HEADER + BLOCK_HEADER || length > REFERRED_MAX) throw new Error('it cannot')
    const bytes = Buffer.allocUnsafeSlow(length + 1)
    const read = readSync(this.#fd, bytes, 0, bytes.length, offset)
    if (read < bytes.length || bytes.indexOf(LINE_FEED) !== length) throw new Error('no line of that length is there')
    const line = bytes.subarray(0, length)
    const head = headOf(line)
    if (head.seq !== seq) throw new Error(`record ${head.seq} is there`)
    return { seq, line, parts: partsOf(line, head) }
  }
}

function fits(referred: Referred, { seq, length }: Reference): boolean {
  return referred.seq === seq && referred.line.length === length
}
