/**
 * The slow reader, for texts with escapes in keys. V8's JSON.parse can take `"spe\u0063"` for another key, where an object with
 * a key of the escape's own characters (`spe\`) was parsed before (nodejs/node#63785): what agents send can bring that about,
 * and what was judged would not be what the API server reads. It is right about values, and about what is JSON at all.
 */
import type { Json } from '../../../../gate/json.ts'
import { unparsable } from '../refused.ts'

/** The value of a text that JSON.parse accepts. Throws at a repeated key. */
export function readJson(text: string): Json {
  return new Reader(text).value()
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(): Json {
    const first = this.#peek()
    if (first === '{') return this.#object()
    if (first === '[') return this.#array()
    return first === '"' ? this.#string() : this.#word()
  }

  #object(): Json {
    const members: Record<string, Json> = {}
    this.#at++
    while (this.#peek() !== '}') {
      if (this.#text[this.#at] === ',') this.#at++
      this.#peek()
      const key = this.#string()
      if (key === '__proto__') throw unparsable('a key is __proto__', 'leave it out')
      if (Object.hasOwn(members, key)) throw unparsable('a key is there twice in one object', 'send each key once')
      this.#peek()
      this.#at++
      members[key] = this.value()
    }
    this.#at++
    return members
  }

  #array(): Json {
    const items: Json[] = []
    this.#at++
    while (this.#peek() !== ']') {
      if (this.#text[this.#at] === ',') this.#at++
      items.push(this.value())
    }
    this.#at++
    return items
  }

  #string(): string {
    const start = this.#at++
    while (this.#text[this.#at] !== '"') this.#at += this.#text[this.#at] === '\\' ? 2 : 1
    return JSON.parse(this.#text.slice(start, ++this.#at)) as string
  }

  /** A number, true, false or null. */
  #word(): Json {
    const start = this.#at
    while (this.#at < this.#text.length && !' \t\r\n,]}'.includes(this.#text[this.#at] as string)) this.#at++
    return JSON.parse(this.#text.slice(start, this.#at)) as Json
  }

  /** What comes behind white space. */
  #peek(): string | undefined {
    while (' \t\r\n'.includes(this.#text[this.#at] ?? '.')) this.#at++
    return this.#text[this.#at]
  }
}
