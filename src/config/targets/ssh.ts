/** A target of the protocol `ssh`. */
import { z } from 'zod'
import { address, duration, size, timer } from '../values.ts'
import { labels, path, tokens } from './shared.ts'

const hostKey = {
  /** The private key that the sidecar shows to agents; a new one at each start where absent. */
  hostKeyFile: path.optional(),
  /** Where the sidecar writes its line for the agents' `known_hosts`. */
  knownHosts: path.optional(),
}

const agent = z.discriminatedUnion('authenticate', [
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

const login = z.strictObject({
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

const L = SSH_LIMITS
const limits = z.strictObject({
  connections: z.int().positive().default(L.connections),
  handshake: timer.default(L.handshake),
  attempts: z.int().positive().default(L.attempts),
  channels: z.int().positive().default(L.channels),
  /** ssh2 takes packets of up to 35,000 bytes. */
  command: size.refine((bytes) => bytes <= 32 * 1024, 'a command line is at most 32KiB').default(L.command),
  environment: z.int().nonnegative().default(L.environment),
  files: z.int().positive().default(L.files),
  inFlight: size.default(L.inFlight),
  rekey: size.default(L.rekey),
  keepalive: timer.default(L.keepalive),
  idle: timer.default(L.idle),
  duration: timer.default(L.duration),
})

export const ssh = z.strictObject({
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
  agent,
  credential: z.union([login, z.strictObject({ users: z.record(z.string().min(1), login) })]),
  /** What a shell becomes where policy allows one. */
  shell: z.enum(['none', 'recorded', 'line-gated']).default('none'),
  /** Names of variables that agents may set besides LANG, LC_*, TERM and GIT_PROTOCOL. */
  environment: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)).default([]),
  limits: limits.prefault({}),
})
export type SshTargetConfig = z.output<typeof ssh> & { readonly name: string }
export type SshLogin = z.output<typeof login>
