/** The facts of one request to the API server that its request line gives, in the words of `rego/schemas/kubernetes.json`. */
import type { Refusal } from '../../../gate/refusal.ts'

export type Exec = {
  /** argv; of attach, empty. */
  readonly command: readonly string[]
  readonly container: string
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
  /** It runs commands that are not in `command`. */
  readonly shell: boolean
}

/** What the API server's RequestInfo says (k8s.io/apiserver, pkg/endpoints/request/requestinfo.go). */
export type Attributes = {
  readonly verb: string
  readonly resourceRequest: boolean
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly rest: string
  readonly fieldSelector: string
  readonly labelSelector: string
}

export type RequestFacts = Attributes & {
  /** Canonical and decoded. */
  readonly path: string
  readonly dryRun: boolean
  readonly force: boolean
  readonly query: Readonly<Record<string, readonly string[]>>
  readonly exec: Exec | null
}

export interface Request {
  readonly method: Method
  /** The key of its facts. */
  readonly facts: RequestFacts
  /** `input.command.action`: the verb, or `connect` for what takes over the connection (exec, attach, portforward, proxy). */
  readonly action: string
  /** For people: `get pods/log default/web`. Never a body. */
  readonly text: string
  /** What is forwarded, path and query made anew from what was judged. */
  readonly target: string
  /** It is answered until somebody ends it: a watch, a followed log. */
  readonly endless: boolean
}

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
export type Method = (typeof METHODS)[number]

export type ParsedRequest =
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
