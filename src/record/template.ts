/**
 * The parts of a decision's record that its shape and its execution's plain facts make, encoded once.
 *
 * Executions of one shape differ in few ways beside their parameters (in a transaction or not, prepared or executed), so a few
 * encoded forms of its facts serve nearly all. They are found by comparing what varies in full, and kept by the facts'
 * identity: texts that differ in constants only have the same. Those of a few facts are found by their JSON too.
 */
import { hash } from 'node:crypto'
import type { Command, Shape } from '../gate/command.ts'
import type { Json, JsonObject } from '../gate/json.ts'
import { quote } from './quote.ts'

/** The longest encoding of one part of a record (text, facts, result, parameters), in UTF-16 units; of a longer one its size and hash are kept. */
export const PART_LENGTH = 64 * 1024
/** Forms that are kept for one shape. */
const FORMS = 4
/** A longer one is made again each time, for less than keeping it beside its shape would cost. */
const KEPT_LENGTH = 16 * 1024
/** Facts that are found by what they say, where a protocol makes them anew for each command; and how long those are at most. */
const SHARED = 128
const SHARED_LENGTH = 2 * 1024
const PARAMETERS = 'parameters'
const BEYOND_ASCII = /[^\0-\x7f]/

/** The beginning of `input`, up to the command's facts. */
export interface Text {
  /** `,"input":{"command":{"protocol":…,"action":…,"text":…` */
  readonly json: string
  /** It is written at half the cost. */
  readonly ascii: boolean
  /** Only the text's beginning is kept. */
  readonly cut: boolean
}

export interface Form {
  /** `,"detail":…` up to the parameters' value, or, where there are none, up to the end of `varying`. */
  readonly bytes: Buffer
  /** Parameters follow. */
  readonly open: boolean
  readonly keys: readonly string[]
  readonly values: readonly Json[]
  /** The decision of these facts that was stored whole last. */
  whole: Whole | null
}

/** A decision that others may refer to (reference.ts). */
export interface Whole {
  /** The segment's, at that time: of another one nothing is there any more. */
  readonly generation: number
  readonly shape: Shape
  /** From the end of its `input` on. */
  readonly permitted: Buffer
  /** What follows the head of one with the same text, up to its parameters or to its end. */
  readonly same: Buffer
  /** What comes before the text of another. */
  readonly other: string
}

export class Templates {
  readonly #texts = new WeakMap<Shape, Text>()
  readonly #forms = new WeakMap<JsonObject, Form[]>()
  /** By the facts' JSON, the one that was used last at the end. */
  readonly #shared = new Map<string, Form[]>()

  text(shape: Shape): Text {
    let text = this.#texts.get(shape)
    if (text === undefined) {
      text = beginningOf(shape)
      if (text.json.length <= KEPT_LENGTH) this.#texts.set(shape, text)
    }
    return text
  }

  of({ shape: { detail }, varying }: Command): Form {
    let forms = this.#forms.get(detail)
    if (forms === undefined) this.#forms.set(detail, (forms = this.#sharedBy(detail)))
    for (const form of forms) if (fits(form, varying)) return form
    const form = formOf(detail, varying)
    if (form.bytes.length <= KEPT_LENGTH) {
      if (forms.length === FORMS) forms.shift()
      forms.push(form)
    }
    return form
  }

  #sharedBy(detail: JsonObject): Form[] {
    const json = JSON.stringify(detail)
    if (json.length > SHARED_LENGTH) return []
    const forms = this.#shared.get(json) ?? []
    this.#shared.delete(json)
    this.#shared.set(json, forms)
    const [oldest] = this.#shared.keys()
    if (this.#shared.size > SHARED && oldest !== undefined) this.#shared.delete(oldest)
    return forms
  }
}

function hasParameters(parameters: Json | undefined): boolean {
  return parameters !== undefined && !(Array.isArray(parameters) && parameters.length === 0)
}

function fits({ keys, values, open }: Form, varying: JsonObject): boolean {
  let index = 0
  for (const key in varying) {
    if (keys[index] !== key) return false
    const value = varying[key]
    if (key === PARAMETERS ? hasParameters(value) !== open : !same(value, values[index])) return false
    index++
  }
  return index === keys.length
}

/** Equal as JSON, for scalars and objects of scalars; anything larger counts as different unless it is the same object. */
function same(left: Json | undefined, right: Json | undefined): boolean {
  if (left === right) return true
  if (left === undefined || right === undefined || !isObject(left) || !isObject(right)) return false
  let members = 0
  for (const key in left) {
    if (left[key] !== right[key]) return false
    members++
  }
  for (const _key in right) members--
  return members === 0
}

function formOf(detail: JsonObject, varying: JsonObject): Form {
  const keys = Object.keys(varying)
  const values = keys.map((key) => (key === PARAMETERS ? null : snapshot(varying[key] as Json)))
  const open = hasParameters(varying[PARAMETERS])
  const { [PARAMETERS]: parameters, ...rest } = varying
  const facts = bounded(JSON.stringify(parameters === undefined || open ? rest : varying))
  const json = `,"detail":${bounded(JSON.stringify(detail))}${keys.length === 0 ? '' : `,"varying":${open ? opened(facts) : facts}`}`
  return { bytes: Buffer.from(json), open, keys, values, whole: null }
}

/** A form outlives the command that it was made for, whose objects belong to the protocol. */
function snapshot(value: Json): Json {
  return isObject(value) ? { ...value } : value
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function opened(facts: string): string {
  return facts === '{}' ? '{"parameters":' : `${facts.slice(0, -1)},"parameters":`
}

function beginningOf(shape: Shape): Text {
  const words = `"protocol":${quote(shape.protocol)},"action":${quote(shape.action)}`
  const text = textOf(shape)
  const json = `,"input":{"command":{${words}${text ?? cutText(shape)}`
  return { json, ascii: isAscii(json), cut: text === null }
}

export function recordedText({ recorded, text }: Shape): string {
  return recorded ?? text
}

/** `,"text":…`; null where only its beginning is kept. */
export function textOf(shape: Shape): string | null {
  const whole = recordedText(shape)
  if (whole.length > PART_LENGTH) return null
  const json = JSON.stringify(whole)
  return json.length > 2 * PART_LENGTH ? null : `,"text":${json}`
}

function cutText(shape: Shape): string {
  const whole = recordedText(shape)
  const beginning = JSON.stringify(whole.slice(0, PART_LENGTH / 8).toWellFormed())
  return `,"text":${beginning},"truncated":${cutOf(whole)}`
}

export function isAscii(json: string): boolean {
  return !BEYOND_ASCII.test(json)
}

/** JSON as it is, or its size and hash where it is too large for a record. */
export function bounded(json: string): string {
  return json.length <= PART_LENGTH ? json : `{"truncated":${cutOf(json)}}`
}

export function cutOf(whole: string): string {
  return `{"bytes":${Buffer.byteLength(whole)},"sha256":"${hash('sha256', whole, 'hex')}"}`
}
