/** One request line: from its bytes to the facts that policy judges, and to the one form in which it is forwarded. */
import { runsOthers } from '../../../shell/argv.ts'
import { attributesOf, type Located } from './attributes.ts'
import { type Exec, METHODS, type Method, type ParsedRequest, type Request, type RequestFacts } from './facts.ts'
import { checkParameters, isDryRun, isProxy } from './parameters.ts'
import { first, flag, formatQuery, parseQuery, type Query } from './query.ts'
import { Refused } from './refused.ts'
import { encodeSegment, notPlain, splitTarget, type Target, unparsable } from './target.ts'

/** What takes over the connection, or reaches past the API server: judged as `connect`, whatever its method. */
const CONNECTS: ReadonlySet<string> = new Set(['pods/exec', 'pods/attach', 'pods/portforward'])
/** Paths that are no resources and that clients need; all others (profiles, logs, metrics) are not offered. */
const OPEN_PATHS =
  /^\/(api|apis|version|(healthz|livez|readyz)(\/[a-z0-9-]+)*|openapi\/v2|openapi\/v3(\/[a-z0-9./-]+)?)$/
const DISCOVERY = /^\/(api\/[a-z0-9]+|apis\/[a-z0-9.-]+(\/[a-z0-9]+)?)$/

/**
 * Never throws.
 */
export function parseRequest(method: string, target: string): ParsedRequest {
  try {
    return { kind: 'request', request: parse(method, target) }
  } catch (error) {
    if (error instanceof Refused) return { kind: 'refused', refusal: error.refusal }
    throw error
  }
}

function parse(methodName: string, raw: string): Request {
  const method = METHODS.find((known) => known === methodName)
  if (method === undefined) {
    throw new Refused('command.unsupported', `the API server has no method ${methodName.slice(0, 20)}`, 'use kubectl')
  }
  const target = splitTarget(raw)
  const query = parseQuery(target.query)
  const { nameAt, ...attributes } = checked(method, target, query)
  // To what stands behind a proxy it is another path.
  const end = target.trailing && attributes.resourceRequest ? '/' : ''
  const path = `/${target.segments.join('/')}${end}`
  const facts: RequestFacts = {
    ...attributes,
    path,
    dryRun: isDryRun(attributes, query),
    force: flag(query, 'force'),
    query: Object.fromEntries(query),
    exec: execOf({ nameAt, ...attributes }, query),
  }
  return {
    method,
    facts,
    action: connects(attributes) ? 'connect' : attributes.verb,
    text: textOf(facts),
    target: `/${target.segments.map(encodeSegment).join('/')}${end}${formatQuery(query)}`,
    endless: attributes.verb === 'watch' || (isLog(attributes) && flag(query, 'follow')),
  }
}

/** The attributes of a request that the server could have meant in no other way. */
function checked(method: Method, target: Target, query: Query): Located {
  const attributes = attributesOf(method, target.segments, query)
  for (const [index, segment] of target.segments.entries()) {
    // Clients differ in how they encode the name of an object (`system%3Anode`); in nothing else.
    if (index !== attributes.nameAt && encodeSegment(segment) !== target.raw[index]) {
      throw unparsable('the path is not in its canonical form', 'send it without needless percent-encoding')
    }
  }
  if (attributes.resourceRequest && target.trailing && !isProxy(attributes)) throw notPlain()
  if (!attributes.resourceRequest) checkOpen(method, `/${target.segments.join('/')}`)
  if (attributes.rest !== '' && !isProxy(attributes)) {
    throw new Refused('command.unsupported', 'the path goes on behind the subresource', 'name one subresource')
  }
  checkParameters(attributes, query)
  return attributes
}

function checkOpen(method: Method, path: string): void {
  const reads = method === 'GET' || method === 'HEAD'
  if (reads && (OPEN_PATHS.test(path) || DISCOVERY.test(path))) return
  throw new Refused(
    'target.forbidden',
    `${method} ${path.slice(0, 100)} is not offered`,
    'ask for resources, discovery, OpenAPI, health or the version',
  )
}

function connects(attributes: Omit<Located, 'nameAt'>): boolean {
  const { group, resource, subresource } = attributes
  return (group === '' && CONNECTS.has(`${resource}/${subresource}`)) || isProxy({ ...attributes, nameAt: -1 })
}

function isLog({ group, resource, subresource }: Omit<Located, 'nameAt'>): boolean {
  return group === '' && resource === 'pods' && subresource === 'log'
}

function execOf(attributes: Located, query: Query): Exec | null {
  const { group, resource, subresource } = attributes
  if (group !== '' || resource !== 'pods' || (subresource !== 'exec' && subresource !== 'attach')) return null
  const command = query.get('command') ?? []
  const attaches = subresource === 'attach'
  const tty = flag(query, 'tty')
  return {
    command,
    container: first(query, 'container'),
    stdin: flag(query, 'stdin'),
    stdout: flag(query, 'stdout'),
    stderr: flag(query, 'stderr'),
    tty,
    shell: attaches || command.length === 0 || runsOthers(command, { terminal: tty }),
  }
}

/** `create deployments.apps default/web`, `get pods/exec default/web -- ls -l`, `get /version`. */
function textOf(facts: RequestFacts): string {
  const { verb, resourceRequest, group, resource, subresource, namespace, name, path, exec } = facts
  if (!resourceRequest) return `${verb} ${path}`
  const what = `${resource}${group === '' ? '' : `.${group}`}${subresource === '' ? '' : `/${subresource}`}`
  const where = resource === 'namespaces' ? name : [namespace, name].filter((part) => part !== '').join('/')
  const text = where === '' ? `${verb} ${what}` : `${verb} ${what} ${where}`
  return exec === null || exec.command.length === 0 ? text : `${text} -- ${exec.command.map(word).join(' ')}`
}

/** As a shell would be given it, for whoever reads a record or is asked to approve. */
function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
