/** What PostgreSQL's own functions and relations do, by server version: data that tools/catalogs generates. */
import { readFileSync } from 'node:fs'
import type { FunctionClass, FunctionEntry, SystemClass } from '../catalogue.ts'

/** The last number has one bit for each of `versions`. */
type FunctionRow = readonly [
  schema: string,
  name: string,
  argumentOids: string,
  oid: number,
  flags: string,
  its: FunctionClass,
  servers: number,
]
type RelationRow = readonly [schema: string, name: string, its: SystemClass, servers: number]

interface Data {
  readonly versions: readonly number[]
  readonly functions: readonly FunctionRow[]
  readonly relations: readonly RelationRow[]
}

/** What one version of the server has. A name that is not here is not known. */
export interface Builtins {
  /** By `schema.name`. */
  readonly functions: ReadonlyMap<string, readonly FunctionEntry[]>
  readonly functionsByOid: ReadonlyMap<number, FunctionEntry>
  /** By `schema.name`. */
  readonly relations: ReadonlyMap<string, SystemClass>
}

const KINDS = { f: 'function', a: 'aggregate', w: 'window', p: 'procedure' } as const
const FLAGS = /^([fawp])(v?)(s?)(\d*)$/

let data: Data | null = null
const byVersion = new Map<number, Builtins>()

/** @param serverVersion as `server_version_num`. A version that is older or newer than the data gets the nearest. */
export function builtinsOf(serverVersion: number): Builtins {
  data ??= JSON.parse(readFileSync(new URL('builtins.json', import.meta.url), 'utf8')) as Data
  const major = Math.floor(serverVersion / 10_000)
  const after = data.versions.findIndex((version) => version >= major)
  const at = after === -1 ? data.versions.length - 1 : after
  const known = byVersion.get(at)
  if (known !== undefined) return known
  const made = indexed(data, 1 << at)
  byVersion.set(at, made)
  return made
}

function indexed({ functions, relations }: Data, server: number): Builtins {
  const byName = new Map<string, FunctionEntry[]>()
  const byOid = new Map<number, FunctionEntry>()
  for (const row of functions) {
    if ((row[6] & server) === 0) continue
    const entry = entryOf(row)
    const key = `${entry.schema}.${entry.name}`
    const overloads = byName.get(key)
    if (overloads === undefined) byName.set(key, [entry])
    else overloads.push(entry)
    if (entry.oid !== 0) byOid.set(entry.oid, entry)
  }
  const classes = new Map<string, SystemClass>()
  for (const [schema, name, its, servers] of relations) {
    if ((servers & server) !== 0) classes.set(`${schema}.${name}`, its)
  }
  return { functions: byName, functionsByOid: byOid, relations: classes }
}

function entryOf([schema, name, argumentOids, oid, flags, its]: FunctionRow): FunctionEntry {
  const [, kind, variadic, set, defaults] = FLAGS.exec(flags) ?? []
  return Object.freeze({
    oid,
    schema,
    name,
    arguments: Object.freeze(argumentOids === '' ? [] : argumentOids.split(' ').map(Number)),
    variadic: variadic !== '',
    defaults: Number(defaults),
    returnsSet: set !== '',
    kind: KINDS[kind as keyof typeof KINDS],
    class: its,
  })
}
