/**
 * How a masked value could leave an object by its metadata: labels and annotations that say it, among them what `kubectl apply`
 * applied last, which is a whole object in JSON, and names of managed fields, which hold the values of sets.
 */
import { Edits } from './edits.ts'
import {
  BACKSLASH,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  INCOMPLETE,
  isNull,
  malformed,
  Members,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  skipString,
  skipValue,
  textAt,
} from './json.ts'
import type { ObjectMasker } from './object.ts'

const LABELS = Buffer.from('labels')
const ANNOTATIONS = Buffer.from('annotations')
const MANAGED_FIELDS = Buffer.from('managedFields')
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
const LAST_APPLIED_KEY = Buffer.from(LAST_APPLIED)
const NONE = Buffer.from('[]')
const METADATA = Buffer.from('metadata')
/** An object still, or `kubectl apply` would fail. */
const NOTHING_APPLIED = Buffer.from('"{}"')

/** What of an object is searched, and what is replaced in it. */
interface Place {
  readonly masker: ObjectMasker
  readonly bytes: Buffer
  readonly edits: Edits
  /** The edits that masks made in `metadata`: what they hide is seen to. */
  readonly first: number
  readonly last: number
}

/** Where the doors of one `metadata` lie; −1 where they are not. */
export class Doors {
  #labels = -1
  #annotations = -1
  #managed = -1
  /** In names of managed fields are values. */
  #valued = false

  /** Finds them in the metadata at `from`, and returns where that ends. Throws {@link Incomplete}. */
  locate(bytes: Buffer, from: number, end: number): number {
    this.#labels = this.#annotations = this.#managed = -1
    this.#valued = false
    if (bytes[from] !== OPEN_OBJECT) return skipValue(bytes, from, end)
    const members = new Members(bytes, from, end)
    while (members.next()) {
      const { value } = members
      // Of two with one name, clients read one or the other.
      if (members.is(MANAGED_FIELDS)) {
        if (this.#managed !== -1) throw malformed()
        this.#managed = value
        members.at = this.#skipManaged(bytes, value, end)
        continue
      }
      members.at = skipValue(bytes, value, end)
      if (members.is(LABELS)) this.#labels = only(this.#labels, value)
      else if (members.is(ANNOTATIONS)) this.#annotations = only(this.#annotations, value)
    }
    return members.at
  }

  hide(place: Place): void {
    const { masker } = place
    // First of all: what it holds may be elsewhere too.
    if (this.#annotations !== -1) hideLastApplied(place, this.#annotations)
    if (masker.scrub.empty) return
    this.hideTexts(place, true)
    if (this.#valued) hideNames(place, this.#managed)
  }

  /** Labels and annotations; what was last applied was seen to where `applied` says so. */
  hideTexts(place: Place, applied: boolean): void {
    const { bytes } = place
    for (const from of [this.#labels, this.#annotations]) {
      if (from === -1 || bytes[from] !== OPEN_OBJECT) continue
      const texts = new Members(bytes, from, bytes.length)
      while (texts.next()) {
        texts.at = skipValue(bytes, texts.value, bytes.length)
        if (!applied || !texts.is(LAST_APPLIED_KEY)) hideText(place, texts.value, texts.at)
      }
    }
  }

  /** As any value, with an eye on names that could hold values. */
  #skipManaged(bytes: Buffer, from: number, end: number): number {
    if (bytes[from] !== OPEN_ARRAY) return skipValue(bytes, from, end)
    let depth = 0
    let at = from
    while (at < end) {
      const byte = bytes[at]
      if (byte === QUOTE) {
        if (couldHoldValue(bytes, at)) this.#valued = true
        at = skipString(bytes, at, end)
        continue
      }
      at++
      if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++
      else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --depth === 0) return at
    }
    throw INCOMPLETE
  }
}

function only(known: number, value: number): number {
  if (known !== -1) throw malformed()
  return value
}

/** `v:` and `k:` stand before values, `f:` before names of fields. */
function couldHoldValue(bytes: Buffer, quote: number): boolean {
  const kind = bytes[quote + 1]
  return kind === BACKSLASH || (bytes[quote + 2] === COLON && (kind === 0x76 || kind === 0x6b))
}

function hideLastApplied(place: Place, from: number): void {
  const { bytes } = place
  if (bytes[from] !== OPEN_OBJECT) return
  const annotations = new Members(bytes, from, bytes.length)
  while (annotations.next()) {
    const { value } = annotations
    annotations.at = skipValue(bytes, value, bytes.length)
    if (annotations.is(LAST_APPLIED_KEY)) hideObjectIn(place, value, annotations.at)
  }
}

function hideObjectIn({ masker, bytes, edits, first, last }: Place, start: number, end: number): void {
  if (isNull(bytes, start) || edits.touches(start, end, first, last)) return
  const masked = bytes[start] === QUOTE ? maskedObject(masker, textAt(bytes, start, end)) : null
  if (masked === null) edits.replace(start, end, NOTHING_APPLIED)
  else if (masked !== '') edits.replace(start, end, Buffer.from(JSON.stringify(masked)))
}

/** Empty where nothing in it is masked; null where it is no object in JSON. */
function maskedObject(masker: ObjectMasker, text: string): string | null {
  const bytes = Buffer.from(text.trim())
  const edits = new Edits()
  try {
    JSON.parse(text)
    masker.maskNested(bytes, edits)
    const last = edits.length
    const members = new Members(bytes, 0, bytes.length)
    while (members.next()) {
      if (!members.is(METADATA)) members.at = skipValue(bytes, members.value, bytes.length)
      else {
        const doors = new Doors()
        members.at = doors.locate(bytes, members.value, bytes.length)
        doors.hideTexts({ masker, bytes, edits, first: 0, last }, false)
      }
    }
  } catch {
    return null
  }
  return edits.length === 0 ? '' : edits.apply(bytes, 0, bytes.length).toString() + text.slice(text.trimEnd().length)
}

function hideText({ masker, bytes, edits, first, last }: Place, start: number, end: number): void {
  if (bytes[start] !== QUOTE || edits.touches(start, end, first, last)) return
  if (masker.scrub.finds(textAt(bytes, start, end))) edits.replace(start, end, masker.values.text)
}

/** What hides names hides who manages which field. */
function hideNames({ masker, bytes, edits, first, last }: Place, from: number): void {
  const end = skipValue(bytes, from, bytes.length)
  for (let at = from; at < end;) {
    if (bytes[at] !== QUOTE) {
      at++
      continue
    }
    const start = at
    at = skipString(bytes, at, end)
    if (!couldHoldValue(bytes, start) || !saysMasked(masker, textAt(bytes, start, at))) continue
    if (!edits.touches(from, end, first, last)) edits.replace(from, end, NONE)
    return
  }
}

/** What stands behind `v:` or `k:`, which is JSON itself. */
function saysMasked(masker: ObjectMasker, name: string): boolean {
  const said = name.slice(2)
  if (masker.scrub.finds(said)) return true
  try {
    const value: unknown = JSON.parse(said)
    const values = value !== null && typeof value === 'object' ? Object.values(value) : [value]
    return values.some((each) => masker.scrub.finds(String(each)))
  } catch {
    return false
  }
}
