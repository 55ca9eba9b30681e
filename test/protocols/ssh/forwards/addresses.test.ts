import { BlockList } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { type AddressKind, addressKind, canonicalAddress } from '../../../../src/protocols/ssh/forwards/addresses.ts'

/** What a list of Node's own says, independent of the table under test. */
function list(...ranges: readonly (readonly [network: string, bits: number])[]): BlockList {
  const all = new BlockList()
  for (const [network, bits] of ranges) all.addSubnet(network, bits, network.includes(':') ? 'ipv6' : 'ipv4')
  return all
}

const FORBIDDEN_4 = list(
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['192.0.0.0', 24],
  ['224.0.0.0', 3],
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
)
const LOOPBACK_4 = list(['127.0.0.0', 8])
const HOSTS_6 = list(['2000::', 3], ['fc00::', 7])
const FORBIDDEN_6 = list(
  ['2001::', 32],
  ['2002::', 16],
  ['fd00:ec2::', 32],
  ['fd20:ce::254', 128],
  ['fd00:c1::a9fe:a9fe', 128],
)

const dotted = (word: number) => [24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.')
const group = fc.integer({ min: 0, max: 0xffff })
/** Near the edges of ranges as often as anywhere. */
const word4 = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc
    .tuple(
      fc.constantFrom(
        0,
        0x01000000,
        0x7f000000,
        0x80000000,
        0xa9fe0000,
        0xa9ff0000,
        0xc0000000,
        0xc0000100,
        0xe0000000,
        0x646464c8,
        0xa83f8110,
      ),
      fc.integer({ min: -2, max: 2 }),
    )
    .map(([edge, step]) => (edge + step) >>> 0),
)
const groups6 = fc
  .tuple(
    fc.constantFrom<number[]>(
      [],
      [0x2001, 0],
      [0x2002],
      [0xfe80],
      [0xfec0],
      [0xff02],
      [0xfd00, 0xec2],
      [0x2000],
      [0x4000],
      [0xfc00],
      [0, 0, 0, 0, 0, 0xffff],
      [0x64, 0xff9b],
    ),
    fc.array(group, { minLength: 8, maxLength: 8 }),
  )
  .map(([start, rest]) => [...start, ...rest].slice(0, 8))

t.test('an IPv4 address is judged as by independent lists', async (t) => {
  fc.assert(
    fc.property(word4, (word) => {
      const address = dotted(word)
      const kind = addressKind(address)
      if (LOOPBACK_4.check(address)) return kind === 'loopback'
      return FORBIDDEN_4.check(address) === (kind !== 'ordinary') && kind !== 'loopback' && kind !== 'translated'
    }),
    { numRuns: 2000 },
  )
  t.pass()
})

t.test('an IPv6 address is judged as by independent lists, however it is written', async (t) => {
  fc.assert(
    fc.property(groups6, fc.boolean(), (groups, upper) => {
      const written = groups.map((value) => value.toString(16)).join(':')
      const address = canonicalAddress(upper ? written.toUpperCase() : written)
      if (address === null || canonicalAddress(address) !== address) return false
      const kind = addressKind(address)
      const isatap = groups[5] === 0x5efe && (groups[4] === 0 || groups[4] === 0x200)
      const host = HOSTS_6.check(address, 'ipv6') && !FORBIDDEN_6.check(address, 'ipv6') && !isatap
      if (address === '::1') return kind === 'loopback'
      return kind === 'translated' ? written.startsWith('64:ff9b:0:0:0:0:') : host === (kind === 'ordinary')
    }),
    { numRuns: 2000 },
  )
  t.pass()
})

t.test('an IPv4 address that an IPv6 one holds makes it no more reachable than it is itself', async (t) => {
  fc.assert(
    fc.property(word4, (word) => {
      const tail = dotted(word)
      const hex = `${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`
      const forms = [`::ffff:${tail}`, `::ffff:0:${tail}`, `::${tail}`, `64:ff9b:1::${tail}`, `2002:${hex}::1`]
      const more = [`2001:0:${hex}::1`, `2001:db8::5efe:${tail}`, `2001:db8::200:5efe:${tail}`]
      const kinds = [...forms, ...more].map((form) => addressKind(canonicalAddress(form) ?? ''))
      const nat64 = addressKind(canonicalAddress(`64:ff9b::${tail}`) ?? '')
      const ordinary = addressKind(tail) === 'ordinary'
      const reachable = new Set<AddressKind>(['ordinary', 'translated'])
      const loopback = word <= 1
      return (
        kinds.every((kind) => !reachable.has(kind) && (kind !== 'loopback' || loopback)) &&
        (nat64 === 'translated') === ordinary &&
        nat64 !== 'ordinary'
      )
    }),
    { numRuns: 1000 },
  )
  t.pass()
})

t.test('well-known addresses are what they are', async (t) => {
  const known: Readonly<Record<string, AddressKind>> = {
    '169.254.169.254': 'link-local',
    '169.254.170.2': 'link-local',
    '100.100.100.200': 'metadata',
    '168.63.129.16': 'metadata',
    'fd00:ec2::254': 'metadata',
    '0.0.0.0': 'unspecified',
    '::': 'unspecified',
    '127.0.0.1': 'loopback',
    '127.255.255.254': 'loopback',
    '::1': 'loopback',
    '::2': 'reserved',
    'fe80::1': 'link-local',
    'fec0::1': 'reserved',
    '239.1.2.3': 'multicast',
    'ff02::1': 'multicast',
    '255.255.255.255': 'reserved',
    '::ffff:127.0.0.1': 'disguised',
    '::ffff:a9fe:a9fe': 'disguised',
    '2002:a9fe:a9fe::1': 'disguised',
    '64:ff9b::7f00:1': 'disguised',
    '64:ff9b::808:808': 'translated',
    '10.0.0.1': 'ordinary',
    '192.168.1.1': 'ordinary',
    '8.8.8.8': 'ordinary',
    'fd12:3456::1': 'ordinary',
    '2606:4700::1111': 'ordinary',
  }
  for (const [address, kind] of Object.entries(known)) {
    t.equal(addressKind(canonicalAddress(address) ?? ''), kind, address)
  }
})

t.test('what is no address in its usual form has no canonical text', async (t) => {
  for (const text of [
    '127.1',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '2130706433',
    '127.0.0.1.',
    'fe80::1%lo',
    '::1%0',
    '',
    '1::2::3',
    '[::1]',
  ]) {
    t.equal(canonicalAddress(text), null, text)
  }
  t.equal(canonicalAddress('0:0:0:0:0:0:0:1'), '::1')
  t.equal(canonicalAddress('2001:DB8:0:0::0001'), '2001:db8::1')
})
