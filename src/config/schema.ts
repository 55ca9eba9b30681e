/** The configuration file, design section 9. Every default lives here, and every key has a line in the README's table. */
import { z } from 'zod'
import { address, duration, size } from './values.ts'

const labels = z.record(z.string(), z.string()).default({})
const path = z.string().min(1)

const bundle = z.union([
  z.strictObject({ file: path, key: path }),
  z.strictObject({ file: path, allowUnsigned: z.literal(true) }),
])

const policy = z.strictObject({
  bundle,
  mode: z.enum(['enforce', 'observe']).default('enforce'),
  /** The longest that one evaluation of the bundle's samples may take before the bundle is refused. */
  budget: duration.default(5),
})

const record = z.strictObject({
  journal: z.strictObject({
    directory: path,
    maxSize: size.default(1024 ** 3),
    segmentSize: size.default(64 * 1024 ** 2),
    durability: z.enum(['written', 'synced']).default('written'),
  }),
  redis: z
    .strictObject({
      url: z.string().regex(/^rediss?:\/\//, 'a Redis address begins with redis:// or rediss://'),
      passwordFile: path.optional(),
      ca: path.optional(),
      prefix: z
        .string()
        .regex(/^[A-Za-z0-9_.-]{1,64}$/)
        .default('sidegate'),
    })
    .optional(),
})

/** What is demanded of JSON Web Tokens that agents present. */
const tokens = {
  issuer: z.string().min(1),
  audience: z.string().min(1),
  /** A JSON Web Key Set: a file, or an address to fetch it from. */
  keys: z.union([z.strictObject({ file: path }), z.strictObject({ url: z.url() })]),
  algorithms: z
    .array(z.enum(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA']))
    .min(1)
    .default(['RS256', 'ES256', 'EdDSA']),
}

const serverTls = z.strictObject({ cert: path, key: path })

const postgresAgent = z.discriminatedUnion('authenticate', [
  z.strictObject({ authenticate: z.literal('none'), tls: serverTls.optional() }),
  z.strictObject({
    authenticate: z.literal('password'),
    /** Each agent's own password, by the user name that it gives; it opens nothing upstream. */
    users: z.record(z.string(), z.strictObject({ passwordFile: path })),
    tls: serverTls.optional(),
  }),
  z.strictObject({ authenticate: z.literal('jwt'), ...tokens, tls: serverTls.optional() }),
])

const postgresCredential = z.union([
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
const postgresLimits = z.strictObject({
  message: size.default(L.message),
  statement: size.default(L.statement),
  statements: z.int().positive().default(L.statements),
  nodes: z.int().positive().default(L.nodes),
  depth: z.int().positive().default(L.depth),
  parameters: z.int().positive().max(65_535).default(L.parameters),
  names: z.int().positive().default(L.names),
  inFlight: size.default(L.inFlight),
  connections: z.int().positive().default(L.connections),
  handshake: duration.default(L.handshake),
  idle: duration.default(L.idle),
  parse: duration.default(L.parse),
})

export const TLS_MODES = ['verify-full', 'verify-ca', 'require', 'disable'] as const

const postgres = z.strictObject({
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
  agent: postgresAgent,
  databases: z.union([z.array(z.string().min(1)).min(1), z.literal('any')]),
  /** Schemas in which unqualified names are looked up; pinned for the whole session. */
  searchPath: z.array(z.string().min(1)).min(1).default(['public']),
  /** How old the snapshot of the catalogs may become. */
  catalogue: z.strictObject({ refresh: duration.default(10_000) }).prefault({}),
  limits: postgresLimits.prefault({}),
  credential: postgresCredential,
})
export type PostgresTargetConfig = z.output<typeof postgres> & { readonly name: string }

const hostKey = {
  /** The private key that the sidecar shows to agents; a new one at each start where absent. */
  hostKeyFile: path.optional(),
  /** Where the sidecar writes its line for the agents' `known_hosts`. */
  knownHosts: path.optional(),
}

const sshAgent = z.discriminatedUnion('authenticate', [
  z.strictObject({ authenticate: z.literal('none'), ...hostKey }),
  z.strictObject({ authenticate: z.literal('jwt'), ...tokens, ...hostKey }),
  z.strictObject({
    authenticate: z.literal('key'),
    /** By the user name that agents give: their public keys, one `authorized_keys` line each, without options. */
    users: z.record(z.string().min(1), z.strictObject({ keys: z.array(z.string().min(1)).min(1) })),
    ...hostKey,
  }),
  z.strictObject({
    authenticate: z.literal('certificate'),
    /** Public keys of those that may sign user certificates, as `ssh-ed25519 AAAA…`. */
    authorities: z.array(z.string().min(1)).min(1),
    ...hostKey,
  }),
])

const sshLogin = z.strictObject({
  user: z.string().min(1),
  privateKeyFile: path.optional(),
  passphraseFile: path.optional(),
  /** A certificate for the private key, signed elsewhere; read at each connection. */
  certificateFile: path.optional(),
  passwordFile: path.optional(),
  /** A new key and a certificate of a few minutes for each connection. */
  certificate: z
    .union([
      z.strictObject({
        /** The private key of the authority that the upstream host trusts. */
        authorityFile: path,
        principals: z.array(z.string().min(1)).min(1).optional(),
        validity: duration.default(300_000),
      }),
      /** A program that gets the public key on standard input and writes the certificate on standard output. */
      z.strictObject({ command: z.array(z.string().min(1)).min(1) }),
    ])
    .optional(),
})

export const SSH_LIMITS = {
  /** Connections at once. */
  connections: 100,
  /** From accept to the end of authentication, and from the dial to that of the upstream's. */
  handshake: 30_000,
  /** Attempts to authenticate on one connection. */
  attempts: 6,
  /** Channels at once on one connection. */
  channels: 10,
  /** The longest command line. */
  command: 16 * 1024,
  /** Variables that one channel may set. */
  environment: 50,
  /** Files and directories that one sftp channel may have open. */
  files: 64,
  /** Bytes that wait for whichever side is slow, for each channel and direction. */
  inFlight: 2 * 1024 ** 2,
  /** Bytes after which the keys of a connection are made anew (RFC 4253, section 9). */
  rekey: 1024 ** 3,
  /** Between two questions whether a side is still there, each side after three without an answer is gone; 0 is never. */
  keepalive: 30_000,
  /** Without a byte from either side; 0 is for ever. */
  idle: 0,
  /** The longest that a connection may live; 0 is for ever. */
  duration: 0,
} as const

const S = SSH_LIMITS
const sshLimits = z.strictObject({
  connections: z.int().positive().default(S.connections),
  handshake: duration.default(S.handshake),
  attempts: z.int().positive().default(S.attempts),
  channels: z.int().positive().default(S.channels),
  /** ssh2 takes packets of up to 35,000 bytes. */
  command: size.refine((bytes) => bytes <= 32 * 1024, 'a command line is at most 32KiB').default(S.command),
  environment: z.int().nonnegative().default(S.environment),
  files: z.int().positive().default(S.files),
  inFlight: size.default(S.inFlight),
  rekey: size.default(S.rekey),
  keepalive: duration.default(S.keepalive),
  idle: duration.default(S.idle),
  duration: duration.default(S.duration),
})

const ssh = z.strictObject({
  protocol: z.literal('ssh'),
  listen: address,
  labels,
  upstream: z
    .strictObject({
      host: z.string().min(1),
      port: z.int().min(1).max(65_535).default(22),
      /** The host's own public keys, as `ssh-ed25519 AAAA…`. */
      hostKeys: z.array(z.string().min(1)).default([]),
      /** A `known_hosts` file, `@cert-authority` and `@revoked` lines and hashed names included. */
      knownHostsFile: path.optional(),
      /** Public keys of those that may sign the host's certificate. */
      hostAuthorities: z.array(z.string().min(1)).default([]),
      /** `other`: fish, csh, PowerShell, where only single literal commands are certain to be read as they were judged. */
      shell: z.enum(['posix', 'other']).default('posix'),
    })
    .refine(
      ({ hostKeys, knownHostsFile, hostAuthorities }) =>
        hostKeys.length > 0 || hostAuthorities.length > 0 || knownHostsFile !== undefined,
      'the host must be known by hostKeys, knownHostsFile or hostAuthorities: a key is never trusted on first use',
    ),
  agent: sshAgent,
  credential: z.union([sshLogin, z.strictObject({ users: z.record(z.string().min(1), sshLogin) })]),
  /** What a shell becomes where policy allows one. */
  shell: z.enum(['none', 'recorded', 'line-gated']).default('none'),
  /** Names of variables that agents may set besides LANG, LC_*, TERM and GIT_PROTOCOL. */
  environment: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)).default([]),
  limits: sshLimits.prefault({}),
})
export type SshTargetConfig = z.output<typeof ssh> & { readonly name: string }
export type SshLogin = z.output<typeof sshLogin>

/** One member for each protocol; a new protocol adds its own. */
const target = z.discriminatedUnion('protocol', [postgres, ssh])
export type TargetConfig = z.output<typeof target> & { readonly name: string }

export const configuration = z.strictObject({
  version: z.literal(1),
  admin: z.strictObject({ listen: address, tokenFile: path }).optional(),
  probes: z.strictObject({ listen: address }).optional(),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
  workload: z
    .strictObject({
      namespace: z.string().default(''),
      pod: z.string().default(''),
      serviceAccount: z.string().default(''),
      labels,
    })
    .prefault({}),
  /** The key of the mask method `hash`, 32 bytes or more; without it hashes differ from one start to the next. */
  masks: z.strictObject({ keyFile: path.optional() }).prefault({}),
  policy,
  record,
  targets: z.record(
    z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a target is named as in DNS: a-z, 0-9, -'),
    target,
  ),
})
export type Configuration = z.output<typeof configuration>
