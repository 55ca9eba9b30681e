/** Where a forward leads to, and where a remote forward would listen, as the agent says it. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { type AddressKind, addressKind, canonicalAddress } from './addresses.ts'

/** As `input.command.detail.destination`: either host and port, or the path of a socket. */
export type Destination =
  | { readonly host: string; readonly port: number; readonly path: null }
  | { readonly host: null; readonly port: null; readonly path: string }

export type Read = { readonly destination: Destination } | { readonly refusal: Refusal }

/** RFC 1035. */
const LONGEST_NAME = 253
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/
/** What the C library would read as a number, and the whole name as an address: `0x7f.1`, `2130706433`. */
const NUMBER = /^(\d+|0x[0-9a-f]*)$/
/** What fits into a socket's address on every system, the byte that ends it left out. */
const LONGEST_PATH = 103
const LARGEST_PORT = 65_535

/**
 * The upstream host's own loopback, and no name for it is looked up.
 *
 * Policy sees what the agent wrote. `localhost`, `127.0.0.1` and `::1` are therefore three destinations to it, and a rule that
 * allows `localhost:5432` means exactly that: the service which the upstream host keeps to itself. A name that only resolves to
 * loopback is never followed there, or whoever holds the name's DNS would choose what the rule means.
 */
export const LOCALHOST = 'localhost'

const WHY: Readonly<Record<Exclude<AddressKind, 'ordinary' | 'loopback'>, string>> = {
  translated: 'hides another address in it',
  unspecified: 'is the address of no host',
  'link-local': 'is link-local, where metadata services are',
  metadata: 'is that of a metadata service',
  multicast: 'is that of a group',
  reserved: 'is reserved',
  disguised: 'hides another address in it',
}

/** The destination of `direct-tcpip`. Names are not looked up yet. */
export function readTarget(host: string, port: number): Read {
  const name = hostOf(host)
  if (name === null) return unreadable(host)
  if (port < 1 || port > LARGEST_PORT) return refused('command.unparsable', `${port} is no port`)
  const kind = name.address ? addressKind(name.text) : 'ordinary'
  if (kind !== 'ordinary' && kind !== 'loopback') return { refusal: forbidden(name.text, kind) }
  return { destination: { host: name.text, port, path: null } }
}

/** Where `tcpip-forward` would listen: port 0 is any, and no address is all of them. */
export function readListener(address: string, port: number): Read {
  const name = address === '' || address === '*' ? { text: address } : hostOf(address)
  if (name === null) return unreadable(address)
  if (port > LARGEST_PORT) return refused('command.unparsable', `${port} is no port`)
  return { destination: { host: name.text, port, path: null } }
}

/** A socket's path: absolute and without detours, so that policy can compare it as it is. */
export function readPath(path: string): Read {
  const readable = path.startsWith('/') && Buffer.byteLength(path) <= LONGEST_PATH && !hasUnprintable(path)
  const segments = path.slice(1).split('/')
  if (!readable || segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    const remedy = `give an absolute path of at most ${LONGEST_PATH} bytes, without ".", ".." and doubled slashes`
    return refused('command.unparsable', 'the path of the socket could be read in more than one way', remedy)
  }
  return { destination: { host: null, port: null, path } }
}

/** Why an address is never reached, whatever policy says. */
export function forbidden(address: string, kind: Exclude<AddressKind, 'ordinary' | 'loopback'>): Refusal {
  return refusal('target.forbidden', `${address} ${WHY[kind]}`)
}

function hostOf(host: string): { readonly text: string; readonly address: boolean } | null {
  const lower = host.toLowerCase()
  const address = canonicalAddress(lower)
  if (address !== null) return { text: address, address: true }
  const labels = lower.split('.')
  const named = lower.length <= LONGEST_NAME && labels.every((label) => LABEL.test(label))
  return named && !NUMBER.test(labels.at(-1) ?? '') ? { text: lower, address: false } : null
}

function unreadable(host: string): Read {
  const remedy = 'give a name of letters, digits, hyphens and dots, or an address in its usual form'
  return refused('command.unparsable', `${quoted(host)} could be read in more than one way`, remedy)
}

function refused(code: 'command.unparsable', message: string, remedy = ''): Read {
  return { refusal: refusal(code, message, remedy) }
}

/** The agent's text in a message: printable, and short. */
export function quoted(text: string): string {
  const short = text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME)}…` : text
  return JSON.stringify(short.toWellFormed())
}

/** NUL and other controls, and what decoding made of bytes that were no UTF-8. */
function hasUnprintable(text: string): boolean {
  return /[\p{Cc}\u{fffd}]/u.test(text)
}

/** `host:port` as `forwards_to` compares it, or the path. */
export function destinationText(destination: Destination): string {
  if (destination.path !== null) return destination.path
  const { host, port } = destination
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
