/** Numbers and parts of a line, put into bytes without a string on the way. */

const ZERO = 0x30

export function digitsOf(number: number): number {
  let digits = 1
  for (let limit = 10; number >= limit; limit *= 10) digits++
  return digits
}

/** The digits of a safe integer that is not negative, before `end`. */
export function putDigits(bytes: Uint8Array, end: number, number: number): void {
  let at = end
  let left = number
  do {
    const rest = Math.floor(left / 10)
    at--
    bytes[at] = ZERO + (left - rest * 10)
    left = rest
  } while (left > 0)
}

/** Any number, as JSON has it or JavaScript prints it. Returns where it ends. */
export function putNumber(slab: Buffer, offset: number, number: number): number {
  if (!Number.isSafeInteger(number) || number < 0) return offset + slab.write(String(number), offset, 'latin1')
  const end = offset + digitsOf(number)
  putDigits(slab, end, number)
  return end
}

export function putBytes(slab: Uint8Array, offset: number, bytes: Uint8Array): number {
  slab.set(bytes, offset)
  return offset + bytes.length
}
