/**
 * Names become addresses here, in the sidecar, and the upstream host is asked for addresses only: what was checked is what is
 * connected to, whatever the name says a moment later or to somebody else.
 */
import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { addressKind, canonicalAddress } from './addresses.ts'
import { forbidden, LOCALHOST } from './destination.ts'

/** All addresses of a name; fails where it has none. */
export type Lookup = (name: string) => Promise<readonly string[]>

export type Resolved = { readonly addresses: readonly string[] } | { readonly refusal: Refusal }

/** A resolver that does not answer holds a channel no longer. */
const LOOKUP_MS = 10_000
/** Of a name's addresses, this many are tried; all are checked. */
const TRIED = 4

/** The system's resolver works in the threads that files are read in: it never gets all of them. */
const MOST_LOOKUPS = 2
let lookups = 0
const waiting: (() => void)[] = []

export const systemLookup: Lookup = async (name) => {
  if (lookups >= MOST_LOOKUPS) await new Promise<void>((resolve) => waiting.push(resolve))
  else lookups++
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address)
  } finally {
    // Whoever waits next takes the place.
    const next = waiting.shift()
    if (next === undefined) lookups--
    else next()
  }
}

/** What to ask the upstream host for, in order. `host` is a destination's, as `readTarget` made it. */
export async function resolve(host: string, lookUp: Lookup): Promise<Resolved> {
  if (host === LOCALHOST) return { addresses: ['127.0.0.1', '::1'] }
  if (canonicalAddress(host) !== null) return isOwn(host) ? { refusal: own(host) } : { addresses: [host] }
  const found = await withinTime(lookUp(host))
  if (found === null || found.length === 0) {
    return { refusal: refusal('target.forbidden', `the name ${host} does not resolve here`, 'give the address') }
  }
  const addresses: string[] = []
  for (const text of found) {
    const address = canonicalAddress(text)
    if (address === null) return { refusal: refusal('target.forbidden', `the name ${host} resolves to no address`) }
    const kind = addressKind(address)
    if (kind === 'loopback')
      return { refusal: refusal('target.forbidden', `the name ${host} is that of a loopback`, `ask for ${LOCALHOST}`) }
    if (kind !== 'ordinary' && kind !== 'translated') return { refusal: forbidden(`${host} (${address})`, kind) }
    if (isOwn(address)) return { refusal: own(host) }
    addresses.push(address)
  }
  return { addresses: addresses.slice(0, TRIED) }
}

/** The pod's own addresses: what listens there, the sidecar above all, is not for the upstream host to lead back to. */
function isOwn(address: string): boolean {
  return Object.values(networkInterfaces()).some((all) =>
    all?.some((own) => !own.internal && canonicalAddress(own.address.replace(/%.*$/, '')) === address),
  )
}

function own(host: string): Refusal {
  return refusal('target.forbidden', `${host} is the agent's own side`)
}

async function withinTime(found: Promise<readonly string[]>): Promise<readonly string[] | null> {
  const { promise: late, resolve: expire } = Promise.withResolvers<null>()
  const timer = setTimeout(() => expire(null), LOOKUP_MS)
  try {
    return await Promise.race([found, late])
  } catch {
    return null
  } finally {
    clearTimeout(timer)
  }
}
