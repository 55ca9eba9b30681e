/** What clients print past the gate and through it, without what differs between any two runs. */
import type { Stage, Way } from './stream-stage.ts'

/** One namespace for each way, of names equally long, so that tables have the same widths. */
export const NAMESPACES = { direct: 'team-a', gated: 'team-b' } as const

export interface Side {
  readonly way: Way
  readonly namespace: string
  readonly port: number
}

export interface Sides {
  readonly direct: Side
  readonly gated: Side
}

/** Through a target whose policy permits everything. */
export async function bothSides(stage: Stage): Promise<Sides> {
  for (const namespace of Object.values(NAMESPACES)) await stage.server.namespace(namespace)
  const { way, port } = await stage.target()
  return {
    direct: { way: stage.direct, namespace: NAMESPACES.direct, port: stage.server.port },
    gated: { way, namespace: NAMESPACES.gated, port },
  }
}

const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, 'UID'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME'],
  [/(resourceVersion"?: ?"?)\d+/g, '$1N'],
  [/(generation"?: )\d+/g, '$1N'],
  [/\b10\.96\.\d+\.\d+\b/g, 'CLUSTER-IP'],
  [/(nodePort"?: |:)3[0-2]\d{3}\b/g, '$1NODE-PORT'],
  [/\b(made-)[a-z0-9]{5}\b/g, '$1XXXXX'],
  [/\b(\d+(\.\d+)?(ms|s|m|h|d))+\b/g, 'AGE'],
  [/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, 'TIME'],
  [/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}/g, 'TIME'],
  [/\b(LIVE|MERGED)-\d+/g, '$1'],
  [/[EIW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+/g, 'LOGGED'],
  [/ey[\w-]+\.[\w-]+\.[\w-]+/g, 'JWT'],
  // Of the connection, and not of the answer.
  [/Headers: \{[^}]*\}/g, 'HEADERS'],
  // Columns are as wide as what stands in them.
  [/ {2,}/g, '  '],
]

export function plain(text: string, { namespace, port }: Pick<Side, 'namespace' | 'port'>): string {
  let out = text.replaceAll(namespace, 'NAMESPACE').replaceAll(`127.0.0.1:${port}`, 'SERVER')
  for (const [pattern, instead] of VARYING) out = out.replace(pattern, instead)
  return out
}
