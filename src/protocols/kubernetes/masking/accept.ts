/** In which form an object is asked for, so that what is masked in it can be found. */
import type { CompiledMasks } from './compile.ts'
import type { Reduction } from './document.ts'
import type { Request } from '../request/facts.ts'

export interface Representation {
  /** The `Accept` that goes upstream. */
  readonly accept: string
  readonly target: string
  readonly reduce: Reduction
  readonly table: 'None' | 'Metadata' | 'Object' | null
}

const JSON_TYPE = 'application/json'
const VERSIONS: ReadonlySet<string> = new Set(['v1', 'v1beta1'])

/** Fields that no column of the API server's own tables is made of. Tables of all other kinds may show, or sum up, anything. */
const NOT_IN_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  '/secrets': ['data', 'stringData'],
  '/configmaps': ['data', 'binaryData'],
}

/**
 * Metadata alone does not tell which values must not be in it: the whole object is asked for, and reduced here. For the same
 * reason rows of a table come with their objects.
 */
export function representationOf(request: Request, accept: string, masks: CompiledMasks): Representation {
  const plain = { accept: JSON_TYPE, target: request.target, reduce: null, table: null }
  for (const clause of accept.split(',')) {
    const [type = '', ...parameters] = clause.split(';').map((part) => part.trim().toLowerCase())
    if (type !== JSON_TYPE) continue
    const given = new Map(parameters.map((parameter) => splitOnce(parameter)))
    const as = given.get('as')
    const version = given.get('v') ?? 'v1'
    if (as === undefined || given.get('g') !== 'meta.k8s.io' || !VERSIONS.has(version)) return plain
    if (as === 'table' && hasTable(request, masks)) {
      return {
        ...plain,
        accept: `${JSON_TYPE};as=Table;v=${version};g=meta.k8s.io, ${JSON_TYPE}`,
        target: withObjects(request.target),
        table: includedOf(request),
      }
    }
    if (as.startsWith('partialobjectmetadata') && request.facts.verb !== 'deletecollection') {
      return { ...plain, reduce: { version: `meta.k8s.io/${version}` } }
    }
  }
  return plain
}

function splitOnce(parameter: string): [string, string] {
  const equals = parameter.indexOf('=')
  return equals === -1 ? [parameter, ''] : [parameter.slice(0, equals), parameter.slice(equals + 1)]
}

function hasTable({ facts }: Request, { paths, drops }: CompiledMasks): boolean {
  // Only the first event of a watch says what the columns are, and it could be the one that is left out.
  if (drops && facts.verb === 'watch') return false
  const safe = facts.subresource === '' ? NOT_IN_COLUMNS[`${facts.group}/${facts.resource}`] : undefined
  return paths.every(([first]) => first !== undefined && first !== '*' && (safe ?? []).includes(first.name))
}

function includedOf({ facts }: Request): 'None' | 'Metadata' | 'Object' {
  const asked = facts.query['includeObject']?.[0]
  return asked === 'None' || asked === 'Object' ? asked : 'Metadata'
}

function withObjects(target: string): string {
  return without(target, 'includeObject', ['includeObject=Object'])
}

/**
 * In one page: the token for the next names the object that is last on this one, though it be left out. Servers need not keep to
 * the limit (https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks).
 */
export function inOnePage(target: string): string {
  return without(target, 'limit', [])
}

function without(target: string, name: string, added: readonly string[]): string {
  const [path = '', query = ''] = target.split('?', 2)
  const kept = query.split('&').filter((parameter) => parameter !== '' && !parameter.startsWith(`${name}=`))
  const parameters = [...kept, ...added]
  return parameters.length === 0 ? path : `${path}?${parameters.join('&')}`
}
