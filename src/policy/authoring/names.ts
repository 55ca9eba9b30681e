/** Names as policies write them: those of SQL dotted, and each part a plain lower-case word or quoted as in SQL. */

const PART = /^(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")$/

const WANTED = {
  2: '`schema.relation`, lower case or quoted as in SQL, such as public.orders or public."Orders"',
  3: '`schema.relation.column`, lower case or quoted as in SQL, such as public.customers.ssn',
} as const

/** Null, or what is wanted instead. */
export const wrongRelation = (name: string): string | null => wrong(name, 2)
export const wrongColumn = (name: string): string | null => wrong(name, 3)

/** Null, or what is wanted instead: paths that no other path means too, and that `..` cannot leave. */
export const wrongPath = (path: string): string | null =>
  /^(?:\/|(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+\/?)$/.test(path) ? null : 'an absolute path without `.`, `..` and `//`'

/** Null, or what is wanted instead. */
export const wrongDestination = (destination: string): string | null =>
  (destination.startsWith('/') ? wrongPath(destination) : DESTINATION.test(destination) ? null : '') === null
    ? null
    : '`host:port`, `[address]:port` or the absolute path of a socket'

const DESTINATION = /^(?:[^/:[\]\s]+|\[[0-9a-fA-F:.]+\]):[1-9]\d{0,4}$/

/** Null, or what is wanted instead: `*` is every address, and port 0 the one that the host chooses. */
export const wrongListener = (place: string): string | null => (ANY_PORT.test(place) ? null : wrongDestination(place))

const ANY_PORT = /^(?:[^/:[\]\s]+|\[[0-9a-fA-F:.]+\]):0$/

/** Null, or what is wanted instead: as kubectl writes resources, which have a group unless it is the core group. */
export const wrongResource = (resource: string): string | null =>
  RESOURCE.test(resource)
    ? null
    : 'a resource as kubectl writes it, in lower case: pods, pods/log, deployments.apps, *.apps, pods/*'

const RESOURCE = /^(?:[a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9.-]*)?|\*\.[a-z0-9][a-z0-9.-]*)(?:\/(?:[a-z][a-z0-9]*|\*))?$/

/** Null, or what is wanted instead. */
export const wrongLabel = (name: string): string | null =>
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name) ? null : 'a name of lower-case letters, digits and hyphens'

/** Null, or what is wanted instead. */
export const wrongPointer = (pointer: string): string | null =>
  /^(?:\/(?:[^~/]|~[01])+)+$/.test(pointer)
    ? null
    : 'a JSON Pointer such as /spec/replicas, `/` in a name as ~1 and `~` as ~0'

/** Null, or what is wanted instead. */
export const wrongRepository = (repository: string): string | null =>
  /^[^\s/:@]+(?::\d+(?=\/))?(?:\/[^\s/:@]+)*$/.test(repository)
    ? null
    : 'a repository without tag, digest and `/` at its end, such as registry.example/team'

/** Null, or what is wanted instead: a path from the root of each object, `$` if it is to be all of it. */
export const wrongFieldPath = (path: string): string | null =>
  FIELD_PATH.test(path)
    ? null
    : 'names from the root of the object, such as data.* or spec.users[*].token, with quotes around those that have dots: metadata.annotations["a.b/c"]'

const FIELD = String.raw`(?:\*|[^.[\]"'*\s$]+)`
/** What stands in quotes is JSON text. */
const BRACKET = String.raw`\[(?:\*|"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")\]`
const FIELD_PATH = new RegExp(`^(?:\\$|${FIELD}|${BRACKET})(?:\\.${FIELD}|${BRACKET})*$`, 'u')

function wrong(name: string, parts: 2 | 3): string | null {
  const found = split(name)
  return found.length === parts && found.every((part) => PART.test(part)) ? null : WANTED[parts]
}

/** At the dots that are not within quotes. */
function split(name: string): readonly string[] {
  return name.match(/(?:"(?:[^"]|"")*"|[^."]+|(?<=^|\.)(?=\.|$)|")+/g) ?? []
}
