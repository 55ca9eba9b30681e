import type { Command, Shape } from '../gate/command.ts'
import type { Json, JsonObject } from '../gate/json.ts'
import type { Answer, Question } from '../gate/ports.ts'
import type { Context } from '../gate/session.ts'
import type { Attestation } from './attestation.ts'

/** Whether a bundle's answers may be kept, and by what. */
export type MemoPlan =
  | {
      readonly memoisable: true
      /** The keys of `command.detail` that it reads; null is all of them. */
      readonly keys: readonly string[] | null
      /** It reads `command.text`. */
      readonly text: boolean
    }
  | { readonly memoisable: false; readonly why: string }

/** Answers kept for one shape: a few contexts, transaction states and parameter values that take turns. */
const ENTRIES_PER_SHAPE = 16
/** Different facts, as far as the policy reads them, that answers are kept for; a policy tells few statements apart. */
const MAX_MEANINGS = 4096
/** Characters of facts that are found again by their value: a body of megabytes is judged anew rather than kept. */
const LONGEST_MEANING = 8 * 1024
/** Characters of what varies that an answer is kept by: parameters and bodies of megabytes are judged anew, too. */
const LONGEST_VALUES = 1024
/** Characters of all that is kept, answers included, which may quote what agents wrote. Beyond it the oldest goes. */
const MAX_WEIGHT = 32 * 1024 ** 2
/** Different contexts (principals × targets) that answers are kept for at once. */
const MAX_CONTEXTS = 4096

/** The keys that `command.detail` may have, by protocol; of a protocol that is not there, any. */
export type Vocabularies = ReadonlyMap<string, ReadonlySet<string>>

/** Parts of the input that are constant for a session, and are compared as a whole. */
const CONSTANT = new Set(['version', 'principal', 'workload', 'target'])

export function memoPlan({ inputPaths, deterministic }: Pick<Attestation, 'inputPaths' | 'deterministic'>): MemoPlan {
  if (inputPaths === null) return { memoisable: false, why: 'the input paths that it reads could not be listed' }
  if (!deterministic) return { memoisable: false, why: 'it uses a builtin that does not always give the same answer' }
  const keys = new Set<string>()
  let all = false
  let text = false
  for (const [part = '', field, key] of inputPaths) {
    if (CONSTANT.has(part)) continue
    if (part !== 'command') return { memoisable: false, why: `it reads input.${part === '' ? '*' : part}` }
    if (field === undefined || field === 'text') text = true
    if (field === undefined || (field === 'detail' && key === undefined)) all = true
    else if (field === 'detail' && key !== undefined) keys.add(key)
  }
  return { memoisable: true, keys: all ? null : [...keys], text }
}

interface Entry {
  readonly context: object
  readonly action: string
  /** Of the keys that can differ, in their order; or one value, the whole varying part. */
  readonly values: readonly (Json | undefined)[]
  readonly answer: Answer
  /** Characters, as JSON. */
  readonly weight: number
}

interface Kept {
  readonly protocol: string
  /** Of {@link MemoPlan}'s, those that the protocol's facts have. */
  readonly keys: readonly string[] | null
  readonly entries: Entry[]
  /** Which entry the next new one replaces, once there are as many as there may be. */
  next: number
  /** Of its entries and of the facts that it is found by. */
  weight: number
  /** It is found by its facts, and counts; one with too many is found by its object alone, and goes with that. */
  listed: boolean
  /** It weighed too much together with others, and no shape may find it any more. */
  dropped: boolean
}

/**
 * Answers by all that the policy read: the facts by identity and, where another object says the same, by their value as
 * JSON; the context by its JSON; what varies by full value. It belongs to one activation of one bundle and dies with it.
 */
export class Memo {
  readonly #keys: readonly string[] | null
  readonly #vocabularies: Vocabularies
  /** By protocol. */
  readonly #keysOf = new Map<string, readonly string[] | null>()
  readonly #text: boolean
  /** By shape where the policy reads the text, else by detail, which texts that differ in constants only share. */
  readonly #known = new WeakMap<object, Kept>()
  readonly #meanings = new Map<string, Kept>()
  /** Of all in {@link #meanings}. */
  #weight = 0
  /** One object for all contexts that say the same. */
  readonly #contexts = new Map<string, object>()
  readonly #tokens = new WeakMap<Context, object>()
  #lastContext: Context | null = null
  #lastToken: object = {}

  constructor(
    { keys, text }: { readonly keys: readonly string[] | null; readonly text: boolean },
    vocabularies: Vocabularies = new Map(),
  ) {
    this.#keys = keys
    this.#vocabularies = vocabularies
    this.#text = text
  }

  find(question: Question): Answer | undefined {
    const { command, session } = question
    const { shape, varying } = command
    const kept = this.#keptFor(command)
    const context = session.context === this.#lastContext ? this.#lastToken : this.#token(session.context)
    for (const entry of kept.entries) {
      if (entry.context === context && entry.action === shape.action && sameValues(kept.keys, entry.values, varying)) {
        return entry.answer
      }
    }
    return undefined
  }

  keep({ command, session }: Question, answer: Answer): void {
    const { shape, varying } = command
    const kept = this.#keptFor(command)
    const { keys } = kept
    const found = keys === null ? [varying] : keys.map((key) => varying[key])
    const length = JSON.stringify(found).length
    if (length > LONGEST_VALUES) return
    // The varying part belongs to the protocol, which may write to it again.
    const values = structuredClone(found)
    const weight = length + JSON.stringify(answer.decision).length
    const replaced = kept.entries[kept.next]
    kept.entries[kept.next] = { context: this.#token(session.context), action: shape.action, values, answer, weight }
    kept.next = (kept.next + 1) % ENTRIES_PER_SHAPE
    kept.weight += weight - (replaced?.weight ?? 0)
    if (!kept.listed) return
    this.#weight += weight - (replaced?.weight ?? 0)
    this.#makeRoom()
  }

  #keptFor(command: Command): Kept {
    const { shape } = command
    const known = this.#known.get(this.#text ? shape : shape.detail)
    return known?.protocol === shape.protocol && !known.dropped ? known : this.#meaning(command)
  }

  /** What the policy can see of a shape, found by its value when the object is new. */
  #meaning({ shape }: Command): Kept {
    const { detail, protocol } = shape
    const keys = this.#keysFor(protocol)
    const seen = keys === null ? detail : keys.map((key) => detail[key] ?? null)
    const meaning = JSON.stringify([protocol, seen, this.#text ? shape.text : null])
    let kept = this.#meanings.get(meaning)
    if (kept === undefined) {
      const listed = meaning.length <= LONGEST_MEANING
      kept = { protocol, keys, entries: [], next: 0, weight: meaning.length, listed, dropped: false }
      if (!listed) return this.#remember(shape, kept)
      this.#meanings.set(meaning, kept)
      this.#weight += kept.weight
      this.#makeRoom()
    }
    return this.#remember(shape, kept)
  }

  /** The oldest go. Where there are only too many of them, the shapes that know one keep it for as long as they live. */
  #makeRoom(): void {
    for (const [meaning, kept] of this.#meanings) {
      const heavy = this.#weight > MAX_WEIGHT
      if (!heavy && this.#meanings.size <= MAX_MEANINGS) return
      this.#meanings.delete(meaning)
      this.#weight -= kept.weight
      kept.listed = false
      if (!heavy) continue
      kept.dropped = true
      kept.entries.length = 0
    }
  }

  /** For as long as the object itself is there. */
  #remember(shape: Shape, kept: Kept): Kept {
    this.#known.set(this.#text ? shape : shape.detail, kept)
    return kept
  }

  /**
   * What a protocol's facts do not have is not in them, so it cannot differ: rules for one protocol cost another nothing.
   * Sound because no answer is kept for a command that does not fit its schema, which is closed.
   */
  #keysFor(protocol: string): readonly string[] | null {
    let keys = this.#keysOf.get(protocol)
    if (keys === undefined) {
      const vocabulary = this.#vocabularies.get(protocol)
      keys = vocabulary === undefined ? this.#keys : (this.#keys?.filter((key) => vocabulary.has(key)) ?? null)
      this.#keysOf.set(protocol, keys)
    }
    return keys
  }

  #token(context: Context): object {
    let token = this.#tokens.get(context)
    if (token === undefined) {
      token = this.#contexts.get(context.json) ?? {}
      const [oldest] = this.#contexts.keys()
      if (this.#contexts.size >= MAX_CONTEXTS && oldest !== undefined) this.#contexts.delete(oldest)
      this.#contexts.set(context.json, token)
      this.#tokens.set(context, token)
    }
    this.#lastContext = context
    this.#lastToken = token
    return token
  }
}

function sameValues(
  keys: readonly string[] | null,
  values: readonly (Json | undefined)[],
  varying: JsonObject,
): boolean {
  if (keys === null) return sameJson(values[0], varying)
  for (let index = 0; index < values.length; index++) {
    const key = keys[index]
    if (key === undefined || !sameJson(values[index], varying[key])) return false
  }
  return true
}

function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, at) => sameJson(item, b[at]))
  return !Array.isArray(b) && sameMembers(a as JsonObject, b as JsonObject)
}

function sameMembers(a: JsonObject, b: JsonObject): boolean {
  let count = 0
  for (const key in a) {
    if (!Object.hasOwn(b, key) || !sameJson(a[key], b[key])) return false
    count++
  }
  return count === Object.keys(b).length
}
