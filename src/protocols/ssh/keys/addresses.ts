/** Lists of addresses as `source-address` writes them: `10.0.0.0/8,2001:db8::/32,192.0.2.1`, and nothing looser. */
import { BlockList, isIP } from 'node:net'

/** More is no list that a person wrote. */
const LONGEST_LIST = 4096

/** Null where any part is not an address or a network: such a list permits nobody. */
export function parseAddresses(list: string): BlockList | null {
  if (list === '' || list.length > LONGEST_LIST) return null
  const addresses = new BlockList()
  for (const part of list.split(',')) {
    const [address = '', bits, ...more] = part.split('/')
    const family = isIP(address)
    if (family === 0 || more.length > 0 || address.includes('%')) return null
    const most = family === 4 ? 32 : 128
    if (bits !== undefined && !/^(0|[1-9]\d{0,2})$/.test(bits)) return null
    const prefix = bits === undefined ? most : Number(bits)
    if (prefix > most) return null
    addresses.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6')
  }
  return addresses
}

/** Whether a peer's address is in the list; an IPv4 address counts as itself also where it comes mapped into IPv6. */
export function hasAddress(addresses: BlockList, peer: string): boolean {
  const bare = peer.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  const family = isIP(bare)
  return family !== 0 && addresses.check(bare, family === 4 ? 'ipv4' : 'ipv6')
}
