/** Whole answers of every kind: an object, a Table, a list that came as one, a Status. */
import type { Edits } from './edits.ts'
import { COMMA, Members, nextElement, OPEN_ARRAY, OPEN_OBJECT, QUOTE, skipValue, textAt } from './json.ts'
import { type Located, ObjectMasker } from './object.ts'
import { hideQuotes } from './status.ts'
import { Unmaskable } from './unmaskable.ts'
import type { CompiledMasks } from './compile.ts'
import type { ValueMasks } from './value.ts'

const KIND = Buffer.from('kind')
const API_VERSION = Buffer.from('apiVersion')
const ITEMS = Buffer.from('items')
const ROWS = Buffer.from('rows')
const CELLS = Buffer.from('cells')
const OBJECT = Buffer.from('object')
const TYPE = Buffer.from('type')
const NULL = Buffer.from('null')

/** Objects of which the agent wants only `metadata`: `as=PartialObjectMetadata`, and the rows of a Table. */
export type Reduction = { readonly version: string } | null

export interface DocumentRules {
  readonly masks: CompiledMasks
  readonly values: ValueMasks
  /** Names of what was masked. */
  readonly masked: Set<string>
  readonly reduce: Reduction
  /** Null where a Table may not be shown; else what its rows hold of their objects. */
  readonly table: 'None' | 'Metadata' | 'Object' | null
  /** A failure may quote what the object held. */
  readonly quotes: boolean
  /** Whether the agent may see an object of a collection; null where that is not asked for. */
  readonly visible: ((namespace: string, name: string) => boolean) | null
}

/** `dropped`: nothing of it may be shown, and nobody would miss it in a collection. */
export interface Handled {
  readonly end: number
  readonly dropped: string | null
}

export class DocumentMasker {
  readonly rules: DocumentRules
  readonly #objects: ObjectMasker

  constructor(rules: DocumentRules) {
    this.rules = rules
    this.#objects = new ObjectMasker(rules.masks, rules.values, rules.masked)
  }

  /** Of a collection's item, or of a document that is one object. */
  object(bytes: Buffer, from: number, end: number, edits: Edits, collected: boolean): Handled {
    const first = edits.length
    const located = this.#objects.mask(bytes, from, end, edits)
    const denied = this.#objects.denied ?? (collected ? this.#hidden(bytes, located) : null)
    if (denied !== null) {
      edits.truncate(first)
      return { end: located.end, dropped: denied }
    }
    if (this.rules.reduce !== null) {
      this.#reduce(bytes, from, located, edits, { first, version: this.rules.reduce.version })
    }
    return { end: located.end, dropped: null }
  }

  /** A member of a collection's own root, from its key on. */
  rootMember(bytes: Buffer, keyAt: number, edits: Edits): void {
    this.#objects.rootMember(bytes, keyAt, edits)
  }

  /** `{"cells": […], "object": {…}}` */
  row(bytes: Buffer, from: number, end: number, edits: Edits): Handled {
    const { table } = this.rules
    if (table === null) throw new Unmaskable('the API server sent a table that was not asked for')
    if (bytes[from] !== OPEN_OBJECT) throw new Unmaskable('the table has a row that is no object')
    const members = new Members(bytes, from, end)
    let object = -1
    let objectEnd = -1
    let cells = -1
    while (members.next()) {
      const { value } = members
      members.at = skipValue(bytes, value, end)
      if (members.is(CELLS)) cells = value
      else if (members.is(OBJECT)) [object, objectEnd] = [value, members.at]
    }
    if (object === -1 || bytes[object] !== OPEN_OBJECT) {
      throw new Unmaskable('the table has a row without its object')
    }
    const first = edits.length
    const located = this.#objects.mask(bytes, object, objectEnd, edits)
    const denied = this.#objects.denied ?? this.#hidden(bytes, located)
    if (denied !== null) {
      edits.truncate(first)
      return { end: members.at, dropped: denied }
    }
    if (table === 'Metadata') this.#reduce(bytes, object, located, edits, { first, version: 'meta.k8s.io/v1' })
    else if (table === 'None') {
      edits.truncate(first)
      edits.replace(object, objectEnd, NULL)
    }
    if (cells !== -1 && !this.#objects.scrub.empty) this.#hideCells(bytes, cells, end, edits)
    return { end: members.at, dropped: null }
  }

  /** A document that is complete. */
  whole(bytes: Buffer, from: number, end: number, edits: Edits): Handled {
    if (bytes[from] !== OPEN_OBJECT) throw new Unmaskable('the API server sent something else than an object')
    const { kind, apiVersion, items, rows } = partsOf(bytes, from, end)
    if (kind === 'Status' && apiVersion === 'v1') {
      if (this.rules.quotes) hideQuotes(bytes, from, end, edits)
      return { end: skipValue(bytes, from, end), dropped: null }
    }
    if (kind === 'Table' && apiVersion.startsWith('meta.k8s.io/')) {
      if (rows === -1) return { end: skipValue(bytes, from, end), dropped: null }
      const kept = this.#elements(bytes, rows, end, edits, (at) => this.row(bytes, at, end, edits))
      return { end: skipValue(bytes, from, end), dropped: kept }
    }
    if (items !== -1 && kind.endsWith('List')) {
      this.#elements(bytes, items, end, edits, (at) => this.object(bytes, at, end, edits, true))
      return { end: skipValue(bytes, from, end), dropped: null }
    }
    return this.object(bytes, from, end, edits, false)
  }

  /** `{"type": "ADDED", "object": {…}}` */
  event(bytes: Buffer, from: number, end: number, edits: Edits): Handled {
    if (bytes[from] !== OPEN_OBJECT) throw new Unmaskable('the watch has an event that is no object')
    const members = new Members(bytes, from, end)
    let object = -1
    let objectEnd = -1
    let type = ''
    while (members.next()) {
      const { value } = members
      members.at = skipValue(bytes, value, end)
      if (members.is(OBJECT)) {
        if (object !== -1) throw new Unmaskable('the watch has an event with two objects')
        object = value
        objectEnd = members.at
      } else if (members.is(TYPE) && bytes[value] === QUOTE) type = textAt(bytes, value, members.at)
      else throw new Unmaskable('the watch has an event of another form')
    }
    if (object === -1) throw new Unmaskable('the watch has an event without its object')
    const { dropped } = this.#eventObject(bytes, object, objectEnd, edits, type === 'BOOKMARK')
    return { end: members.at, dropped }
  }

  #eventObject(bytes: Buffer, from: number, end: number, edits: Edits, bookmark: boolean): Handled {
    const { kind, apiVersion } = partsOf(bytes, from, end)
    const plain = !(kind === 'Status' && apiVersion === 'v1') && kind !== 'Table'
    // A bookmark has a version and no object; clients that resume by it need every one.
    return plain ? this.object(bytes, from, end, edits, !bookmark) : this.whole(bytes, from, end, edits)
  }

  /** Why all elements were dropped, where there were some; null where one is left. */
  #elements(bytes: Buffer, from: number, end: number, edits: Edits, handle: (at: number) => Handled): string | null {
    let at = from + 1
    let kept = 0
    let why: string | null = null
    for (let first = true; ; first = false) {
      const separator = at
      const next = nextElement(bytes, at, end, first)
      if (next === -1) return kept === 0 ? why : null
      const before = edits.length
      const { end: behind, dropped } = handle(next)
      at = behind
      if (dropped === null) {
        if (kept === 0 && !first) dropComma(bytes, separator, next, edits)
        kept++
      } else {
        why = dropped
        edits.truncate(before)
        edits.replace(separator, behind, EMPTY)
      }
    }
  }

  #hidden(bytes: Buffer, { metadata, metadataEnd }: Located): string | null {
    const { visible } = this.rules
    if (visible === null) return null
    const { name, namespace } = namesOf(bytes, metadata, metadataEnd)
    return visible(namespace, name) ? null : '$'
  }

  #reduce(
    bytes: Buffer,
    from: number,
    { end, metadata, metadataEnd }: Located,
    edits: Edits,
    { first, version }: { first: number; version: string },
  ): void {
    const masked = metadata === -1 ? Buffer.from('{}') : edits.apply(bytes, metadata, metadataEnd, first)
    const head = `{"kind":"PartialObjectMetadata","apiVersion":"${version}","metadata":`
    edits.truncate(first)
    edits.replace(from, end, Buffer.concat([Buffer.from(head), masked, Buffer.from('}')]))
  }

  #hideCells(bytes: Buffer, from: number, end: number, edits: Edits): void {
    const { scrub, values } = this.#objects
    if (bytes[from] !== OPEN_ARRAY) return
    let at = from + 1
    for (let first = true; ; first = false) {
      const next = nextElement(bytes, at, end, first)
      if (next === -1) return
      at = skipValue(bytes, next, end)
      const text = bytes[next] === QUOTE ? textAt(bytes, next, at) : bytes.toString('utf8', next, at)
      if (scrub.finds(text)) edits.replace(next, at, bytes[next] === QUOTE ? values.text : NULL)
    }
  }
}

export const EMPTY: Buffer = Buffer.alloc(0)

/** The separator of the first element that is left. */
export function dropComma(bytes: Buffer, separator: number, next: number, edits: Edits): void {
  if (bytes.subarray(separator, next).includes(COMMA)) edits.replace(separator, next, EMPTY)
}

interface Parts {
  readonly kind: string
  readonly apiVersion: string
  /** Where the arrays begin; −1 without. */
  readonly items: number
  readonly rows: number
}

function partsOf(bytes: Buffer, from: number, end: number): Parts {
  let [kind, apiVersion, items, rows] = ['', '', -1, -1]
  if (bytes[from] !== OPEN_OBJECT) return { kind, apiVersion, items, rows }
  const members = new Members(bytes, from, end)
  while (members.next()) {
    const { value } = members
    members.at = skipValue(bytes, value, end)
    if (bytes[value] === QUOTE && members.is(KIND)) kind = textAt(bytes, value, members.at)
    else if (bytes[value] === QUOTE && members.is(API_VERSION)) apiVersion = textAt(bytes, value, members.at)
    else if (bytes[value] === OPEN_ARRAY && members.is(ITEMS)) items = value
    else if (bytes[value] === OPEN_ARRAY && members.is(ROWS)) rows = value
  }
  return { kind, apiVersion, items, rows }
}

const NAME = Buffer.from('name')
const NAMESPACE = Buffer.from('namespace')

function namesOf(bytes: Buffer, from: number, end: number): { name: string; namespace: string } {
  let [name, namespace] = ['', '']
  if (from === -1 || bytes[from] !== OPEN_OBJECT) return { name, namespace }
  const members = new Members(bytes, from, end)
  while (members.next()) {
    const { value } = members
    members.at = skipValue(bytes, value, end)
    if (bytes[value] === QUOTE && members.is(NAME)) name = textAt(bytes, value, members.at)
    else if (bytes[value] === QUOTE && members.is(NAMESPACE)) namespace = textAt(bytes, value, members.at)
  }
  return { name, namespace }
}
