/** One object: its values under masks, and the doors by which they could leave it otherwise. */
import type { Edits } from './edits.ts'
import { CLOSE_ARRAY, isNull, malformed, Members, nextElement, OPEN_ARRAY, OPEN_OBJECT, skipValue } from './json.ts'
import type { CompiledMasks, State } from './compile.ts'
import { Doors } from './doors.ts'
import { Scrub } from './scrub.ts'
import { Unmaskable } from './unmaskable.ts'
import { NULL, type ValueMasks } from './value.ts'

/** Deeper than any schema, and as deep as calls may safely nest. */
const DEPTH = 256

const METADATA = Buffer.from('metadata')

/** Where the parts of an object lie that others ask for. */
export interface Located {
  readonly end: number
  /** Of `metadata`; −1 where there is none. */
  readonly metadata: number
  readonly metadataEnd: number
}

export class ObjectMasker {
  readonly values: ValueMasks
  readonly scrub = new Scrub()
  /** The path of a mask with `deny` that has a value in the last object; null where none has. */
  denied: string | null = null
  readonly #root: State
  readonly #masked: Set<string>
  readonly #doors = new Doors()

  constructor(masks: CompiledMasks, values: ValueMasks, masked: Set<string>) {
    this.#root = masks.root
    this.values = values
    this.#masked = masked
  }

  /** Puts what is to be replaced in the object at `from` into `edits`. Throws {@link Incomplete}, {@link Unmaskable}. */
  mask(bytes: Buffer, from: number, end: number, edits: Edits): Located {
    this.scrub.clear()
    this.denied = null
    if (bytes[from] !== OPEN_OBJECT) throw new Unmaskable('the API server sent something else than an object')
    const members = new Members(bytes, from, end)
    let metadata = -1
    let metadataEnd = -1
    let [first, last] = [0, 0]
    while (members.next()) {
      const { value } = members
      if (!members.is(METADATA)) {
        members.at = this.member(bytes, end, members, edits)
        continue
      }
      // A second one would be what some clients read, and others not.
      if (metadata !== -1) throw malformed()
      metadata = value
      first = edits.length
      metadataEnd = this.#doors.locate(bytes, value, end)
      if (step(this.#root, members) !== null) this.member(bytes, end, members, edits)
      last = edits.length
      members.at = metadataEnd
    }
    if (metadata !== -1) this.#doors.hide({ masker: this, bytes, edits, first, last })
    return { end: members.at, metadata, metadataEnd }
  }

  /** The same inside another text: what was last applied. Nothing is cleared, and the text's own doors are its object's. */
  maskNested(bytes: Buffer, edits: Edits): void {
    if (bytes[0] !== OPEN_OBJECT) throw malformed()
    this.#visit(bytes, 0, bytes.length, this.#root, edits, 0)
  }

  /** A member that stands alone, whose key begins at `keyAt`. */
  rootMember(bytes: Buffer, keyAt: number, edits: Edits): void {
    const members = new Members(bytes, keyAt - 1, bytes.length)
    if (!members.next()) return
    this.denied = null
    this.member(bytes, bytes.length, members, edits)
    this.#refuseDenied()
  }

  #refuseDenied(): void {
    if (this.denied !== null) throw new Unmaskable(`the policy does not show ${this.denied}`)
  }

  /** A member of an object's root. Returns where its value ends. */
  member(bytes: Buffer, end: number, members: Members, edits: Edits): number {
    const state = step(this.#root, members)
    return state === null
      ? skipValue(bytes, members.value, end)
      : this.#visit(bytes, members.value, end, state, edits, 1)
  }

  #visit(bytes: Buffer, at: number, end: number, state: State, edits: Edits, depth: number): number {
    const byte = bytes[at]
    if (state.mask === 'deny' && !isNull(bytes, at)) {
      this.denied ??= state.path
      return skipValue(bytes, at, end)
    }
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth > DEPTH) throw new Unmaskable('what the API server sent is too deep to be masked')
      if (state.mask !== 'null') {
        return byte === OPEN_OBJECT
          ? this.#visitMembers(bytes, at, end, state, edits, depth)
          : this.#visitElements(bytes, at, end, state, edits, depth)
      }
    }
    const behind = skipValue(bytes, at, end)
    if (state.mask === null || isNull(bytes, at)) return behind
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      this.#gather(bytes, at, behind, state)
      edits.replace(at, behind, NULL)
    } else {
      this.scrub.add(bytes, at, behind, state.bytes)
      edits.replace(at, behind, this.values.of(bytes, at, behind, state.mask, state.bytes))
    }
    this.#masked.add(state.path)
    return behind
  }

  #visitMembers(bytes: Buffer, from: number, end: number, state: State, edits: Edits, depth: number): number {
    const members = new Members(bytes, from, end)
    while (members.next()) {
      const child = step(state, members)
      members.at =
        child === null
          ? skipValue(bytes, members.value, end)
          : this.#visit(bytes, members.value, end, child, edits, depth + 1)
    }
    return members.at
  }

  #visitElements(bytes: Buffer, from: number, end: number, state: State, edits: Edits, depth: number): number {
    const { element } = state
    if (element === null) return skipValue(bytes, from, end)
    let at = from + 1
    for (let first = true; ; first = false) {
      const next = nextElement(bytes, at, end, first)
      if (next === -1) break
      at = this.#visit(bytes, next, end, element, edits, depth + 1)
    }
    return bytes.indexOf(CLOSE_ARRAY, at) + 1
  }

  /** The scalars in a value that is hidden as a whole: they must not stand elsewhere either. */
  #gather(bytes: Buffer, from: number, end: number, state: State): void {
    let at = from
    while (at < end) {
      const byte = bytes[at] as number
      if (!STARTS_SCALAR[byte]) {
        at++
        continue
      }
      const behind = skipValue(bytes, at, end)
      this.scrub.add(bytes, at, behind, state.other?.bytes ?? false)
      at = behind
    }
  }
}

/** Quotes, digits and minus: literals are too common to be looked for. Keys are gathered too, which hides more. */
const STARTS_SCALAR: readonly boolean[] = Array.from({ length: 256 }, (_, byte) => {
  return byte === 0x22 || byte === 0x2d || (byte >= 0x30 && byte <= 0x39)
})

function step(state: State, members: Members): State | null {
  const { names } = state
  for (let index = 0; index < names.length; index++) {
    const entry = names[index] as readonly [Buffer, State]
    if (members.is(entry[0])) return entry[1]
  }
  return state.other
}
