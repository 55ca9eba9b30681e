/** What a request's body is, once it was read by one strict reader. */
import type { Json } from '../../../gate/json.ts'

export interface PatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test'
  readonly path: string
  readonly from: string | null
}

/** `input.command.detail.patch`. */
export interface PatchFacts {
  readonly type: 'json' | 'merge' | 'strategic' | 'apply'
  readonly paths: readonly string[]
  readonly operations: readonly PatchOperation[]
}

/** `input.command.detail.pod`. */
export interface PodFacts {
  readonly partial: boolean
  readonly images: readonly string[]
  readonly commands: readonly (readonly string[])[]
  readonly secrets: readonly string[]
  readonly configMaps: readonly string[]
  readonly serviceAccount: string
  readonly hostNamespaces: readonly ('network' | 'pid' | 'ipc')[]
  readonly hostPaths: readonly string[]
  readonly hostPorts: readonly number[]
  readonly volumes: readonly string[]
  readonly node: string
  readonly privileged: boolean
  readonly capabilities: readonly string[]
  readonly baseline: readonly string[]
  readonly restricted: readonly string[]
}

export interface Body {
  readonly json: Json
  readonly form: 'object' | 'patch' | 'options'
  /** `metadata.name` and `metadata.generateName` of a whole object. */
  readonly name: string
  readonly generateName: string
  /** The body itself asks for a dry run (DeleteOptions). */
  readonly dryRun: boolean
  readonly patch: PatchFacts | null
  readonly pod: PodFacts | null
  /** What is sent, and as what: nothing else was judged. */
  readonly bytes: Uint8Array
  readonly contentType: string
}
