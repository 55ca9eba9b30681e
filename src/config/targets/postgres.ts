/** A target of the protocol `postgres`. */
import { z } from 'zod'
import { address, size, timeout, timer } from '../values.ts'
import { labels, path, tokens } from './shared.ts'

const serverTls = z.strictObject({ cert: path, key: path })

const agent = z.discriminatedUnion('authenticate', [
  z.strictObject({ authenticate: z.literal('none'), tls: serverTls.optional() }),
  z.strictObject({
    authenticate: z.literal('password'),
    /** Each agent's own password, by the user name that it gives; it opens nothing upstream. */
    users: z.record(z.string(), z.strictObject({ passwordFile: path })),
    tls: serverTls.optional(),
  }),
  z.strictObject({ authenticate: z.literal('jwt'), ...tokens, tls: serverTls.optional() }),
])

const credential = z.union([
  z.strictObject({ user: z.string().min(1), passwordFile: path.optional() }),
  /** One role for each user name that agents may give. */
  z.strictObject({
    users: z.record(z.string(), z.strictObject({ user: z.string().min(1), passwordFile: path.optional() })),
  }),
  /** The agent's user name as it is, without a password: only where the upstream trusts the network. */
  z.strictObject({ users: z.literal('any') }),
])

export const POSTGRES_LIMITS = {
  /** The largest message that is not streamed (Query, Parse, Bind …): what is judged is held in memory. */
  message: 4 * 1024 ** 2,
  /** The longest SQL text that is parsed. */
  statement: 256 * 1024,
  /** Statements in one message. */
  statements: 50,
  /** Nodes of one parse tree, and how deep it may be. */
  nodes: 50_000,
  depth: 500,
  /** Parameters of one Bind; the protocol's own limit is 65,535. */
  parameters: 32_767,
  /** Prepared statements, and portals, that one session may hold. */
  names: 4_096,
  /** Bytes of results that wait for a slow agent, and of commands that wait for a slow target. */
  inFlight: 1024 ** 2,
  /** Connections at once. */
  connections: 100,
  /** From accept to ReadyForQuery. */
  handshake: 10_000,
  /** Without a byte from either side; 0 is for ever. */
  idle: 0,
  /** Parsing one large statement off the main thread. */
  parse: 5_000,
} as const

const L = POSTGRES_LIMITS
const limits = z.strictObject({
  message: size.default(L.message),
  statement: size.default(L.statement),
  statements: z.int().positive().default(L.statements),
  nodes: z.int().positive().default(L.nodes),
  depth: z.int().positive().default(L.depth),
  parameters: z.int().positive().max(65_535).default(L.parameters),
  names: z.int().positive().default(L.names),
  inFlight: size.default(L.inFlight),
  connections: z.int().positive().default(L.connections),
  handshake: timeout.default(L.handshake),
  idle: timer.default(L.idle),
  parse: timeout.default(L.parse),
})

export const TLS_MODES = ['verify-full', 'verify-ca', 'require', 'disable'] as const

export const postgres = z.strictObject({
  protocol: z.literal('postgres'),
  listen: address,
  labels,
  upstream: z.strictObject({
    host: z.string().min(1),
    port: z.int().min(1).max(65_535).default(5432),
    tls: z.enum(TLS_MODES).default('verify-full'),
    /** PEM of the authorities that may sign the target's certificate; the system's where absent. */
    ca: path.optional(),
    serverName: z.string().min(1).optional(),
    /** Ways to prove the credential besides SCRAM-SHA-256, which is always there. */
    allow: z.array(z.enum(['md5', 'cleartext'])).default([]),
  }),
  agent,
  databases: z.union([z.array(z.string().min(1)).min(1), z.literal('any')]),
  /** Schemas in which unqualified names are looked up; pinned for the whole session. */
  searchPath: z.array(z.string().min(1)).min(1).default(['public']),
  /** How old the snapshot of the catalogs may become. */
  catalogue: z.strictObject({ refresh: timeout.default(10_000) }).prefault({}),
  limits: limits.prefault({}),
  credential,
})
export type PostgresTargetConfig = z.output<typeof postgres> & { readonly name: string }
