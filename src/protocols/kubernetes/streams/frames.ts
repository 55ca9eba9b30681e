/** WebSocket frames: RFC 6455, section 5. */

export const OPCODE = { CONTINUATION: 0x0, TEXT: 0x1, BINARY: 0x2, CLOSE: 0x8, PING: 0x9, PONG: 0xa } as const
export type Opcode = (typeof OPCODE)[keyof typeof OPCODE]

/** Codes of a Close, section 7.4.1. */
export const CLOSE = { NORMAL: 1000, GOING_AWAY: 1001, PROTOCOL: 1002, POLICY: 1008, TOO_LARGE: 1009 } as const

export const MASK_BYTES = 4
export const LENGTH_16 = 126
export const LENGTH_64 = 127

/** The peer broke the protocol. Nothing after it can be understood. */
export class FrameViolation extends Error {
  override readonly name = 'FrameViolation'
  readonly code = 'protocol.violation'
  /** For a Close. */
  readonly close: number

  constructor(message: string, close: number = CLOSE.PROTOCOL) {
    super(message)
    this.close = close
  }
}

/** Masks or unmasks, which is the same, in place; `from` is how many bytes of the payload came before. */
export function applyMask(bytes: Buffer, mask: Buffer, from: number): void {
  const a = mask[from & 3] as number
  const b = mask[(from + 1) & 3] as number
  const c = mask[(from + 2) & 3] as number
  const d = mask[(from + 3) & 3] as number
  const whole = bytes.length & ~3
  let at = 0
  for (; at < whole; at += 4) {
    bytes[at] = (bytes[at] as number) ^ a
    bytes[at + 1] = (bytes[at + 1] as number) ^ b
    bytes[at + 2] = (bytes[at + 2] as number) ^ c
    bytes[at + 3] = (bytes[at + 3] as number) ^ d
  }
  for (; at < bytes.length; at++) bytes[at] = (bytes[at] as number) ^ (mask[(from + at) & 3] as number)
}

/** One whole frame. `prefix` are the payload's first bytes, such as a channel; `mask` is a client's, and null for a server. */
export function encodeFrame(
  opcode: Opcode,
  bytes: Uint8Array,
  mask: Buffer | null,
  prefix: readonly number[] = [],
): Buffer {
  const length = prefix.length + bytes.length
  const extended = length < LENGTH_16 ? 0 : length <= 0xffff ? 2 : 8
  const start = 2 + extended + (mask === null ? 0 : MASK_BYTES)
  const frame = Buffer.allocUnsafe(start + length)
  const masked = mask === null ? 0 : 0x80
  frame[0] = 0x80 | opcode
  frame[1] = masked | (extended === 0 ? length : extended === 2 ? LENGTH_16 : LENGTH_64)
  if (extended === 2) frame.writeUInt16BE(length, 2)
  if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2)
  frame.set(prefix, start)
  frame.set(bytes, start + prefix.length)
  if (mask !== null) {
    frame.set(mask, start - MASK_BYTES)
    applyMask(frame.subarray(start), mask, 0)
  }
  return frame
}
