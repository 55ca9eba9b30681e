/**
 * Rebuilds what an agent asks for at start-up from an allow-list. Every setting of the server is a valid key there, `options`
 * smuggles in more, and of duplicates the server takes the last: so nothing is passed that is not known here.
 */
import { ConnectionRefused } from '../connection-refused.ts'
import { PROTOCOL_3_0, PROTOCOL_3_2, type ProtocolVersion, type StartupMessage } from '../messages/startup.ts'
import { ProtocolViolation } from '../messages/violation.ts'
import { splitOptions } from './options.ts'

export interface StartupRequest {
  readonly user: string
  readonly database: string
  readonly applicationName: string
  /** Settings that the agent may choose, by the server's spelling of their names. */
  readonly settings: ReadonlyMap<string, string>
  /** The protocol that is spoken from now on. */
  readonly protocol: ProtocolVersion
  /** Present when the agent asked for more than that: what to tell it before anything else. */
  readonly negotiate: { readonly version: number; readonly unknown: readonly string[] } | null
}

/** They change how values look or when a statement gives up, never what a statement means or may do. */
const SETTINGS: ReadonlyMap<string, string> = new Map(
  [
    'DateStyle',
    'IntervalStyle',
    'TimeZone',
    'extra_float_digits',
    'bytea_output',
    'statement_timeout',
    'lock_timeout',
    'idle_in_transaction_session_timeout',
    'idle_session_timeout',
    'transaction_timeout',
    'client_min_messages',
  ].map((name) => [name.toLowerCase(), name]),
)

/** Names that the server takes literally, and settings that are handled here instead of being passed on. */
const OWN = [
  'user',
  'database',
  'options',
  'replication',
  'application_name',
  'client_encoding',
  'search_path',
] as const
const PINNED: ReadonlyMap<string, (value: string, searchPath: readonly string[]) => boolean> = new Map([
  // SQL_ASCII asks for no conversion, which is what UTF-8 gets from a database in UTF-8; psql without a locale sends it.
  ['client_encoding', (value) => /^'?(utf-?8|unicode|sql_ascii)'?$/i.test(value)],
  ['standard_conforming_strings', (value) => /^(on|true|yes|1)$/i.test(value)],
  ['search_path', (value, path) => samePath(value, path)],
])

/** The server's NAMEDATALEN less one: longer names are cut, and two could become one. */
const LONGEST_NAME = 63
const OPTION_PREFIX = '_pq_.'
const MINOR = 0xffff

/** Fails with a {@link ConnectionRefused} or a {@link ProtocolViolation}. */
export function readStartup(message: StartupMessage, searchPath: readonly string[]): StartupRequest {
  if (message.version >>> 16 !== 3) {
    const version = `${message.version >>> 16}.${message.version & MINOR}`
    throw new ConnectionRefused(
      'protocol.violation',
      '0A000',
      `unsupported frontend protocol ${version}: 3.0 to 3.2 are spoken`,
    )
  }
  const given = unique(message.parameters)
  const unknown = [...given.keys()].filter((name) => name.startsWith(OPTION_PREFIX))
  const settings = new Map<string, string>()
  for (const [name, value] of given) {
    if (!(OWN as readonly string[]).includes(name) && !name.startsWith(OPTION_PREFIX))
      set(settings, name, value, searchPath)
  }
  for (const name of ['client_encoding', 'search_path']) {
    const value = given.get(name)
    if (value !== undefined) set(settings, name, value, searchPath)
  }
  for (const [name, value] of splitOptions(given.get('options') ?? '')) {
    if (settings.has(SETTINGS.get(name.toLowerCase()) ?? '')) {
      throw forbidden(`parameter "${shown(name)}" was given twice`)
    }
    set(settings, name, value, searchPath)
  }
  if (given.has('replication')) throw forbidden('replication connections are not offered')
  const user = named(given.get('user'), 'user')
  const database = named(given.get('database') || user, 'database')
  return {
    user,
    database,
    applicationName: cleaned(given.get('application_name') ?? ''),
    settings,
    ...negotiated(message.version, unknown),
  }
}

function unique(parameters: StartupMessage['parameters']): Map<string, string> {
  const given = new Map<string, string>()
  const seen = new Set<string>()
  for (const [name, value] of parameters) {
    // Settings are one name in any case: `datestyle` and `DateStyle` would overwrite each other.
    if (seen.has(name.toLowerCase())) throw forbidden(`parameter "${shown(name)}" was given twice`)
    seen.add(name.toLowerCase())
    given.set(name, value)
  }
  return given
}

function set(settings: Map<string, string>, name: string, value: string, searchPath: readonly string[]): void {
  const pinned = PINNED.get(name.toLowerCase())
  if (pinned !== undefined) {
    if (pinned(value, searchPath)) return
    const wanted = name.toLowerCase() === 'search_path' ? searchPath.join(', ') : 'UTF8 and standard strings'
    throw forbidden(`parameter "${shown(name)}" is pinned for this target`, `leave it out: it is ${wanted}`, '22023')
  }
  const known = SETTINGS.get(name.toLowerCase())
  if (known === undefined) {
    const allowed = [...SETTINGS.values()].join(', ')
    throw forbidden(`parameter "${shown(name)}" cannot be set when connecting`, `these can be: ${allowed}`)
  }
  settings.set(known, value)
}

function samePath(value: string, path: readonly string[]): boolean {
  const names = value.split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
  if (names.at(-1) === 'pg_temp') names.pop()
  return names.length === path.length && names.every((name, at) => name === path[at])
}

function named(name: string | undefined, what: string): string {
  if (name === undefined || name === '') {
    throw new ConnectionRefused('protocol.violation', '28000', `no PostgreSQL ${what} name was given`)
  }
  if (Buffer.byteLength(name) > LONGEST_NAME) {
    throw forbidden(`the ${what} name is longer than ${LONGEST_NAME} bytes`)
  }
  return name
}

/** As the server itself does: what is not printable ASCII becomes `?`, and the rest is cut off. */
function cleaned(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, '?').slice(0, LONGEST_NAME)
}

function negotiated(version: number, unknown: readonly string[]): Pick<StartupRequest, 'protocol' | 'negotiate'> {
  const minor = version & MINOR
  // There is no 3.1: a client that asks for it is given what came before.
  const protocol = minor >= 2 ? PROTOCOL_3_2 : PROTOCOL_3_0
  if (unknown.length === 0 && protocol === version) return { protocol, negotiate: null }
  return { protocol, negotiate: { version: protocol, unknown } }
}

function forbidden(message: string, remedy = '', sqlstate = '42501'): ConnectionRefused {
  return new ConnectionRefused('target.forbidden', sqlstate, message, { remedy })
}

/** A name as it may stand in a message. */
function shown(name: string): string {
  return cleaned(name).replaceAll('"', "'")
}

export function violatesOrder(packet: string): ProtocolViolation {
  return new ProtocolViolation(packet, 'it may come once, and before the start-up message')
}
