/**
 * Where addresses lead. What a forward may reach is decided on the number that is asked of the upstream host, never on how it
 * was spelt: the ranges below are those of the IANA special-purpose registries (RFC 6890) and of the metadata services of clouds.
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net'

/**
 * `ordinary`: a host. `loopback`: whoever connects. `translated`: an ordinary IPv4 host behind the well-known NAT64 prefix, which
 * resolvers of IPv6-only networks give in place of its IPv4 address. The others are never a forward's destination.
 */
export type AddressKind =
  | 'ordinary'
  | 'loopback'
  | 'translated'
  | 'unspecified'
  | 'link-local'
  | 'metadata'
  | 'multicast'
  | 'reserved'
  | 'disguised'

type Range = readonly [network: string, bits: number, kind: AddressKind]

/** First match wins; what matches none is ordinary. */
const RANGES_4: readonly Range[] = [
  ['0.0.0.0', 8, 'unspecified'],
  // Alibaba Cloud's metadata, Azure's wire server, and in 192.0.0.0/24 that of Oracle's older regions.
  ['100.100.100.200', 32, 'metadata'],
  ['168.63.129.16', 32, 'metadata'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'link-local'],
  ['192.0.0.0', 24, 'reserved'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved'],
]

/** First match wins; what matches none is reserved, since only two blocks of IPv6 hold hosts. */
const RANGES_6: readonly Range[] = [
  ['::', 128, 'unspecified'],
  ['::1', 128, 'loopback'],
  ['fe80::', 10, 'link-local'],
  ['ff00::', 8, 'multicast'],
  // Amazon's, Google's and Oracle's metadata.
  ['fd00:ec2::', 32, 'metadata'],
  ['fd20:ce::254', 128, 'metadata'],
  ['fd00:c1::a9fe:a9fe', 128, 'metadata'],
  // Teredo and 6to4: an IPv4 address that the text does not show.
  ['2001::', 32, 'disguised'],
  ['2002::', 16, 'disguised'],
  // Mapped, and both forms of stateless translation; IPv4-compatible ones are in a block without hosts.
  ['::ffff:0:0', 96, 'disguised'],
  ['::ffff:0:0:0', 96, 'disguised'],
  ['64:ff9b:1::', 48, 'disguised'],
  ['64:ff9b::', 96, 'translated'],
  ['2000::', 3, 'ordinary'],
  ['fc00::', 7, 'ordinary'],
]

/** The interface identifiers of ISATAP (RFC 5214), whatever network they are in: an IPv4 address follows. */
const ISATAP: ReadonlySet<number> = new Set([0x0000_5efe, 0x0200_5efe])

/**
 * The one text of an address: dotted decimal, or RFC 5952's lower case; null for what is none. Octal, hexadecimal and
 * shortened IPv4, and IPv6 with a zone, are none.
 */
export function canonicalAddress(text: string): string | null {
  if (isIPv4(text)) return text
  if (!isIPv6(text) || text.includes('%')) return null
  return new SocketAddress({ address: text, family: 'ipv6' }).address
}

/** What an address, in its canonical text, is. */
export function addressKind(address: string): AddressKind {
  const words = isIPv4(address) ? wordsOf4(address) : wordsOf6(address)
  if (words.length === 1) return find(TABLE_4, words) ?? 'ordinary'
  const kind = find(TABLE_6, words) ?? 'reserved'
  if (kind === 'translated') return find(TABLE_4, words.slice(3)) === undefined ? 'translated' : 'disguised'
  return kind === 'ordinary' && ISATAP.has(words[2] ?? 0) ? 'disguised' : kind
}

interface Prefix {
  readonly words: readonly number[]
  readonly masks: readonly number[]
  readonly kind: AddressKind
}

const TABLE_4 = RANGES_4.map(prefixOf)
const TABLE_6 = RANGES_6.map(prefixOf)

function prefixOf([network, bits, kind]: Range): Prefix {
  const words = isIPv4(network) ? wordsOf4(network) : wordsOf6(network)
  const masks = words.map((_, index) => maskOf(Math.min(Math.max(bits - index * 32, 0), 32)))
  return { words, masks, kind }
}

function maskOf(bits: number): number {
  return bits === 0 ? 0 : (0xffff_ffff << (32 - bits)) >>> 0
}

function find(table: readonly Prefix[], words: readonly number[]): AddressKind | undefined {
  return table.find((prefix) =>
    prefix.words.every((word, index) => ((words[index] ?? 0) & (prefix.masks[index] ?? 0)) >>> 0 === word),
  )?.kind
}

function wordsOf4(address: string): number[] {
  return [address.split('.').reduce((word, byte) => word * 256 + Number(byte), 0)]
}

/** Four words of 32 bits. */
function wordsOf6(address: string): number[] {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address)
  const [, before = '', tail = ''] = dotted ?? []
  const [word = 0] = dotted === null ? [] : wordsOf4(tail)
  const text = dotted === null ? address : `${before}${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`
  const [head = '', rest] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const first = groups(head)
  const last = rest === undefined ? [] : groups(rest)
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last]
  return [0, 2, 4, 6].map((at) => (((all[at] ?? 0) << 16) | (all[at + 1] ?? 0)) >>> 0)
}
