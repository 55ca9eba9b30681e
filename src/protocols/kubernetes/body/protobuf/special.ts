/** Types whose JSON is another than that of their message; each as the Go type of that name marshals itself. */
import type { Json } from '../../../../gate/json.ts'
import { parseJson } from '../json/parse.ts'
import { unparsable } from '../refused.ts'

type Members = Readonly<Record<string, Json>>

export interface Special {
  /** In the words of the descriptors. */
  readonly fields: readonly string[]
  readonly zero: Json
  readonly json: (members: Members) => Json
}

const TIMESTAMP = ['1 seconds int64 always', '2 nanos int32 always']
const SCHEMA = '*apiextensions.v1.JSONSchemaProps empty'
/** Go's zero time, the beginning of the year 1. */
const ZERO_TIME = -62_135_596_800
const LAST_TIME = 253_402_300_799
const NANOS = 1_000_000_000

export const SPECIALS: ReadonlyMap<string, Special> = new Map<string, Special>([
  ['@time', { fields: TIMESTAMP, zero: null, json: ({ seconds }) => timeOf(seconds as number, 'Z') }],
  ['@microtime', { fields: TIMESTAMP, zero: null, json: microTimeOf }],
  [
    '@duration',
    { fields: ['1 duration int64 always'], zero: '0s', json: ({ duration }) => goDuration(duration as number) },
  ],
  ['@quantity', { fields: ['1 string string empty'], zero: '0', json: ({ string }) => string ?? '0' }],
  [
    '@int-or-string',
    { fields: ['1 type int64 always', '2 intVal int32 always', '3 strVal string always'], zero: 0, json: intOrString },
  ],
  ['@raw', { fields: ['1 raw bytes always'], zero: null, json: rawOf }],
  [
    '@schema-or-bool',
    {
      fields: ['1 allows bool always', `2 schema ${SCHEMA}`],
      zero: false,
      json: ({ allows, schema }) => schema ?? allows ?? false,
    },
  ],
  [
    '@schema-or-array',
    {
      fields: [`1 schema ${SCHEMA}`, '2 items []apiextensions.v1.JSONSchemaProps empty'],
      zero: null,
      json: ({ schema, items }) => items ?? schema ?? null,
    },
  ],
  [
    '@schema-or-strings',
    {
      fields: [`1 schema ${SCHEMA}`, '2 property []string empty'],
      zero: null,
      json: ({ schema, property }) => property ?? schema ?? null,
    },
  ],
])

function timeOf(seconds: number, end: string): Json {
  if (seconds === ZERO_TIME) return null
  if (seconds < ZERO_TIME || seconds > LAST_TIME) throw unparsable('a time of the body is none', 'send one of our era')
  return new Date(seconds * 1000).toISOString().slice(0, -'.000Z'.length) + end
}

function microTimeOf({ seconds, nanos }: Members): Json {
  const rest = nanos as number
  if (rest < 0 || rest >= NANOS)
    throw unparsable('a time of the body is none', 'send less than a second of nanoseconds')
  return timeOf(seconds as number, `.${String(Math.floor(rest / 1000)).padStart(6, '0')}Z`)
}

/** As Go prints a time.Duration. */
export function goDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s'
  const sign = nanoseconds < 0 ? '-' : ''
  const left = BigInt(nanoseconds) < 0n ? -BigInt(nanoseconds) : BigInt(nanoseconds)
  if (left < 1_000n) return `${sign}${left}ns`
  if (left < 1_000_000n) return `${sign}${decimal(left, 3)}µs`
  if (left < 1_000_000_000n) return `${sign}${decimal(left, 6)}ms`
  const minutes = left / 60_000_000_000n
  const seconds = `${decimal(left % 60_000_000_000n, 9)}s`
  if (minutes === 0n) return `${sign}${seconds}`
  return minutes < 60n ? `${sign}${minutes}m${seconds}` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`
}

function decimal(value: bigint, places: number): string {
  const digits = value.toString().padStart(places + 1, '0')
  const fraction = digits.slice(-places).replace(/0+$/, '')
  return fraction === '' ? digits.slice(0, -places) : `${digits.slice(0, -places)}.${fraction}`
}

function intOrString({ type, intVal, strVal }: Members): Json {
  if (type === 0) return intVal as number
  if (type === 1) return strVal as string
  throw unparsable('the body has what is neither an integer nor a string', 'send one of them')
}

function rawOf({ raw }: Members): Json {
  return raw === null ? null : parseJson(Buffer.from(raw as string, 'base64'))
}
