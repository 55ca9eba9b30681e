/** What functions of reviewed extensions do: data that tools/catalogs generates from extensions.yaml, where the rules stand. */
import { readFileSync } from 'node:fs'
import type { FunctionClass } from '../catalogue.ts'

/** By extension and function; what is not listed goes by the rules. */
type Data = Readonly<Record<string, Readonly<Record<string, FunctionClass>>>>

/** A function of users, as far as its class hangs on it. */
export interface Provenance {
  readonly name: string
  /** The extension that it belongs to; null for none. */
  readonly extension: string | null
  /** i, s or v */
  readonly volatility: string
  readonly definer: boolean
  readonly language: string
  /** It takes or gives values of type internal: only the server calls it. */
  readonly internal: boolean
  readonly aggregate: boolean
}

const COMPILED: ReadonlySet<string> = new Set(['c', 'internal'])
const NO_SURPRISE: ReadonlySet<string> = new Set(['i', 's'])

let reviewed: ReadonlyMap<string, ReadonlyMap<string, FunctionClass>> | null = null

/** Nobody has read what other functions of users do. An aggregate is what its parts are, at most. */
export function extensionClass(of: Provenance): FunctionClass {
  if (of.extension === null || of.definer) return 'unknown'
  const judged = (reviewed ??= load()).get(of.extension)
  if (judged === undefined) return 'unknown'
  const judgement = judged.get(of.name)
  if (judgement !== undefined) return judgement
  if (!COMPILED.has(of.language)) return 'unknown'
  return of.internal || of.aggregate || NO_SURPRISE.has(of.volatility) ? 'pure' : 'unknown'
}

function load(): ReadonlyMap<string, ReadonlyMap<string, FunctionClass>> {
  const data = JSON.parse(readFileSync(new URL('extensions.json', import.meta.url), 'utf8')) as Data
  return new Map(Object.entries(data).map(([name, functions]) => [name, new Map(Object.entries(functions))]))
}
