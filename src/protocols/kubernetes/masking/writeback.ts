/** Requests that would destroy what is hidden by writing its mask back, or ask questions about it. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Json } from '../../../gate/json.ts'
import { parseJson } from '../body/json/parse.ts'
import type { MaskMethods } from '../../../mask/method.ts'
import type { Body, PatchOperation } from '../body/body.ts'
import type { Request } from '../request/facts.ts'
import { type CompiledMasks, type State, stepByName } from './compile.ts'
import { LAST_APPLIED } from './doors.ts'
import { isIndex, type MaskPath, overlaps } from './path.ts'

/** Operations of a JSON Patch that read what is there. */
const READING: ReadonlySet<string> = new Set(['test', 'copy', 'move'])
const LAST_APPLIED_PATH: MaskPath = [{ name: 'metadata' }, { name: 'annotations' }, { name: LAST_APPLIED }]
const LABELS = ['metadata', 'labels']
/** What is said of masked values there is hidden there, and would not be elsewhere. */
const TEXTS: readonly MaskPath[] = ['labels', 'annotations', 'managedFields'].map((name) => [
  { name: 'metadata' },
  { name },
])
/** Operators of selectors, as far as they end a field's name. */
const OPERATOR = /!?=/

export function checkSelectors({ facts }: Request, masks: CompiledMasks): Refusal | null {
  const fields = facts.query['fieldSelector']?.[0] ?? ''
  for (const term of fields.split(',')) {
    const field = term.split(OPERATOR, 1)[0]?.trim() ?? ''
    if (field !== '' && masks.paths.some((path) => overlaps(path, field.split('.')))) {
      return unsupported(`the field selector asks about ${field}, which is masked`, 'select by other fields')
    }
  }
  const labels = facts.query['labelSelector']?.[0] ?? ''
  if (labels !== '' && masks.paths.some((path) => overlaps(path, LABELS))) {
    return unsupported('the label selector asks about labels that are masked', 'select by fields')
  }
  return null
}

/** `masks` with `deny` as it is: what may not be shown may not be set either. */
export function checkBody(request: Request, body: Body, masks: CompiledMasks, methods: MaskMethods): Refusal | null {
  if (body.form === 'options') return null
  const operations = body.patch?.type === 'json' ? body.patch.operations : null
  const oracle = operations === null ? null : checkOperations(operations, masks)
  if (oracle !== null) return oracle
  const marked = markedField(body.json, new Marker(methods), [])
  if (marked !== null) return writeBack(marked)
  // An absent field is left as it is by a patch, and removed by whoever writes the whole object.
  const whole = request.facts.verb === 'update' || body.patch?.type === 'apply'
  const check = new Check(methods, whole)
  if (operations === null) return check.object(body.json, masks.root)
  if (!Array.isArray(body.json)) return null
  for (const operation of body.json as readonly Json[]) {
    const { path, value } = (operation ?? {}) as { path?: Json; value?: Json }
    if (typeof path !== 'string' || value === undefined) continue
    const names = namesOf(path)
    for (const state of statesAt(masks.root, names)) {
      const refused = check.value(value, state, names)
      if (refused !== null) return refused
    }
  }
  return null
}

function checkOperations(operations: readonly PatchOperation[], masks: CompiledMasks): Refusal | null {
  if (masks.paths.length === 0) return null
  const asked = [...masks.paths, LAST_APPLIED_PATH]
  const taken = [...masks.paths, ...TEXTS]
  for (const { op, path, from } of operations) {
    if (!READING.has(op)) continue
    const touched = [[path, asked] as const, ...(from === null ? [] : [[from, taken] as const])]
    for (const [pointer, hidden] of touched) {
      const names = namesOf(pointer)
      if (!hidden.some((masked) => overlaps(masked, names))) continue
      const message = `a JSON Patch may not ${op} ${pointer}, where a value is masked, or may be told`
      return unsupported(message, 'use add, replace or remove')
    }
  }
  return null
}

/** Of a JSON Pointer (RFC 6901). */
function namesOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** A number in a pointer may be an index, or the name of a member. */
function statesAt(root: State, names: readonly string[]): State[] {
  let states: (State | null)[] = [root]
  for (const name of names) {
    states = states.flatMap((state) =>
      state === null ? [] : [stepByName(state, name), ...(isIndex(name) ? [state.element] : [])],
    )
  }
  return states.filter((state) => state !== null)
}

/** The marker itself, which no data holds by chance, in whatever field. */
class Marker {
  readonly #methods: MaskMethods
  readonly #encoded: string

  constructor(methods: MaskMethods) {
    this.#methods = methods
    this.#encoded = Buffer.from(methods.marker).toString('base64')
  }

  holds(text: string): boolean {
    return this.#methods.holdsMarker(text) || text.includes(this.#encoded)
  }
}

function markedField(value: Json, marker: Marker, at: readonly string[]): readonly string[] | null {
  if (typeof value === 'string') return marker.holds(value) ? at : null
  if (value === null || typeof value !== 'object') return null
  for (const [key, child] of Object.entries(value)) {
    const found = marker.holds(key) ? [...at, key] : markedField(child, marker, [...at, key])
    if (found !== null) return found
  }
  return null
}

/** Forms of masks that are only known by where they stand. */
class Check {
  readonly #hash: RegExp
  readonly #whole: boolean

  constructor(methods: MaskMethods, whole: boolean) {
    this.#hash = new RegExp(`^[0-9a-f]{${methods.text('hash')?.longest ?? 0}}$`)
    this.#whole = whole
  }

  /** An object, and what was last applied of it. */
  object(json: Json, root: State): Refusal | null {
    const refused = this.value(json, root, [])
    const applied = appliedIn(json)
    return refused ?? (applied === null ? null : this.value(applied, root, ['metadata', 'annotations', LAST_APPLIED]))
  }

  value(value: Json, state: State, at: readonly string[]): Refusal | null {
    if (state.mask === 'deny' && value !== null) {
      return unsupported(`the policy does not show ${fieldOf(at)}, and so does not let it be set`, 'leave it out')
    }
    if (value === null) return state.mask !== null && this.#whole ? writeBack(at) : null
    if (typeof value === 'string') return this.#isMask(value, state) ? writeBack(at) : null
    if (typeof value !== 'object') return null
    for (const [key, child] of Object.entries(value)) {
      const next = Array.isArray(value) ? state.element : stepByName(state, key)
      const refused = next === null ? null : this.value(child, next, [...at, key])
      if (refused !== null) return refused
    }
    return null
  }

  #isMask(value: string, { mask, bytes }: State): boolean {
    if (mask !== 'partial' && mask !== 'hash') return false
    const text = bytes ? Buffer.from(value, 'base64').toString() : value
    return mask === 'hash' ? this.#hash.test(text) : /^\*{8}.{4}$/su.test(text)
  }
}

function appliedIn(json: Json): Json {
  const { metadata } = (json ?? {}) as { metadata?: { annotations?: Record<string, Json> } }
  const text = metadata?.annotations?.[LAST_APPLIED]
  if (typeof text !== 'string') return null
  try {
    return parseJson(Buffer.from(text))
  } catch {
    return null
  }
}

function fieldOf(names: readonly string[]): string {
  return names
    .map((name, index) => (/^[\w-]+$/.test(name) ? `${index === 0 ? '' : '.'}${name}` : `["${name}"]`))
    .join('')
}

function writeBack(at: readonly string[]): Refusal {
  const message = `${fieldOf(at)} holds what stands for a masked value`
  return refusal('obligation.write-back', message, 'leave the field out, or patch only what you change')
}

function unsupported(message: string, remedy: string): Refusal {
  return refusal('obligation.unsupported', message, remedy)
}
