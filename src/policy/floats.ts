/** Floats as Go's `strconv` writes them, without their sign. */

/** `value × 10^places`, rounded to a whole number from the exact binary value, ties to even; `toFixed` rounds them up. */
function scaled(value: number, places: number): bigint {
  const bits = new DataView(new ArrayBuffer(8))
  bits.setFloat64(0, value)
  const raw = bits.getBigUint64(0)
  const exponent = Number((raw >> 52n) & 0x7ffn)
  const mantissa = (raw & 0xfffffffffffffn) | (exponent === 0 ? 0n : 1n << 52n)
  const shift = Math.max(exponent, 1) - 1075
  const numerator = mantissa * (places > 0 ? 10n ** BigInt(places) : 1n) * (shift > 0 ? 1n << BigInt(shift) : 1n)
  const divisor = (places < 0 ? 10n ** BigInt(-places) : 1n) * (shift < 0 ? 1n << BigInt(-shift) : 1n)
  const [quotient, twice] = [numerator / divisor, 2n * (numerator % divisor)]
  return twice > divisor || (twice === divisor && quotient % 2n === 1n) ? quotient + 1n : quotient
}

export function fixed(value: number, precision: number): string {
  const digits = String(scaled(value, precision)).padStart(precision + 1, '0')
  const point = digits.length - precision
  return precision === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`
}

export function exponential(value: number, precision: number | undefined): string {
  const [shortest = '', power = '0'] = value.toExponential().split('e')
  if (precision === undefined) return `${shortest}e${exponentOf(Number(power))}`
  let exponent = Number(power)
  let digits = String(scaled(value, precision - exponent)).padEnd(precision + 1, '0')
  if (digits.length > precision + 1) {
    digits = digits.slice(0, -1)
    exponent++
  }
  return `${digits.slice(0, 1)}${precision > 0 ? `.${digits.slice(1)}` : ''}e${exponentOf(exponent)}`
}

const exponentOf = (exponent: number) => (exponent < 0 ? '-' : '+') + String(Math.abs(exponent)).padStart(2, '0')

/** What `strconv` takes for the precision when the shortest form is asked for. */
const SHORTEST_THRESHOLD = 6

/** With an exponent if that is below -4 or reaches the precision. */
export function general(value: number, precision: number | null): string {
  const digits = precision === null ? undefined : Math.max(precision, 1)
  const scientific = exponential(value, digits === undefined ? undefined : digits - 1)
  const [mantissa = '', exponentText = '0'] = scientific.split('e')
  const exponent = Number(exponentText)
  const significant = trimZeros(mantissa)
  const count = significant.replace('.', '').length
  const threshold = digits === undefined ? SHORTEST_THRESHOLD : digits > count && count >= exponent + 1 ? count : digits
  if (exponent < -4 || exponent >= threshold) return `${significant}e${exponentText}`
  return trimZeros(fixed(value, Math.max(0, count - 1 - exponent)))
}

const trimZeros = (text: string) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text)
