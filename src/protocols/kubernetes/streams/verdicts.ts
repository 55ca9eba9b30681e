/**
 * What people would not grant, for a minute: kubectl asks for a stream over SPDY when WebSocket was refused, and nobody is to be
 * asked the same question twice.
 */
import type { Refusal } from '../../../gate/refusal.ts'
import type { Session } from '../../../gate/session.ts'
import type { Request } from '../request/facts.ts'

const REMEMBERED_MS = 60_000
/** Of all agents of a target; the oldest is forgotten first. */
const MOST = 1_024

export class Verdicts {
  readonly #verdicts = new Map<string, { readonly refusal: Refusal; readonly until: number }>()

  /** Only what people said, or did not: what policy says is asked anew at no cost, and may have changed. */
  remember(session: Session, request: Request, because: Refusal, now = Date.now()): void {
    if (!because.code.startsWith('approval.')) return
    const key = keyOf(session, request)
    this.#verdicts.delete(key)
    if (this.#verdicts.size >= MOST) this.#verdicts.delete(this.#verdicts.keys().next().value as string)
    this.#verdicts.set(key, { refusal: because, until: now + REMEMBERED_MS })
  }

  recall(session: Session, request: Request, now = Date.now()): Refusal | null {
    const known = this.#verdicts.get(keyOf(session, request))
    return known !== undefined && known.until > now ? known.refusal : null
  }
}

/** Who asks, and for what: pod, container, argv and streams are all in the target of the request. */
function keyOf({ context }: Session, { target }: Request): string {
  return `${context.json}\n${target}`
}

const verdicts = new WeakMap<object, Verdicts>()

/** Those of one configured target. */
export function verdictsOf(shared: object): Verdicts {
  let known = verdicts.get(shared)
  if (known === undefined) verdicts.set(shared, (known = new Verdicts()))
  return known
}
