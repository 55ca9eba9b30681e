/** PostgreSQL's binary numeric: groups of four decimal digits, a weight, a sign, a display scale. */

const POSITIVE = 0x0000
const NEGATIVE = 0x4000
/** Weights and scales within these are the server's own (NUMERIC_MAX_RESULT_SCALE and far more); NaN and infinities have other signs. */
const MAX_SCALE = 16_383
const MAX_WEIGHT = 0x7fff / 4

/** The decimal text, or undefined for what is no finite number. */
export function numeric(bytes: Buffer): string | undefined {
  if (bytes.length < 8) return undefined
  const count = bytes.readUInt16BE(0)
  const weight = bytes.readInt16BE(2)
  const sign = bytes.readUInt16BE(4)
  const scale = bytes.readUInt16BE(6)
  if (bytes.length !== 8 + count * 2 || (sign !== POSITIVE && sign !== NEGATIVE)) return undefined
  if (scale > MAX_SCALE || Math.abs(weight) > MAX_WEIGHT) return undefined
  const groups: number[] = []
  for (let index = 0; index < count; index++) {
    const group = bytes.readUInt16BE(8 + index * 2)
    if (group > 9999) return undefined
    groups.push(group)
  }
  const group = (place: number): string => String(groups[weight - place] ?? 0).padStart(4, '0')
  let whole = ''
  for (let place = weight; place >= 0; place--) whole += group(place)
  let fraction = ''
  for (let place = -1; fraction.length < scale; place--) fraction += group(place)
  const head = whole.replace(/^0+(?=\d)/, '') || '0'
  const tail = scale === 0 ? '' : `.${fraction.slice(0, scale)}`
  return `${sign === NEGATIVE ? '-' : ''}${head}${tail}`
}
