/**
 * What `sidegate policy build` vouches for in a bundle's manifest, under the bundle's signature, as
 * `metadata.sidegate`. The builder writes it and the loader checks it; a bundle without one is refused.
 */
import { z } from 'zod'
import { CONTRACT_VERSION } from '../gate/input.ts'

/** The only entrypoint: package `sidegate`, rule `decision`. */
export const ENTRYPOINT = 'sidegate/decision'

/** The key of the manifest's `metadata` under which the attestation stands. */
export const ATTESTATION_KEY = 'sidegate'

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'a digest is sha256: and 64 hexadecimal digits')

export const attestation = z.strictObject({
  contract: z.literal(CONTRACT_VERSION),
  /** Of the names and bytes of every file of Sidegate's own Rego (combiner and helpers) that went into the build. */
  combiner: digest,
  /** Of the bytes of `policy.wasm`. */
  wasm: digest,
  /**
   * Every path of the input that the policy can read; a path stands for everything beneath it, and none is the prefix
   * of another. `[["command", "detail", "effects"]]`. Null where the paths could not be listed: never memoise.
   */
  inputPaths: z.array(z.array(z.string()).min(1)).nullable(),
  /** No builtin in it gives different answers to the same input. */
  deterministic: z.boolean(),
})
export type Attestation = z.output<typeof attestation>
