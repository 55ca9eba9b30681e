/** A target of the protocol `kubernetes`. */
import { z } from 'zod'
import { address, duration, size, timer } from '../values.ts'
import { labels, path, tokens } from './shared.ts'

const tls = {
  /** Where the sidecar writes the certificate of its authority, which agents must trust (`certificate-authority`). */
  caFile: path.optional(),
  /** Names and addresses by which agents call the target, besides those of a cluster's API server and the loopback. */
  names: z.array(z.string().min(1)).default([]),
}

const agent = z.discriminatedUnion('authenticate', [
  z.strictObject({ authenticate: z.literal('none'), ...tls }),
  z.strictObject({ authenticate: z.literal('jwt'), ...tokens, ...tls }),
])

/** How the API server is told for whom the sidecar acts. */
const impersonate = z.enum(['none', 'principal']).default('none')

/** RFC 1123, as the API server demands it of namespaces and of service accounts. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/
const name = z.string().regex(NAME, 'must be a name as Kubernetes has them: a-z, 0-9, - and .')

const credential = z.union([
  z.strictObject({ tokenFile: path, impersonate }),
  z.strictObject({
    /** A token that may ask for the service account's (create on `serviceaccounts/token`), and nothing else. */
    tokenFile: path,
    serviceAccount: z.strictObject({
      namespace: name,
      name,
      audience: z.string().min(1).optional(),
      expiry: duration.default(3_600_000),
    }),
    impersonate,
  }),
  z.strictObject({ certFile: path, keyFile: path, impersonate }),
])

export const KUBERNETES_LIMITS = {
  /** Connections of agents at once. */
  connections: 200,
  /** Requests at once, of all agents; the API server itself lets 400 run that read. */
  requests: 1_000,
  /** The largest body of a request: what the API server takes. */
  body: 3 * 1024 ** 2,
  /** The largest object of a response that is held in memory to be masked; lists are masked one item after the other. */
  object: 8 * 1024 ** 2,
  /** All headers of a message. */
  headers: 32 * 1024,
  /** Bytes of a response or a stream that wait for a slow agent. */
  inFlight: 1024 ** 2,
  /** From accept to the end of TLS, and from a request's first byte to the end of its headers. */
  handshake: 10_000,
  /** A connection without a request. */
  idle: 300_000,
} as const

const L = KUBERNETES_LIMITS
const limits = z.strictObject({
  connections: z.int().positive().default(L.connections),
  requests: z.int().positive().default(L.requests),
  body: size.default(L.body),
  object: size.default(L.object),
  headers: size.default(L.headers),
  inFlight: size.default(L.inFlight),
  handshake: timer.default(L.handshake),
  idle: timer.default(L.idle),
})

export const kubernetes = z.strictObject({
  protocol: z.literal('kubernetes'),
  listen: address,
  labels,
  upstream: z.strictObject({
    host: z.string().min(1),
    port: z.int().min(1).max(65_535).default(443),
    /** PEM of the authorities that may sign the API server's certificate; the system's where absent. */
    ca: path.optional(),
    serverName: z.string().min(1).optional(),
  }),
  agent,
  credential,
  limits: limits.prefault({}),
})
export type KubernetesTargetConfig = z.output<typeof kubernetes> & { readonly name: string }
