/** How a command's parameters are recorded: types and keyed hashes, or values where policy asked for them and masks none. */
import { hash, randomBytes } from 'node:crypto'
import type { Decision } from '../gate/decision.ts'
import type { Json, JsonObject } from '../gate/json.ts'
import { ascii, quote } from './quote.ts'
import { bounded } from './template.ts'

/**
 * 128 bits of the SHA-256 of key and value. A bare hash of a card number is undone by trying them all; without the key,
 * which is new at every start and never leaves memory, that is not possible. Cutting the digest also closes the
 * extension of one hash to that of a longer value, for which HMAC would otherwise be needed at many times the cost.
 */
const HASH_DIGITS = 32
/** As text it leaves room for a short value in one block of SHA-256. */
const KEY_BYTES = 16
/** More of them are put together as a string, whose length is then looked at. */
const FEW = 64
/** Types have short names, and are few: a protocol's own. */
const TYPE_LENGTH = 64
const TYPES = 1_024
const QUOTE = 0x22
const OPENING = 0x5b
const CLOSING = 0x5d
const BRACE = 0x7d

export class ParameterHash {
  readonly #key: string
  /** `,{"type":…,"hash":"` */
  readonly #heads = new Map<string, Buffer>()

  constructor(key: Uint8Array = randomBytes(KEY_BYTES)) {
    this.#key = Buffer.from(key).toString('hex')
  }

  of(value: string): string {
    return this.#digest(value).slice(0, HASH_DIGITS)
  }

  /** Writes what {@link json} gives, or its size and hash where that is too large for a record. Returns where it ends. */
  write(slab: Buffer, offset: number, parameters: Json, decision: Decision): number {
    const end = isFull(decision) ? 0 : this.#writeFew(slab, offset, parameters)
    return end > 0 ? end : offset + slab.write(bounded(this.json(parameters, decision)), offset, 'latin1')
  }

  /** Without a string on the way, where they are what they nearly always are: a few values of types that have names. 0 for any other. */
  #writeFew(slab: Buffer, offset: number, parameters: Json): number {
    if (!Array.isArray(parameters) || parameters.length === 0 || parameters.length > FEW) return 0
    let at = offset
    for (const parameter of parameters as readonly Json[]) {
      if (parameter === null || typeof parameter !== 'object') return 0
      const { type, value } = parameter as JsonObject
      if (typeof type !== 'string' || type.length > TYPE_LENGTH || typeof value !== 'string') return 0
      const head = this.#headOf(type)
      slab.set(head, at)
      at += head.length
      at += slab.write(this.#digest(value), at, HASH_DIGITS, 'latin1')
      slab[at++] = QUOTE
      slab[at++] = BRACE
    }
    slab[offset] = OPENING
    slab[at] = CLOSING
    return at + 1
  }

  #headOf(type: string): Buffer {
    let head = this.#heads.get(type)
    if (head === undefined) {
      head = Buffer.from(`,{"type":${quote(type)},"hash":"`, 'latin1')
      if (this.#heads.size >= TYPES) this.#heads.clear()
      this.#heads.set(type, head)
    }
    return head
  }

  #digest(value: string): string {
    return hash('sha256', this.#key + value, 'hex')
  }

  /** Parameters as they may be recorded under this decision, as JSON in ASCII. */
  json(parameters: Json, decision: Decision): string {
    if (isFull(decision)) return ascii(JSON.stringify(parameters))
    if (!Array.isArray(parameters)) return this.#hidden(parameters)
    let out = ''
    for (const parameter of parameters as readonly Json[]) out += (out === '' ? '[' : ',') + this.#hidden(parameter)
    return out === '' ? '[]' : out + ']'
  }

  /** Of an object only `type` is kept in clear: any other key may hold the value. That there is no value is no secret. */
  #hidden(parameter: Json): string {
    if (parameter === null) return 'null'
    if (typeof parameter !== 'object') return `{"type":"${typeof parameter}","hash":"${this.of(String(parameter))}"}`
    const { type, value, known } = parameter as JsonObject
    const head = '{"type":' + (typeof type === 'string' ? quote(type) : 'null')
    if (value === null) return head + (known === false ? ',"known":false}' : ',"value":null}')
    return head + ',"hash":"' + this.of(typeof value === 'string' ? value : JSON.stringify(value ?? parameter)) + '"}'
  }
}

/** A masked value may well be what the agent looks for: values are kept only where nothing is masked. */
function isFull({ record, masks }: Decision): boolean {
  return record === 'full' && masks.length === 0
}
