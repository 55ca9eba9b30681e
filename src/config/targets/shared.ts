/** What targets of several protocols have in common. */
import { z } from 'zod'

export const labels = z.record(z.string(), z.string()).default({})
export const path = z.string().min(1)

/** What is demanded of JSON Web Tokens that agents present. */
export const tokens = {
  issuer: z.string().min(1),
  audience: z.string().min(1),
  /** A JSON Web Key Set: a file, or an address to fetch it from. */
  keys: z.union([z.strictObject({ file: path }), z.strictObject({ url: z.url() })]),
  algorithms: z
    .array(z.enum(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA']))
    .min(1)
    .default(['RS256', 'ES256', 'EdDSA']),
}
