/** Plans and rewriters as a request would have them, without a server. */
import type { Decision, Mask, MaskMethod } from '../../../../src/gate/decision.ts'
import { MaskKey } from '../../../../src/mask/key.ts'
import { maskMethods } from '../../../../src/mask/method.ts'
import type { Refusal } from '../../../../src/gate/refusal.ts'
import type { Json, JsonObject } from '../../../../src/gate/json.ts'
import type { Body } from '../../../../src/protocols/kubernetes/body/body.ts'
import { type MaskPlan, planMasks, type Rewriter } from '../../../../src/protocols/kubernetes/masking/plan.ts'
import { parseRequest } from '../../../../src/protocols/kubernetes/request/parse.ts'
import { ALLOW } from '../../../support/fakes.ts'

export const METHODS = maskMethods(new MaskKey(Buffer.alloc(32, 7)))
export const MARKED = METHODS.marker
export const MARKED_BYTES = Buffer.from(MARKED).toString('base64')

export function mask(path: string, method: MaskMethod = 'redact'): Mask {
  return { column: null, detector: null, path, with: method, policy: 'policy.test' }
}

export interface Asked {
  readonly method?: string
  readonly target?: string
  readonly accept?: string
  readonly body?: Partial<Body> & { readonly json: Json }
  readonly limit?: number
  readonly get?: (namespace: string, name: string) => Decision | null
}

export const SECRET = '/api/v1/namespaces/a/secrets/one'
export const SECRETS = '/api/v1/namespaces/a/secrets'

export function planned(masks: readonly Mask[], asked: Asked = {}): MaskPlan | Refusal {
  const parsed = parseRequest(asked.method ?? 'GET', asked.target ?? SECRET)
  if (parsed.kind === 'refused') throw new Error(parsed.refusal.message)
  return planMasks({
    request: parsed.request,
    body: asked.body === undefined ? null : { ...BODY, ...asked.body },
    accept: asked.accept ?? 'application/json',
    decision: { ...ALLOW, masks },
    methods: METHODS,
    limit: asked.limit ?? 1024 ** 2,
    get: asked.get ?? (() => ALLOW),
  })
}

const BODY: Body = {
  json: null,
  form: 'object',
  name: '',
  generateName: '',
  dryRun: false,
  patch: null,
  pod: null,
  bytes: new Uint8Array(),
  contentType: 'application/json',
}

/** Throws where the request is refused. */
export function plan(masks: readonly Mask[], asked: Asked = {}): MaskPlan {
  const made = planned(masks, asked)
  if ('code' in made) throw new Error(`${made.code}: ${made.message}`)
  return made
}

export function rewriterOf(of: MaskPlan, status = 200, type = 'application/json'): Rewriter {
  const rewriter = of.rewriter(status, type)
  if (rewriter === null) throw new Error('nothing is masked')
  if ('code' in rewriter) throw new Error(`${rewriter.code}: ${rewriter.message}`)
  return rewriter
}

/** What the agent gets of an answer that comes in pieces of `size` bytes. */
export function rewritten(rewriter: Rewriter, answer: string | Buffer, size = Number.POSITIVE_INFINITY): string {
  const bytes = Buffer.from(answer)
  const out: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) {
    out.push(...rewriter.chunk(Buffer.from(bytes.subarray(at, Math.min(at + size, bytes.length)))))
  }
  out.push(...rewriter.end())
  return Buffer.concat(out).toString()
}

export function answered(masks: readonly Mask[], answer: Json, asked: Asked = {}): JsonObject {
  return JSON.parse(rewritten(rewriterOf(plan(masks, asked)), JSON.stringify(answer))) as JsonObject
}

export const base64 = (text: string): string => Buffer.from(text).toString('base64')

export function secret(name: string, data: Readonly<Record<string, string>>, metadata: JsonObject = {}): JsonObject {
  const encoded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)]))
  return {
    kind: 'Secret',
    apiVersion: 'v1',
    metadata: { name, namespace: 'a', uid: 'u', resourceVersion: '7', ...metadata },
    data: encoded,
    type: 'Opaque',
  }
}

export function list(...items: readonly Json[]): JsonObject {
  return { kind: 'SecretList', apiVersion: 'v1', metadata: { resourceVersion: '9', continue: 'abc' }, items }
}
