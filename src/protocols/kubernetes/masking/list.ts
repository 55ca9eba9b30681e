/** A collection, of any length: its items, or its rows, one at a time. */
import {
  CLOSE_OBJECT,
  COMMA,
  isSpace,
  malformed,
  Members,
  nextElement,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
  skipString,
  skipValue,
  textAt,
} from './json.ts'
import { type DocumentMasker, dropComma, EMPTY, type Handled } from './document.ts'
import { StreamRewriter } from './stream.ts'

/** Of a list's own metadata (ListMeta): versions and pages, which clients go on by. */
const LIST_META: ReadonlySet<string> = new Set(['resourceVersion', 'continue', 'remainingItemCount', 'selfLink'])

type Place = 'start' | 'root' | 'elements' | 'end'

export class ListRewriter extends StreamRewriter {
  readonly #documents: DocumentMasker
  #place: Place = 'start'
  /** Of the root's members, and of the array's elements: separators stand before all but the first. */
  #members = 0
  #elements = 0
  #kept = 0
  #rows = false

  constructor(documents: DocumentMasker, limit: number) {
    super(limit)
    this.#documents = documents
  }

  protected get complete(): boolean {
    return this.#place === 'end' || this.#place === 'start'
  }

  protected unit(bytes: Buffer, at: number): number {
    if (this.#place === 'elements') return this.#element(bytes, at)
    if (this.#place === 'root') return this.#member(bytes, at)
    if (this.#place === 'end' || isSpace(bytes[at])) {
      if (!isSpace(bytes[at])) throw malformed()
      return at + 1
    }
    if (bytes[at] !== OPEN_OBJECT) throw malformed()
    this.#place = 'root'
    return at + 1
  }

  #member(bytes: Buffer, from: number): number {
    const end = bytes.length
    let at = skipSpace(bytes, from, end)
    if (bytes[at] === CLOSE_OBJECT) {
      this.#place = 'end'
      return at + 1
    }
    if (this.#members > 0) {
      if (bytes[at] !== COMMA) throw malformed()
      at = skipSpace(bytes, at + 1, end)
    }
    const keyAt = at
    if (bytes[keyAt] !== QUOTE) throw malformed()
    at = skipSpace(bytes, skipString(bytes, keyAt, end), end)
    if (bytes[at] !== 0x3a) throw malformed()
    at = skipSpace(bytes, at + 1, end)
    const key = textAt(bytes, keyAt, skipString(bytes, keyAt, end))
    if ((key === 'items' || key === 'rows') && bytes[at] === OPEN_ARRAY) {
      this.#place = 'elements'
      this.#rows = key === 'rows'
      this.#elements = 0
      this.#kept = 0
      this.#members++
      return at + 1
    }
    this.valueAt = at
    const behind = skipValue(bytes, at, end)
    this.#own(bytes, { key, keyAt, at, behind })
    this.#members++
    return behind
  }

  /** What the list says of itself. Whatever else is there is masked as an object's would be. */
  #own(bytes: Buffer, of: { key: string; keyAt: number; at: number; behind: number }): void {
    const { key, keyAt, at, behind } = of
    const { reduce } = this.#documents.rules
    if (reduce !== null && key === 'kind') this.edits.replace(at, behind, PARTIAL)
    else if (reduce !== null && key === 'apiVersion') {
      this.edits.replace(at, behind, Buffer.from(JSON.stringify(reduce.version)))
    } else if (key !== 'metadata' || !isListMeta(bytes, at, behind)) {
      this.#documents.rootMember(bytes, keyAt, this.edits)
    }
  }

  #element(bytes: Buffer, from: number): number {
    const next = nextElement(bytes, from, bytes.length, this.#elements === 0)
    if (next === -1) {
      this.#place = 'root'
      return skipSpace(bytes, from, bytes.length) + 1
    }
    this.valueAt = next
    const { end, dropped } = this.#handle(bytes, next)
    if (dropped !== null) this.edits.replace(from, end, EMPTY)
    else if (this.#kept++ === 0 && this.#elements > 0) dropComma(bytes, from, next, this.edits)
    this.#elements++
    return end
  }

  #handle(bytes: Buffer, at: number): Handled {
    const end = bytes.length
    return this.#rows
      ? this.#documents.row(bytes, at, end, this.edits)
      : this.#documents.object(bytes, at, end, this.edits, true)
  }
}

const PARTIAL = Buffer.from('"PartialObjectMetadataList"')

function isListMeta(bytes: Buffer, from: number, end: number): boolean {
  if (bytes[from] !== OPEN_OBJECT) return false
  const members = new Members(bytes, from, end)
  while (members.next()) {
    members.at = skipValue(bytes, members.value, end)
    if (!LIST_META.has(members.key)) return false
  }
  return true
}
