/** PostgreSQL's binary dates and timestamps, as its own ISO output. */

/** 2000-01-01 in days since 1970-01-01. */
const EPOCH_DAYS = 10_957
const MICROSECONDS_A_DAY = 86_400_000_000n
/** What the server itself can hold: 4714-11-24 BC to 5874897-12-31. */
const FIRST_DAY = -2_451_545
const LAST_DAY = 2_145_031_948

export function date(bytes: Buffer): string | undefined {
  const days = bytes.readInt32BE()
  if (days === 0x7fffffff) return 'infinity'
  if (days === -0x80000000) return '-infinity'
  if (days < FIRST_DAY || days > LAST_DAY) return undefined
  const { text, bc } = calendar(days)
  return bc ? `${text} BC` : text
}

export function timestamp(bytes: Buffer, zone: string): string | undefined {
  const microseconds = bytes.readBigInt64BE()
  if (microseconds === 0x7fffffffffffffffn) return 'infinity'
  if (microseconds === -0x8000000000000000n) return '-infinity'
  const time = ((microseconds % MICROSECONDS_A_DAY) + MICROSECONDS_A_DAY) % MICROSECONDS_A_DAY
  const days = Number((microseconds - time) / MICROSECONDS_A_DAY)
  if (days < FIRST_DAY) return undefined
  const { text, bc } = calendar(days)
  return `${text} ${clock(Number(time))}${zone}${bc ? ' BC' : ''}`
}

function clock(microseconds: number): string {
  const seconds = Math.floor(microseconds / 1_000_000)
  const fraction = String(microseconds % 1_000_000)
    .padStart(6, '0')
    .replace(/0+$/, '')
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return parts.map((part) => String(part).padStart(2, '0')).join(':') + (fraction === '' ? '' : `.${fraction}`)
}

/** The proleptic Gregorian calendar, by the well-known division into eras of 400 years that begin in March. */
function calendar(days: number): { text: string; bc: boolean } {
  const shifted = days + EPOCH_DAYS + 719_468
  const era = Math.floor(shifted / 146_097)
  const ofEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  )
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const march = Math.floor((5 * ofYear + 2) / 153)
  const day = ofYear - Math.floor((153 * march + 2) / 5) + 1
  const month = march < 10 ? march + 3 : march - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const bc = year <= 0
  const shown = String(bc ? 1 - year : year).padStart(4, '0')
  return { text: `${shown}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`, bc }
}
