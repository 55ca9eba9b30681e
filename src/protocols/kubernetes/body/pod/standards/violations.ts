import type { PodFacts } from '../../body.ts'
import type { Pod } from '../pod.ts'
import { BASELINE } from './baseline.ts'
import { OVERRIDDEN, RESTRICTED } from './restricted.ts'

/** Names of the controls that forbid the pod. */
export function violationsOf(pod: Pod): Pick<PodFacts, 'baseline' | 'restricted'> {
  const baseline = Object.keys(BASELINE).filter((name) => BASELINE[name]?.(pod) === true)
  const restricted = Object.keys(RESTRICTED).filter((name) => RESTRICTED[name]?.(pod) === true)
  return { baseline, restricted: [...baseline.filter((name) => !OVERRIDDEN.has(name)), ...restricted] }
}
