/** What is known of each database of a target: its catalogue, kept fresh, and the analyses made under it. */
import type { Logger } from 'pino'
import { refusal } from '../../gate/refusal.ts'
import type { Catalogue } from './catalogue.ts'
import { CatalogueLoader } from './catalogue/loader.ts'
import type { MaskMethods } from '../../mask/method.ts'
import { Obligations } from './relay/obligations.ts'
import type { Analyses } from './relay/naming.ts'
import { AnalysisCache } from './sql/cache.ts'
import type { ParseLimits } from './sql/limits.ts'
import type { ParsingThread } from './sql/thread.ts'
import { Twins } from './sql/twins.ts'
import type { Analysis, Statement } from './statement.ts'
import type { Queries } from './upstream/queries.ts'

/** A name that nobody knows makes the catalogue be looked at again, at most this often. */
const UNRESOLVED_REFRESH_MS = 1_000
/** A catalogue that could not be looked at for this many of its refresh times is believed no more. */
const STALE_AFTER_REFRESHES = 10
/** The catalogue connection of a database that no session uses is closed after this. */
const UNUSED_MS = 60_000

export interface DatabaseOptions {
  readonly connect: () => Promise<Queries>
  readonly searchPath: readonly string[]
  readonly refresh: number
  readonly limits: ParseLimits
  readonly thread: ParsingThread
  readonly masks: MaskMethods
  readonly log: Logger
}

export class Database implements Analyses {
  /** One for all sessions: plans are the same for all. */
  readonly obligations: Obligations
  readonly #options: DatabaseOptions
  readonly #cache: AnalysisCache
  readonly #loader: CatalogueLoader
  readonly #twins = new Twins()
  readonly #unresolved = new WeakMap<Analysis, boolean>()
  #catalogue: Catalogue | null = null
  #queries: Queries | null = null
  #refreshing: Promise<void> | null = null
  #next: Promise<void> | null = null
  #refreshedAt = 0
  #sessions = 0
  #timer: NodeJS.Timeout | null = null

  constructor(options: DatabaseOptions) {
    this.#options = options
    this.#cache = new AnalysisCache(options.limits, options.thread)
    this.#loader = new CatalogueLoader(options.searchPath)
    this.obligations = new Obligations(() => this.catalogue(), options.masks)
  }

  /** A session begins; its statements can be analysed when this has resolved. Rejects when the catalogue cannot be read. */
  async join(): Promise<void> {
    this.#sessions++
    this.#timer ??= setInterval(() => this.#tick(), this.#options.refresh).unref()
    try {
      if (this.#catalogue === null || this.#stale()) await this.refresh()
    } catch (error) {
      this.leave()
      throw error
    }
  }

  leave(): void {
    this.#sessions--
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#queries?.close()
    this.#queries = null
  }

  catalogue(): Catalogue {
    if (this.#catalogue === null) throw new Error('a statement was analysed before the catalogue was read')
    return this.#catalogue
  }

  of(text: string): Analysis | Promise<Analysis> {
    if (this.#stale()) return STALE
    const twin = this.#twins.find(text, this.catalogue().revision)
    if (twin !== undefined) return twin
    const analysis = this.#cache.analyse(text, this.catalogue()) ?? this.#analyseLarge(text)
    if (analysis instanceof Promise) return analysis.then((late) => this.#resolved(text, late))
    return this.#resolved(text, analysis)
  }

  /**
   * Looks whether the catalogs have changed, and reads them again if so. What is being read already may have been read
   * before the change that the caller knows of: that is waited for, and one more reading then serves all who came meanwhile.
   */
  refresh(): Promise<void> {
    if (this.#refreshing === null) return this.#begin()
    this.#next ??= this.#refreshing.then(
      () => this.#begin(),
      () => this.#begin(),
    )
    return this.#next
  }

  #begin(): Promise<void> {
    this.#next = null
    this.#refreshing = this.#read().finally(() => {
      this.#refreshing = null
    })
    return this.#refreshing
  }

  /** What names something unknown may name something new. */
  #resolved(text: string, analysis: Analysis): Analysis | Promise<Analysis> {
    let unresolved = this.#unresolved.get(analysis)
    if (unresolved === undefined) {
      unresolved = analysis.kind === 'statements' && analysis.statements.some(namesUnknown)
      this.#unresolved.set(analysis, unresolved)
      if (!unresolved) this.#twins.learn(text, analysis)
    }
    if (!unresolved || Date.now() - this.#refreshedAt < UNRESOLVED_REFRESH_MS) return analysis
    // What is not known to the catalogue may be known to the next one.
    const again = () => this.#analyseLarge(text)
    return this.refresh().then(again, again)
  }

  #analyseLarge(text: string): Promise<Analysis> {
    return this.#cache.analyseLarge(text, () => this.catalogue())
  }

  async #read(): Promise<void> {
    try {
      if (this.#queries === null || this.#queries.closed) this.#queries = await this.#options.connect()
      const queries = this.#queries
      this.#catalogue = await this.#loader.load((sql) => queries.query(sql))
      this.#refreshedAt = Date.now()
    } catch (error) {
      this.#queries?.close()
      this.#queries = null
      throw error
    }
  }

  #tick(): void {
    if (this.#sessions === 0) {
      if (Date.now() - this.#refreshedAt > UNUSED_MS) this.close()
      return
    }
    this.refresh().catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'the catalogue could not be looked at')
    })
  }

  #stale(): boolean {
    return Date.now() - this.#refreshedAt > this.#options.refresh * STALE_AFTER_REFRESHES
  }
}

const STALE: Analysis = Object.freeze({
  kind: 'refused',
  refusal: refusal('upstream.unavailable', 'the catalogue of the database could not be read for too long', 'try again'),
})

function namesUnknown({ shape }: Statement): boolean {
  const { relations, functions } = shape.detail
  return [relations, functions].some(
    (list) =>
      Array.isArray(list) &&
      list.some((item) => typeof item === 'object' && item !== null && 'schema' in item && item.schema === null),
  )
}
