import type { JsonObject } from './json.ts'

/** One party that delegated, as far as it was verified. */
export interface Delegate {
  readonly subject: string
  readonly issuer: string
}

/** Who acts. */
export interface Principal {
  readonly subject: string
  readonly issuer: string
  readonly groups: readonly string[]
  readonly claims: JsonObject
  /** Who delegated to the subject, nearest first; empty when nobody did. */
  readonly chain: readonly Delegate[]
}

/** The workload that the sidecar stands beside. Empty strings where it runs outside a cluster. */
export interface Workload {
  readonly namespace: string
  readonly pod: string
  readonly serviceAccount: string
  readonly labels: Readonly<Record<string, string>>
}

/** The configured upstream, as policy sees it. */
export interface TargetIdentity {
  readonly name: string
  readonly protocol: string
  readonly host: string
  readonly port: number
  readonly labels: Readonly<Record<string, string>>
}
