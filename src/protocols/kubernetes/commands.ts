/** Requests as Commands: the facts that policy judges, and the bytes that a permit is for. */
import type { Command, Shape } from '../../gate/command.ts'
import type { Json, JsonObject } from '../../gate/json.ts'
import type { Body } from './body/body.ts'
import type { Method, Request } from './request/facts.ts'

/** Shapes of requests without a body, which agents repeat: a controller polls the same few. */
const SHAPES = 2_048
/** Longer requests carry a command or a selector of their own, and seldom come twice. */
const LONGEST = 1_024

export type Upgrade = 'websocket' | 'spdy' | null

/** What a request without a body says of one. */
const NO_BODY = Object.freeze({ generateName: '', body: null, bodyForm: null, patch: null, pod: null })
const NOTHING_VARIES: JsonObject = Object.freeze({})

export class Commands {
  /** Oldest first: a Map keeps the order of insertion. */
  readonly #shapes = new Map<string, Shape>()

  of(request: Request, upgrade: Upgrade, body: Body | null): Command {
    if (body !== null || request.target.length > LONGEST) {
      return { shape: shapeOf(request, upgrade, body), varying: NOTHING_VARIES }
    }
    const key = `${request.method} ${upgrade ?? ''} ${request.target}`
    let shape = this.#shapes.get(key)
    if (shape === undefined) {
      shape = shapeOf(request, upgrade, null)
      if (this.#shapes.size >= SHAPES) this.#shapes.delete(this.#shapes.keys().next().value as string)
    } else this.#shapes.delete(key)
    this.#shapes.set(key, shape)
    return { shape, varying: NOTHING_VARIES }
  }

  /** Of what the agent does not ask itself (an item of a list): it displaces no shape that is asked again. */
  once(request: Request): Command {
    return { shape: shapeOf(request, null, null), varying: NOTHING_VARIES }
  }
}

function shapeOf({ action, text, facts }: Request, upgrade: Upgrade, body: Body | null): Shape {
  const { name, ...rest } = facts
  const facing = body === null ? NO_BODY : factsOf(body)
  const named = name === '' ? (body?.name ?? '') : name
  const dryRun = facts.dryRun || (body?.dryRun ?? false)
  const detail = { ...rest, name: named, dryRun, upgrade, ...facing } as unknown as JsonObject
  // The name of what is created stands in the body alone.
  const whole = named === name ? text : `${text}${facts.namespace === '' ? ' ' : '/'}${named}`
  return Object.freeze({ protocol: 'kubernetes', action, text: whole, detail: Object.freeze(detail) })
}

function factsOf({ json, form, generateName, patch, pod }: Body) {
  return { generateName, body: json, bodyForm: form, patch: patch as Json, pod: pod as Json }
}

/** A request that never became one that policy could judge. */
export function unjudged(method: string, target: string): Command {
  const text = `${method} ${target.slice(0, 500)}`.toWellFormed()
  const detail: JsonObject = {
    ...NO_BODY,
    verb: '',
    resourceRequest: false,
    group: '',
    version: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    path: '',
    rest: '',
    fieldSelector: '',
    labelSelector: '',
    dryRun: false,
    force: false,
    upgrade: null,
    query: {},
    exec: null,
  }
  return { shape: { protocol: 'kubernetes', action: 'unknown', text, detail }, varying: NOTHING_VARIES }
}

/** What goes upstream of one request; a permit holds it as bytes. */
export interface Forward {
  readonly method: Method
  readonly target: string
  /** Of the agent's own; the sidecar's are added behind the permit. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
}

/** One line of JSON, a line feed, and the body as it is. */
export function sealForward({ body, ...head }: Forward): Uint8Array {
  const line = Buffer.from(`${JSON.stringify({ ...head, body: body !== null })}\n`)
  return body === null ? line : Buffer.concat([line, body])
}

/** The other way round, of bytes that a permit gave. */
export function openForward(bytes: Uint8Array): Forward {
  const end = bytes.indexOf(0x0a)
  const head = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, end).toString()) as Omit<Forward, 'body'> & {
    body: boolean
  }
  return { ...head, body: head.body ? bytes.subarray(end + 1) : null }
}
