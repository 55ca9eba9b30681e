/** What the API server makes of a request (k8s.io/apiserver, pkg/endpoints/request/requestinfo.go), from a canonical path. */
import type { Attributes, Method } from './facts.ts'
import { first, flag, type Query } from './query.ts'
import { selectedName } from './selectors.ts'
import { unparsable } from './target.ts'

const VERBS: Readonly<Record<Method, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}
/** As the first segment behind the version they are the verb, whatever the method. */
const SPECIAL_VERBS: ReadonlySet<string> = new Set(['proxy', 'watch'])
/** What stands third behind `namespaces` and is not a resource in it. */
const NAMESPACE_SUBRESOURCES: ReadonlySet<string> = new Set(['status', 'finalize'])
const WITH_SELECTORS: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection'])

/** Segments that are words of the API, and not names of objects: the server's routes know them in lower case only. */
const WORD = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/

/** Where in the path the name of an object stands, which may be encoded in more than one way; −1 for none. */
export interface Located extends Attributes {
  readonly nameAt: number
}

/** Throws what refuses a path that the server's routes cannot have. */
export function attributesOf(method: Method, segments: readonly string[], query: Query): Located {
  const core = segments[0] === 'api'
  if ((!core && segments[0] !== 'apis') || segments.length < (core ? 3 : 4)) return nonResource(method)
  const group = core ? '' : word(segments[1], 'group')
  const version = word(segments[core ? 1 : 2], 'version')
  let at = core ? 2 : 3
  let verb = VERBS[method]
  const special = SPECIAL_VERBS.has(segments[at] as string)
  if (special) {
    verb = segments[at++] as string
    if (segments.length === at) throw unparsable(`nothing follows ${verb} in the path`, 'name a resource')
  }
  let namespace = ''
  if (segments[at] === 'namespaces' && segments.length > at + 1) {
    namespace = word(segments[at + 1], 'namespace')
    const third = segments[at + 2]
    if (third !== undefined && !NAMESPACE_SUBRESOURCES.has(third)) at += 2
  }
  const resource = word(segments[at], 'resource')
  const nameAt = segments.length > at + 1 ? at + 1 : -1
  const named = nameAt === -1 ? '' : (segments[nameAt] as string)
  const hasSubresource = verb !== 'proxy' && segments.length > at + 2
  const subresource = hasSubresource ? word(segments[at + 2], 'subresource') : ''
  const rest = segments.slice(at + (hasSubresource ? 3 : 2)).join('/')
  const found = verbOf(verb, named, query)
  const selects = !special && WITH_SELECTORS.has(found.verb)
  return {
    ...found,
    resourceRequest: true,
    group,
    version,
    resource,
    subresource,
    namespace,
    rest,
    fieldSelector: selects ? first(query, 'fieldSelector') : '',
    labelSelector: selects ? first(query, 'labelSelector') : '',
    nameAt,
  }
}

function verbOf(verb: string, name: string, query: Query): { verb: string; name: string } {
  if (name !== '') return { verb, name }
  if (verb === 'delete') return { verb: 'deletecollection', name }
  if (verb !== 'get') return { verb, name }
  const selected = selectedName(first(query, 'fieldSelector'))
  const valid = selected !== null && selected !== '.' && selected !== '..' && !/[/%]/.test(selected)
  return { verb: flag(query, 'watch') ? 'watch' : 'list', name: valid ? selected : '' }
}

function nonResource(method: Method): Located {
  return {
    verb: method.toLowerCase(),
    resourceRequest: false,
    group: '',
    version: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    rest: '',
    fieldSelector: '',
    labelSelector: '',
    nameAt: -1,
  }
}

function word(segment: string | undefined, what: string): string {
  if (segment !== undefined && WORD.test(segment)) return segment
  throw unparsable(`the ${what} in the path is not one that an API server has`, 'write it in lower case')
}
