/** Request lines that were read before: a controller polls the same few. */
import type { ParsedRequest } from './facts.ts'
import { parseRequest } from './parse.ts'

const LINES = 2_048
/** Longer ones carry a command or a selector of their own, and seldom come twice. */
const LONGEST = 1_024

export class RecentRequests {
  /** Oldest first: a Map keeps the order of insertion. */
  readonly #known = new Map<string, ParsedRequest>()

  /** Never throws. What it gives is shared, and is not to be changed. */
  parse(method: string, target: string): ParsedRequest {
    if (target.length > LONGEST) return parseRequest(method, target)
    const key = `${method} ${target}`
    let parsed = this.#known.get(key)
    if (parsed === undefined) {
      parsed = parseRequest(method, target)
      // Whoever tries many wrong ones must not drive out what is used.
      if (parsed.kind === 'refused') return parsed
      if (this.#known.size >= LINES) this.#known.delete(this.#known.keys().next().value as string)
    } else this.#known.delete(key)
    this.#known.set(key, parsed)
    return parsed
  }
}
