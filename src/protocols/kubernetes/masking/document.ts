/** Whole answers of every kind: an object, a Table, a list that came as one, a Status. */
import type { Edits } from './edits.ts'
import { COMMA, nextElement, OPEN_ARRAY, OPEN_OBJECT, QUOTE, skipValue, textAt } from './json.ts'
import { type Located, ObjectMasker } from './object.ts'
import { hideQuotes } from './status.ts'
import { Unmaskable } from './unmaskable.ts'
import { type CompiledMasks, stepByName } from './compile.ts'
import { find, identityOf, namesOf, textOf } from './members.ts'
import { NULL, type ValueMasks } from './value.ts'

const ROW = ['cells', 'object'].map((name) => Buffer.from(name))
const EVENT = ['type', 'object'].map((name) => Buffer.from(name))
const META_VERSION = 'meta.k8s.io/v1'

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
    const { spans, end: behind } = find(bytes, from, end, ROW)
    const [cells, object] = spans
    if (object == null || bytes[object.start] !== OPEN_OBJECT) {
      throw new Unmaskable('the table has a row without its object')
    }
    const first = edits.length
    const located = this.#objects.mask(bytes, object.start, object.end, edits)
    const denied = this.#objects.denied ?? this.#hidden(bytes, located)
    if (denied !== null) {
      edits.truncate(first)
      return { end: behind, dropped: denied }
    }
    if (table === 'Metadata') this.#reduce(bytes, object.start, located, edits, { first, version: META_VERSION })
    else if (table === 'None') {
      edits.truncate(first)
      edits.replace(object.start, object.end, NULL)
    }
    if (cells != null && !this.#objects.scrub.empty) this.#hideCells(bytes, cells.start, end, edits)
    return { end: behind, dropped: null }
  }

  /** A document that is complete. */
  whole(bytes: Buffer, from: number, end: number, edits: Edits): Handled {
    if (bytes[from] !== OPEN_OBJECT) throw new Unmaskable('the API server sent something else than an object')
    const { kind, apiVersion, items, rows } = identityOf(bytes, from, end)
    if (kind === 'Status' && apiVersion === 'v1') {
      if (this.rules.quotes) hideQuotes(bytes, from, end, edits)
      return { end: skipValue(bytes, from, end), dropped: null }
    }
    if (isTable(kind, apiVersion)) {
      if (rows === -1) return { end: skipValue(bytes, from, end), dropped: null }
      const kept = this.#elements(bytes, rows, end, edits, (at) => this.row(bytes, at, end, edits))
      return { end: skipValue(bytes, from, end), dropped: kept }
    }
    const own = this.object(bytes, from, end, edits, false)
    // It may be a list, or one object of a kind that is called so, whose author says what its items are: it is masked as both.
    if (items === -1 || !kind.endsWith('List') || own.dropped !== null || this.rules.reduce !== null) return own
    if (stepByName(this.rules.masks.root, 'items') !== null) {
      throw new Unmaskable('it may be a list, or have the items that a mask names')
    }
    this.#elements(bytes, items, end, edits, (at) => this.object(bytes, at, end, edits, true))
    return own
  }

  /** `{"type": "ADDED", "object": {…}}` */
  event(bytes: Buffer, from: number, end: number, edits: Edits): Handled {
    const { spans, others, end: behind } = find(bytes, from, end, EVENT)
    const [type, object] = spans
    if (others || object == null) throw new Unmaskable('the watch has an event of another form')
    const bookmark = textOf(bytes, type) === 'BOOKMARK'
    const { dropped } = this.#eventObject(bytes, object.start, object.end, edits, bookmark)
    return { end: behind, dropped }
  }

  #eventObject(bytes: Buffer, from: number, end: number, edits: Edits, bookmark: boolean): Handled {
    const { kind, apiVersion } = identityOf(bytes, from, end)
    const plain = !(kind === 'Status' && apiVersion === 'v1') && !isTable(kind, apiVersion)
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

/** Others may have a kind of that name. */
function isTable(kind: string, apiVersion: string): boolean {
  return kind === 'Table' && apiVersion.startsWith('meta.k8s.io/')
}

export const EMPTY: Buffer = Buffer.alloc(0)

/** The separator of the first element that is left. */
export function dropComma(bytes: Buffer, separator: number, next: number, edits: Edits): void {
  if (bytes.subarray(separator, next).includes(COMMA)) edits.replace(separator, next, EMPTY)
}
