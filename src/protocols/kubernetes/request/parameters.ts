/**
 * The parameters that the API server knows for each kind of request. Others are refused: the server would ignore them, or a
 * newer one would not.
 */
import type { Located } from './attributes.ts'
import type { Query } from './query.ts'
import { Refused } from './refused.ts'
import { unparsable } from './target.ts'

const COMMON = ['pretty', 'timeout']
const READ = ['resourceVersion', 'includeObject', 'noHeaders']
const LIST = [
  ...READ,
  'allowWatchBookmarks',
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersionMatch',
  'sendInitialEvents',
  'shardSelector',
  'timeoutSeconds',
  'watch',
]
const WRITE = ['dryRun', 'fieldManager', 'fieldValidation']
const DELETE = [
  'dryRun',
  'gracePeriodSeconds',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
  'orphanDependents',
  'propagationPolicy',
]
const STREAMS = ['container', 'stdin', 'stdout', 'stderr', 'tty']
const LOG = [
  'container',
  'follow',
  'insecureSkipTLSVerifyBackend',
  'limitBytes',
  'previous',
  'sinceSeconds',
  'sinceTime',
  'stream',
  'tailLines',
  'timestamps',
]
/** `hash`: kubectl fetches OpenAPI documents by it. */
const NON_RESOURCE = ['exclude', 'hash', 'timeout', 'verbose']

const BY_VERB: Readonly<Record<string, readonly string[]>> = {
  get: [...READ, 'exact', 'export'],
  list: LIST,
  watch: LIST,
  create: WRITE,
  update: WRITE,
  patch: [...WRITE, 'force'],
  delete: DELETE,
  deletecollection: [...DELETE, ...LIST],
}
const BY_SUBRESOURCE: Readonly<Record<string, readonly string[]>> = {
  'pods/exec': [...STREAMS, 'command'],
  'pods/attach': STREAMS,
  'pods/portforward': ['ports'],
  'pods/log': LOG,
}
const NUMBERS: ReadonlySet<string> = new Set([
  'gracePeriodSeconds',
  'limit',
  'limitBytes',
  'sinceSeconds',
  'tailLines',
  'timeoutSeconds',
])
const NUMBER = /^-?[0-9]{1,18}$/
/** Go's durations; the server takes nothing else here. */
const DURATION = /^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$/

/** What a proxied request asks is its target's business: the request is opaque, and judged as that. */
export function isProxy({ verb, subresource, resource, group }: Located): boolean {
  return (
    verb === 'proxy' ||
    (group === '' &&
      subresource === 'proxy' &&
      (resource === 'nodes' || resource === 'pods' || resource === 'services'))
  )
}

/** Throws {@link Refused} at the first parameter that the request cannot have. */
export function checkParameters(attributes: Located, query: Query): void {
  if (isProxy(attributes)) return
  const known = new Set([...COMMON, ...knownOf(attributes)])
  for (const [key, values] of query) {
    if (!known.has(key)) {
      throw new Refused(
        'command.unsupported',
        `the parameter ${JSON.stringify(key)} is not known for this request`,
        'leave it out',
      )
    }
    const value = values[0] ?? ''
    if (NUMBERS.has(key) && !NUMBER.test(value)) throw unparsable(`${key} is no number`, 'send one')
    if (key === 'timeout' && value !== '' && !DURATION.test(value))
      throw unparsable('timeout is no duration', 'write 30s')
  }
}

function knownOf({ resourceRequest, group, resource, subresource, verb }: Located): readonly string[] {
  if (!resourceRequest) return NON_RESOURCE
  const own = group === '' ? BY_SUBRESOURCE[`${resource}/${subresource}`] : undefined
  return own ?? BY_VERB[verb] ?? []
}

/** Whose makers take no notice of a dry run: such a token opens what any other opens. */
const NEVER_DRY: ReadonlySet<string> = new Set(['serviceaccounts/token'])

/**
 * The server is asked to change nothing, and does as it is asked. `dryRun` has one value that means something; all else the
 * server refuses.
 */
export function isDryRun({ group, resource, subresource }: Omit<Located, 'nameAt'>, query: Query): boolean {
  const value = query.get('dryRun')?.[0]
  if (value === undefined || value === '') return false
  if (value !== 'All') throw unparsable('dryRun has no value but All', 'send dryRun=All')
  return group !== '' || !NEVER_DRY.has(`${resource}/${subresource}`)
}
