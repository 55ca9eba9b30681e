/**
 * Data in packets that need no new memory each: what a channel carries is most of what is sent, and 32 KiB of new memory
 * for every packet has the garbage collector walk the whole heap every sixty megabytes.
 *
 * Only for AES-GCM by ssh2's addon, which encrypts in place; all else is left to ssh2's own way.
 */
import { randomFillSync } from 'node:crypto'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'

/** `AESGCMCipherBinding` of ssh2 1.17 (lib/protocol/crypto.js). */
interface Cipher {
  /** Encrypts the packet where it is, and writes it to the socket at once. */
  encrypt(packet: Buffer): void
}

/** ssh2's addon, where it was built; ssh2 works without it too. */
function addon(): { readonly AESGCMCipher?: new (...config: readonly unknown[]) => object } {
  try {
    return createRequire(import.meta.url)('ssh2/lib/protocol/crypto/build/Release/sshcrypto.node')
  } catch {
    return {}
  }
}
const { AESGCMCipher } = addon()

function inPlace(cipher: object): cipher is Cipher {
  return AESGCMCipher !== undefined && '_instance' in cipher && cipher._instance instanceof AESGCMCipher
}

/** RFC 5647, section 7.2: blocks of 16 bytes, the length in front left out; the tag follows. */
const BLOCK = 16
const TAG = 16
const LEAST_PADDING = 4
/** Length and padding length (RFC 4253, section 6). */
const FRONT = 5
/** A packet of 32 KiB of data, with all that is around it. */
const SCRATCH = 40 * 1024

/** Random bytes that padding is taken from in turn; it hides nothing, and only has to be something. */
const PADDING = randomFillSync(Buffer.allocUnsafeSlow(4096))

export class DataPackets {
  readonly #socket: Socket
  /** Free whenever the kernel has taken all that was written. */
  #scratch = Buffer.allocUnsafeSlow(0)
  #padding = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** False where it is not a cipher for this: nothing was sent. `head` is the message up to its data. */
  send(cipher: object, head: Buffer, data: Buffer): boolean {
    if (!inPlace(cipher)) return false
    const payload = head.length + data.length
    let padding = BLOCK - ((1 + payload) & (BLOCK - 1))
    if (padding < LEAST_PADDING) padding += BLOCK
    const length = FRONT + payload + padding
    if (length + TAG > SCRATCH) return false
    if (this.#scratch.length === 0) this.#scratch = Buffer.allocUnsafeSlow(SCRATCH)
    const packet = this.#scratch.subarray(0, length + TAG)
    packet.writeUInt32BE(length - 4, 0)
    packet[4] = padding
    packet.set(head, FRONT)
    packet.set(data, FRONT + head.length)
    if (this.#padding + padding > PADDING.length) this.#padding = 0
    PADDING.copy(packet, FRONT + payload, this.#padding, (this.#padding += padding))
    cipher.encrypt(packet)
    // What the kernel has not taken is the socket's now.
    if (this.#socket.writableLength > 0) this.#scratch = Buffer.allocUnsafeSlow(0)
    return true
  }
}
