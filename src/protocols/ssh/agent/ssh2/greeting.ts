/**
 * How an agent's connection begins. ssh2 forgets the second piece of a greeting that comes in three or more, so it gets whole
 * lines. And it answers with its own offer at once, of which OpenSSH, asking for AES-CTR before AES-GCM, makes AES-CTR with a
 * MAC: half as fast again for nothing. OpenSSH says what it knows without waiting for us, so it is heard first; where AES-GCM is
 * among that, nothing else is offered.
 */
import { KexInit, MESSAGE, type Offer, type Protocol, type PROTOCOL } from './inside.ts'

/** The longest greeting is 255 bytes (RFC 4253, section 4.2). */
const GREETING_BYTES = 255
/** OpenSSH's KEXINIT has some 1,500 bytes; no packet that ssh2 takes is longer. */
const PACKET_BYTES = 35_000
/** What says it is OpenSSH and waits for us is answered after this. */
const PATIENCE_MS = 250

const OPENSSH = /^SSH-2\.0-OpenSSH_/
const AEAD = /^aes(128|256)-gcm@openssh\.com$/

interface Begun {
  bytes: Buffer
  /** Runs while the greeting is whole and the offer is waited for. */
  timer: NodeJS.Timeout | null
}

export function awaitGreetings(prototype: typeof PROTOCOL): void {
  const { parse } = prototype
  const beginnings = new WeakMap<Protocol, Begun>()
  prototype.parse = function (this: Protocol, chunk, at, length) {
    if (!this._server || this._remoteIdentRaw !== undefined) return parse.call(this, chunk, at, length)
    const begun = beginnings.get(this) ?? { bytes: Buffer.alloc(0), timer: null }
    beginnings.set(this, begun)
    // Copied: what is read is in memory that the next read may use.
    begun.bytes = Buffer.concat([begun.bytes, chunk.subarray(at, length)])
    const line = begun.bytes.indexOf('\n')
    if ((line === -1 ? begun.bytes.length : line) > GREETING_BYTES) throw new Error('the greeting is too long')
    if (line === -1) return
    const ciphers = OPENSSH.test(begun.bytes.toString('latin1', 0, line)) ? ciphersOf(begun.bytes, line + 1) : null
    if (ciphers === 'unknown') {
      begun.timer ??= setTimeout(() => begin(this, begun), PATIENCE_MS)
      return
    }
    if (ciphers?.every((list) => list.some((name) => AEAD.test(name))) === true) this._offer = onlyAead(this._offer)
    beginnings.delete(this)
    clearTimeout(begun.timer ?? undefined)
    parse.call(this, begun.bytes, 0, begun.bytes.length)
  }

  function begin(protocol: Protocol, { bytes }: Begun): void {
    beginnings.delete(protocol)
    if (protocol._destruct === undefined) return
    try {
      parse.call(protocol, bytes, 0, bytes.length)
    } catch (error) {
      protocol._onError(error as Error)
    }
  }
}

/** RFC 4253, section 7.1: the ciphers of both directions in a first packet. Null where it is none of that kind. */
function ciphersOf(bytes: Buffer, start: number): readonly (readonly string[])[] | null | 'unknown' {
  if (bytes.length < start + 6) return 'unknown'
  const length = bytes.readUInt32BE(start)
  if (length > PACKET_BYTES || bytes[start + 5] !== MESSAGE.KEXINIT) return null
  const end = start + 4 + length
  if (bytes.length < end) return 'unknown'
  // The type and a cookie of 16 bytes, then the lists: key exchange, host keys, and the ciphers of each direction.
  const lists: string[][] = []
  let at = start + 6 + 16
  while (lists.length < 4) {
    if (at + 4 > end) return null
    const next = at + 4 + bytes.readUInt32BE(at)
    if (next > end) return null
    lists.push(bytes.toString('latin1', at + 4, next).split(','))
    at = next
  }
  return lists.slice(2)
}

const narrowed = new WeakMap<Offer, Offer>()

/** The same offer without the ciphers that need a MAC; made once for each server. */
function onlyAead(offer: Offer): Offer {
  const known = narrowed.get(offer)
  if (known !== undefined) return known
  const { kex, serverHostKey, cs, sc } = offer.lists
  const direction = ({ cipher, mac, compress, lang }: typeof cs) => ({
    cipher: cipher.array.filter((name) => AEAD.test(name)),
    mac: mac.array,
    compress: compress.array,
    lang: lang.array,
  })
  const made = new KexInit({
    kex: kex.array,
    serverHostKey: serverHostKey.array,
    cs: direction(cs),
    sc: direction(sc),
  })
  narrowed.set(offer, made)
  return made
}
