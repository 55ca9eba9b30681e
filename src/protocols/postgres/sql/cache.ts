import type { Catalogue } from '../catalogue.ts'
import type { Analysis } from '../statement.ts'
import { analyse, analyseParsed, refused } from './analyse.ts'
import { CACHED_CHARACTERS, CACHED_TEXTS, INLINE_BYTES, type ParseLimits } from './limits.ts'
import { guard } from './parse.ts'
import { Refused } from './refused.ts'
import type { ParsingThread } from './thread.ts'

/** What a text cannot cost less than, however short: bounds the cache by the size of what it holds. */
const OVERHEAD = 64

interface Entry {
  readonly analysis: Analysis
  readonly cost: number
}

/**
 * Analyses by text, the same object for the same text, until the catalogue's revision moves or room is needed. Keeps
 * the texts used last; one cache serves all sessions of a target.
 */
export class AnalysisCache {
  readonly #limits: ParseLimits
  readonly #thread: ParsingThread
  readonly #large = new Map<string, Promise<Analysis>>()
  #catalogue: Catalogue | null = null
  /** Insertion order is age: what a generation outlives goes to `#old`, and comes back when it is used. */
  #young = new Map<string, Entry>()
  #old = new Map<string, Entry>()
  #cost = 0

  constructor(limits: ParseLimits, thread: ParsingThread) {
    this.#limits = limits
    this.#thread = thread
  }

  /** How many texts it holds. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** The analysis of a text, or undefined when it is too large for this thread: then `analyseLarge` gives it. */
  analyse(text: string, catalogue: Catalogue): Analysis | undefined {
    if (catalogue !== this.#catalogue) this.#use(catalogue)
    const young = this.#young.get(text)
    if (young !== undefined) return young.analysis
    const old = this.#old.get(text)
    if (old !== undefined) {
      this.#old.delete(text)
      return this.#keep(text, old.analysis)
    }
    if (text.length > this.#limits.statement || Buffer.byteLength(text) <= INLINE_BYTES) {
      return this.#keep(text, analyse(text, catalogue, this.#limits))
    }
    return undefined
  }

  /**
   * The analysis of a text of any size, parsed on the thread that can be stopped where it is large. Never rejects. `current` gives the
   * catalogue of whichever moment it is asked in.
   */
  analyseLarge(text: string, current: () => Catalogue): Promise<Analysis> {
    const known = this.analyse(text, current())
    if (known !== undefined) return Promise.resolve(known)
    const waiting = this.#large.get(text)
    if (waiting !== undefined) return waiting
    const analysis = this.#parseLarge(text, current).finally(() => this.#large.delete(text))
    this.#large.set(text, analysis)
    return analysis
  }

  /** The catalogue is read when the tree is there, so that no older one than the session's judges it. */
  async #parseLarge(text: string, current: () => Catalogue): Promise<Analysis> {
    try {
      guard(text, this.#limits)
      const parsed = await this.#thread.parse(text)
      const catalogue = current()
      this.#use(catalogue)
      return this.#keep(text, analyseParsed(parsed, catalogue, this.#limits))
    } catch (error) {
      if (error instanceof Refused) return refused(error)
      throw error
    }
  }

  #use(catalogue: Catalogue): void {
    if (this.#catalogue?.revision !== catalogue.revision) {
      this.#young.clear()
      this.#old.clear()
      this.#cost = 0
    }
    this.#catalogue = catalogue
  }

  /** What a parse does not know for sure is kept as well: refusals of a text are as stable as its facts. */
  #keep(text: string, analysis: Analysis): Analysis {
    const cost = text.length + OVERHEAD
    if (cost > CACHED_CHARACTERS / 4) return analysis
    this.#young.set(text, { analysis, cost })
    this.#cost += cost
    if (this.#young.size > CACHED_TEXTS / 2 || this.#cost > CACHED_CHARACTERS / 2) {
      this.#old = this.#young
      this.#young = new Map()
      this.#cost = 0
    }
    return analysis
  }
}
