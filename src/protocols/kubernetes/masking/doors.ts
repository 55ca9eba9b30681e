/**
 * How a masked value could leave an object by its metadata: labels and annotations that say it, among them what `kubectl apply`
 * applied last, which is a whole object in JSON, and names of managed fields, which hold the values of sets.
 */
import { Edits } from './edits.ts'
import { BACKSLASH, isNull, Members, OPEN_ARRAY, OPEN_OBJECT, QUOTE, skipString, skipValue, textAt } from './json.ts'
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

interface Place {
  readonly masker: ObjectMasker
  readonly bytes: Buffer
  /** Of `metadata`. */
  readonly from: number
  readonly end: number
  readonly edits: Edits
  /** The edits that masks made in `metadata`: what they hide is seen to. */
  readonly first: number
  readonly last: number
}

export function hideDoors(place: Place): void {
  const { masker, bytes, from, end } = place
  hideLastApplied(place)
  if (masker.scrub.empty) return
  hideTexts(place, true)
  const members = new Members(bytes, from, end)
  while (members.next()) {
    const { value } = members
    members.at = skipValue(bytes, value, end)
    if (members.is(MANAGED_FIELDS) && bytes[value] === OPEN_ARRAY) hideNames(place, value, members.at)
  }
}

/** First of all: what it holds may be elsewhere too. */
function hideLastApplied(place: Place): void {
  const { bytes, from, end } = place
  const members = new Members(bytes, from, end)
  while (members.next()) {
    if (!members.is(ANNOTATIONS) || bytes[members.value] !== OPEN_OBJECT) {
      members.at = skipValue(bytes, members.value, end)
      continue
    }
    const annotations = new Members(bytes, members.value, end)
    while (annotations.next()) {
      const { value } = annotations
      annotations.at = skipValue(bytes, value, end)
      if (annotations.is(LAST_APPLIED_KEY)) hideObjectIn(place, value, annotations.at)
    }
    members.at = annotations.at
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
    const members = new Members(bytes, 0, bytes.length)
    while (members.next()) {
      const { value } = members
      members.at = skipValue(bytes, value, bytes.length)
      if (!members.is(METADATA) || bytes[value] !== OPEN_OBJECT) continue
      hideTexts({ masker, bytes, from: value, end: members.at, edits, first: 0, last: edits.length }, false)
    }
  } catch {
    return null
  }
  return edits.length === 0 ? '' : edits.apply(bytes, 0, bytes.length).toString() + text.slice(text.trimEnd().length)
}

/** Labels and annotations; what was last applied was seen to where `applied` says so. */
function hideTexts(place: Place, applied: boolean): void {
  const { bytes, from, end } = place
  const members = new Members(bytes, from, end)
  while (members.next()) {
    const { value } = members
    members.at = skipValue(bytes, value, end)
    if (bytes[value] !== OPEN_OBJECT || !(members.is(LABELS) || members.is(ANNOTATIONS))) continue
    const texts = new Members(bytes, value, members.at)
    while (texts.next()) {
      texts.at = skipValue(bytes, texts.value, end)
      if (!applied || !texts.is(LAST_APPLIED_KEY)) hideText(place, texts.value, texts.at)
    }
  }
}

function hideText({ masker, bytes, edits, first, last }: Place, start: number, end: number): void {
  if (bytes[start] !== QUOTE || edits.touches(start, end, first, last)) return
  if (masker.scrub.finds(textAt(bytes, start, end))) edits.replace(start, end, masker.values.text)
}

/** `v:` and `k:` stand before values, `f:` before names of fields. What hides them hides who manages which field. */
function hideNames({ masker, bytes, edits, first, last }: Place, from: number, end: number): void {
  for (let at = from; at < end;) {
    if (bytes[at] !== QUOTE) {
      at++
      continue
    }
    const start = at
    at = skipString(bytes, at, end)
    const kind = bytes[start + 1]
    const valued = bytes[start + 2] === 0x3a && (kind === 0x76 || kind === 0x6b)
    if ((!valued && bytes[start + 1] !== BACKSLASH) || !saysMasked(masker, textAt(bytes, start, at))) continue
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
