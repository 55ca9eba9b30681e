/** How one value is read from the wire, and what it is where it is not there. */
import type { Reader } from 'protobufjs/minimal.js'
import type { Json } from '../../../../gate/json.ts'
import { DEPTH, VALUES } from '../limits.ts'
import { tooLarge, unparsable } from '../refused.ts'

export const VARINT = 0
export const FIXED64 = 1
export const BYTES = 2

/** What may still be read of a body: few bytes can become many values. */
export class Budget {
  #depth = 0
  #values = 0

  value(): void {
    if (++this.#values > VALUES) throw tooLarge(`the body has more than ${VALUES} values`)
  }

  nested<T>(read: () => T): T {
    if (++this.#depth > DEPTH) throw unparsable(`the body is nested deeper than ${DEPTH} levels`, 'send a flatter one')
    const found = read()
    this.#depth--
    return found
  }
}

export interface Codec {
  readonly wire: typeof VARINT | typeof FIXED64 | typeof BYTES
  /** Many of it may follow each other: a list or a map. */
  readonly repeated: boolean
  /** Go's omitempty leaves it out where it is this empty; structs never are. */
  readonly empty: (json: Json) => boolean
  /** Go's zero value, as JSON. */
  readonly zero: () => Json
  readonly read: (reader: Reader, budget: Budget) => Json
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes)
  } catch {
    throw unparsable('a string of the body is not UTF-8', 'send well-formed text')
  }
}

function readExact(reader: Reader): number {
  const { low, high } = reader.int64()
  const exact = (BigInt(high) << 32n) | BigInt(low >>> 0)
  if (BigInt(Number(exact)) === exact) return Number(exact)
  throw unparsable(`the integer ${exact} cannot be judged exactly`, 'send one below 2^53')
}

function readFinite(reader: Reader): number {
  const read = reader.double()
  if (Number.isFinite(read)) return read
  throw unparsable('a number of the body is none that JSON has', 'send a finite one')
}

function scalar<T extends string | number | boolean>(wire: Codec['wire'], zero: T, read: (reader: Reader) => T): Codec {
  return { wire, repeated: false, zero: () => zero, empty: (json) => json === zero, read }
}

export const SCALARS: ReadonlyMap<string, Codec> = new Map([
  ['string', scalar(BYTES, '', (reader) => textOf(reader.bytes()))],
  ['bool', scalar(VARINT, false, (reader) => reader.bool())],
  ['int32', scalar(VARINT, 0, (reader) => reader.int32())],
  ['int64', scalar(VARINT, 0, readExact)],
  ['double', scalar(FIXED64, 0, readFinite)],
  [
    'bytes',
    {
      wire: BYTES,
      repeated: false,
      zero: () => null,
      empty: (json) => json === null || json === '',
      read: (reader) => Buffer.from(reader.bytes()).toString('base64'),
    },
  ],
])

/** What is a Go struct, and so never left out for being empty. */
export function struct(zero: () => Json, read: Codec['read']): Codec {
  return { wire: BYTES, repeated: false, zero, empty: () => false, read }
}

/** Left out only where it is not there. */
export function pointer({ wire, repeated, read }: Codec): Codec {
  return { wire, repeated, zero: () => null, empty: () => false, read }
}

/** A list or a map, which is nil where nothing of it came. */
export function repeated(wire: Codec['wire'], read: Codec['read']): Codec {
  return { wire, repeated: true, zero: () => null, empty: (json) => json === null, read }
}
