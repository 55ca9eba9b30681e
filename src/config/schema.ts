/** The configuration file, design section 9. Every default lives here or in `targets/`, and every key has a line in the README's table. */
import { z } from 'zod'
import { kubernetes } from './targets/kubernetes.ts'
import { postgres } from './targets/postgres.ts'
import { labels, path } from './targets/shared.ts'
import { ssh } from './targets/ssh.ts'
import { address, duration, size } from './values.ts'

export { KUBERNETES_LIMITS, type KubernetesTargetConfig } from './targets/kubernetes.ts'
export { POSTGRES_LIMITS, type PostgresTargetConfig, TLS_MODES } from './targets/postgres.ts'
export { SSH_LIMITS, type SshLogin, type SshTargetConfig } from './targets/ssh.ts'

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

/** One member for each protocol; a new protocol adds its own. */
const target = z.discriminatedUnion('protocol', [postgres, ssh, kubernetes])
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
