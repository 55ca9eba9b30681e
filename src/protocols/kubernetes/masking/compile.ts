/** Masks as an automaton over the names of members, so that an object is walked once however many masks there are. */
import { type Mask, MASK_METHODS, type MaskMethod } from '../../../gate/decision.ts'
import { type MaskPath, parsePath, type Segment } from './path.ts'

export interface State {
  /** What hides the value here, and all in it; null where only something in it is hidden. */
  readonly mask: MaskMethod | null
  /** The mask's own path, for the record. */
  readonly path: string
  /** The value is bytes: base64 in JSON, which typed clients decode. */
  readonly bytes: boolean
  readonly names: readonly (readonly [Buffer, State])[]
  readonly other: State | null
  readonly element: State | null
}

/** Fields of type `[]byte`, by group and resource. A text there would fail in typed clients. */
const BYTES: Readonly<Record<string, readonly string[]>> = {
  '/secrets': ['data.*'],
  '/configmaps': ['binaryData.*'],
  'certificates.k8s.io/certificatesigningrequests': ['spec.request', 'status.certificate'],
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': ['webhooks.*.clientConfig.caBundle'],
  'admissionregistration.k8s.io/validatingwebhookconfigurations': ['webhooks.*.clientConfig.caBundle'],
  'apiextensions.k8s.io/customresourcedefinitions': ['spec.conversion.webhook.clientConfig.caBundle'],
  'apiregistration.k8s.io/apiservices': ['spec.caBundle'],
}
/** Fields that can be written as others, and then stand in what was last applied. */
const TWINS: Readonly<Record<string, readonly [string, string]>> = { '/secrets': ['data', 'stringData'] }

/** A policy that names more at once than any resource has fields is a mistake, and would take memory. */
const STATES = 10_000

interface Rule {
  readonly path: MaskPath
  readonly text: string
  /** Null: only tells that the value is bytes. */
  readonly with: MaskMethod | null
}

export interface CompiledMasks {
  readonly root: State
  readonly paths: readonly MaskPath[]
  /** Each object of a collection must be permitted by itself: the mask `$` with `deny`. */
  readonly perObject: boolean
  /** Objects of a collection may be left out. */
  readonly drops: boolean
}

/**
 * A text says which mask cannot be kept. With `withhold`, what `deny` would refuse is made null: the effect of a write is not
 * undone by refusing its echo.
 */
export function compileMasks(
  masks: readonly Mask[],
  kind: { readonly group: string; readonly resource: string },
  withhold: boolean,
): CompiledMasks | string {
  const key = `${kind.group}/${kind.resource}`
  const rules: Rule[] = []
  let perObject = false
  for (const mask of masks) {
    const named = mask.path ?? mask.column ?? mask.detector ?? ''
    const path = mask.path === null ? null : parsePath(mask.path)
    if (path === null) return named
    if (path.length > 0) rules.push(...rulesOf(path, named, withhold && mask.with === 'deny' ? 'null' : mask.with, key))
    else if (mask.with === 'deny') perObject = true
    else return named
  }
  const paths = rules.map((rule) => rule.path)
  for (const text of BYTES[key] ?? []) rules.push({ path: parsePath(text) ?? [], text, with: null })
  const root = new Automaton(rules).state(rules.map((_, rule) => ({ rule, at: 0 })))
  if (root === undefined) return masks[0]?.path ?? ''
  const drops = perObject || rules.some((rule) => rule.with === 'deny')
  return { root: root ?? NOTHING, paths, perObject, drops }
}

const NOTHING: State = Object.freeze({
  mask: null,
  path: '',
  bytes: false,
  names: [],
  other: null,
  element: null,
})

function rulesOf(path: MaskPath, text: string, method: MaskMethod, key: string): Rule[] {
  const rules: Rule[] = [{ path, text, with: method }]
  const [of, twin] = TWINS[key] ?? []
  const first = path[0]
  if (twin !== undefined && first !== undefined && first !== '*' && first.name === of) {
    rules.push({ path: [{ name: twin }, ...path.slice(1)], text, with: method })
  }
  return rules
}

/** How far along one rule's path. */
interface Position {
  readonly rule: number
  readonly at: number
}

class Automaton {
  readonly #rules: readonly Rule[]
  readonly #states = new Map<string, State | null>()

  constructor(rules: readonly Rule[]) {
    this.#rules = rules
  }

  /** Null where nothing can be hidden any more; undefined where there are too many. */
  state(positions: readonly Position[]): State | null | undefined {
    const key = positions.map(({ rule, at }) => `${rule}.${at}`).join(' ')
    const known = this.#states.get(key)
    if (known !== undefined) return known
    if (this.#states.size >= STATES) return undefined
    if (!positions.some(({ rule }) => this.#rules[rule]?.with !== null)) return null
    const state: State = { names: [], other: null, element: null, ...this.#here(positions) }
    this.#states.set(key, state)
    const children: { names: [Buffer, State][]; other: State | null; element: State | null } = {
      names: [],
      other: null,
      element: null,
    }
    for (const name of this.#names(positions)) {
      const child = this.state(this.#step(positions, (segment) => segment === '*' || segment.name === name))
      if (child === undefined) return undefined
      if (child !== null) children.names.push([Buffer.from(name), child])
    }
    const other = this.state(this.#step(positions, (segment) => segment === '*'))
    const element = this.state(this.#elements(positions))
    if (other === undefined || element === undefined) return undefined
    return Object.assign(state, { ...children, other, element })
  }

  #here(positions: readonly Position[]) {
    let mask: MaskMethod | null = null
    let path = ''
    let bytes = false
    for (const { rule, at } of positions) {
      const { path: segments, text, with: method } = this.#rules[rule] as Rule
      if (at < segments.length) continue
      if (method === null) bytes = true
      else if (mask === null || MASK_METHODS.indexOf(method) < MASK_METHODS.indexOf(mask)) [mask, path] = [method, text]
    }
    return { mask, path, bytes }
  }

  #names(positions: readonly Position[]): Set<string> {
    const names = new Set<string>()
    for (const { rule, at } of positions) {
      const segment = this.#rules[rule]?.path[at]
      if (segment !== undefined && segment !== '*') names.add(segment.name)
    }
    return names
  }

  /** A mask holds for all that is in its value. */
  #step(positions: readonly Position[], matches: (segment: Segment) => boolean): Position[] {
    const next: Position[] = []
    for (const { rule, at } of positions) {
      const { path, with: method } = this.#rules[rule] as Rule
      const segment = path[at]
      if (segment === undefined && method !== null) next.push({ rule, at })
      else if (segment !== undefined && matches(segment)) next.push({ rule, at: at + 1 })
    }
    return next
  }

  #elements(positions: readonly Position[]): Position[] {
    const next: Position[] = []
    for (const { rule, at } of positions) {
      const { path, with: method } = this.#rules[rule] as Rule
      const segment = path[at]
      if (segment === '*') next.push({ rule, at: at + 1 })
      else if (segment !== undefined || method !== null) next.push({ rule, at })
    }
    return next
  }
}

export function stepByName(state: State, name: string): State | null {
  for (const [known, child] of state.names) if (known.toString() === name) return child
  return state.other
}
