/** How a decision's masks are kept for what a request returns. */
import type { Decision, Mask } from '../../../gate/decision.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { MaskMethods } from '../../../mask/method.ts'
import type { Body } from '../body/body.ts'
import type { Request } from '../request/facts.ts'
import { inOnePage, representationOf } from './accept.ts'
import { type CompiledMasks, compileMasks } from './compile.ts'
import { DocumentMasker } from './document.ts'
import { ListRewriter } from './list.ts'
import { ValueMasks } from './value.ts'
import { WatchRewriter } from './watch.ts'
import { WholeRewriter } from './whole.ts'
import { checkBody, checkSelectors } from './writeback.ts'

export { Unmaskable } from './unmaskable.ts'

/** Rewrites one response, chunk by chunk. */
export interface Rewriter {
  /** What the agent gets for it; perhaps nothing yet. Throws {@link Unmaskable}. */
  chunk(bytes: Buffer): readonly Uint8Array[]
  end(): readonly Uint8Array[]
}

export interface MaskPlan {
  /** What is asked upstream instead of what the agent asked for; null where that stays as it is. */
  readonly instead: { readonly accept: string; readonly target: string } | null
  /** What the API server says beside an answer may quote what was there before. */
  readonly quotes: boolean
  /** Null where the response passes as it is; a refusal where it cannot be inspected. */
  rewriter(status: number, contentType: string): Rewriter | Refusal | null
  /** Names of what was masked so far, never values. */
  readonly masked: readonly string[]
}

export interface MaskQuestion {
  readonly request: Request
  readonly body: Body | null
  /** What would go upstream. */
  readonly accept: string
  readonly decision: Decision
  readonly methods: MaskMethods
  /** The largest object that may be held. */
  readonly limit: number
  /** What policy says of `get` for one object of the request's kind; null where it does not permit that outright. */
  readonly get: (namespace: string, name: string) => Decision | null
}

export const NO_MASKS: MaskPlan = { instead: null, quotes: false, rewriter: () => null, masked: Object.freeze([]) }

const COLLECTIONS: ReadonlySet<string> = new Set(['list', 'deletecollection'])
const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch'])
/** Their failures may quote what was there before: the server's own words do, and those of webhooks, which are given it. */
const QUOTES: ReadonlySet<string> = new Set(['update', 'patch', 'delete', 'deletecollection'])

/** By a decision's masks, which policy gives again with the decision: identity is meaning. */
const compiled = new WeakMap<readonly Mask[], Map<string, CompiledMasks | string>>()
/** Kinds of objects that one decision was compiled for. */
const KINDS = 256

function compiledFor(masks: readonly Mask[], { facts }: Request, withhold: boolean): CompiledMasks | string {
  const key = `${facts.group}/${facts.resource} ${withhold}`
  const known = compiled.get(masks) ?? new Map<string, CompiledMasks | string>()
  const made = known.get(key) ?? compileMasks(masks, facts, withhold)
  if (known.size < KINDS) compiled.set(masks, known.set(key, made))
  return made
}

/** A refusal where the decision's masks cannot be kept for such a request. */
export function planMasks(question: MaskQuestion): MaskPlan | Refusal {
  const { request, body, decision, methods } = question
  const { facts } = request
  // Discovery, health and versions say nothing of any object.
  if (decision.masks.length === 0 || !facts.resourceRequest) return NO_MASKS
  if (request.action === 'connect' || (facts.resource === 'pods' && facts.subresource === 'log')) {
    return unsupported(`what ${request.text} returns cannot be masked`, 'ask for objects, which can')
  }
  const asWritten = compiledFor(decision.masks, request, false)
  if (typeof asWritten === 'string') {
    return unsupported(`the mask ${asWritten} cannot be kept for objects`, 'tell whoever writes the policy')
  }
  if (asWritten.perObject && facts.verb === 'deletecollection') {
    return unsupported('objects that are not shown would be deleted too', 'delete them by name')
  }
  const refused =
    checkSelectors(request, asWritten) ?? (body === null ? null : checkBody(request, body, asWritten, methods))
  return refused ?? new ResponsePlan(question, asWritten)
}

class ResponsePlan implements MaskPlan {
  readonly instead: { readonly accept: string; readonly target: string }
  readonly quotes: boolean
  readonly #question: MaskQuestion
  readonly #documents: DocumentMasker
  readonly #masked = new Set<string>()

  constructor(question: MaskQuestion, asWritten: CompiledMasks) {
    const { request, accept, decision, methods } = question
    const { verb } = request.facts
    const { accept: wanted, target, reduce, table } = representationOf(request, accept, asWritten)
    const masks = READS.has(verb) ? asWritten : compiledFor(decision.masks, request, true)
    this.#question = question
    this.instead = { accept: wanted, target: asWritten.drops && verb === 'list' ? inOnePage(target) : target }
    this.quotes = QUOTES.has(verb)
    this.#documents = new DocumentMasker({
      masks: typeof masks === 'string' ? asWritten : masks,
      values: new ValueMasks(methods),
      masked: this.#masked,
      reduce,
      table,
      quotes: this.quotes,
      visible: asWritten.perObject ? (namespace, name) => this.#visible(namespace, name) : null,
    })
  }

  get masked(): readonly string[] {
    return [...this.#masked]
  }

  rewriter(status: number, contentType: string): Rewriter | Refusal {
    const { request, limit } = this.#question
    const { verb } = request.facts
    if (contentType.split(';')[0]?.trim().toLowerCase() !== 'application/json' && request.method !== 'HEAD') {
      const shown = contentType === '' ? 'without a content type' : contentType
      return unsupported(`the answer is ${shown}, which cannot be masked`, 'ask for JSON')
    }
    if (status < 300 && verb === 'watch') return new WatchRewriter(this.#documents, limit)
    if (status < 300 && COLLECTIONS.has(verb)) return new ListRewriter(this.#documents, limit)
    return new WholeRewriter(this.#documents, limit)
  }

  /** An object that would be masked in more places by itself is not shown among others. */
  #visible(namespace: string, name: string): boolean {
    const { decision, get } = this.#question
    const own = get(namespace, name)
    if (own === null) return false
    const kept = new Set(decision.masks.map(identityOf))
    return own.masks.every((mask) => kept.has(identityOf(mask)))
  }
}

function identityOf({ column, detector, path, with: method }: Mask): string {
  return JSON.stringify([column, detector, path, method])
}

function unsupported(message: string, remedy: string): Refusal {
  return refusal('obligation.unsupported', message, remedy)
}
