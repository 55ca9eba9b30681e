/** The policy engine, with the versions of Sidegate's own Rego that bundles may be built with. */
import type { Logger } from 'pino'
import type { BundleFacts } from '../../config/printout.ts'
import type { Configuration } from '../../config/schema.ts'
import { combinerDigest } from '../../policy/combiner.ts'
import { PolicyEngine } from '../../policy/engine.ts'

type Settings = Configuration['policy']

export async function startPolicy(settings: Settings, log: Logger): Promise<PolicyEngine> {
  return await PolicyEngine.start(settings, {
    combiners: ownCombiner(),
    attempted: ({ code, message, active_revision: revision, signed, mode }) => {
      if (code === null) log.info({ revision, signed, mode }, 'policy is active')
      else log.error({ code, revision }, `the bundle was not activated: ${message}`)
    },
  })
}

/** Loads, verifies and warms the bundle as a start would. */
export async function tryBundle(settings: Settings): Promise<BundleFacts> {
  const engine = await PolicyEngine.start(settings, { combiners: ownCombiner() })
  const { active_revision: revision, code, message } = engine.status()
  await engine.close()
  return { revision, problem: code === null ? null : `${message} (${code})` }
}

/** A bundle holds a copy of the combiner that it was built with; only this version's own is trusted to combine. */
function ownCombiner(): ReadonlySet<string> {
  return new Set([combinerDigest()])
}
