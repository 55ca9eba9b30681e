/** How a command's parameters are recorded: types and keyed hashes, or values where policy asked for them and masks none. */
import { hash, randomBytes } from 'node:crypto'
import type { Decision } from '../gate/decision.ts'
import type { Json, JsonObject } from '../gate/json.ts'
import { ascii, quote } from './quote.ts'

/**
 * 128 bits of the SHA-256 of key and value. A bare hash of a card number is undone by trying them all; without the key,
 * which is new at every start and never leaves memory, that is not possible. Cutting the digest also closes the
 * extension of one hash to that of a longer value, for which HMAC would otherwise be needed at many times the cost.
 */
const HASH_DIGITS = 32
/** As text it leaves room for a short value in one block of SHA-256. */
const KEY_BYTES = 16

export class ParameterHash {
  readonly #key: string

  constructor(key: Uint8Array = randomBytes(KEY_BYTES)) {
    this.#key = Buffer.from(key).toString('hex')
  }

  of(value: string): string {
    return hash('sha256', this.#key + value, 'hex').slice(0, HASH_DIGITS)
  }

  /** Parameters as they may be recorded under this decision, as JSON in ASCII. */
  json(parameters: Json, decision: Decision): string {
    // A masked value may well be what the agent looks for: values are kept only where nothing is masked.
    if (decision.record === 'full' && decision.masks.length === 0) return ascii(JSON.stringify(parameters))
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
