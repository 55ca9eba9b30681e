/**
 * The builtins that the host gives to policies, beside those that OPA compiles into the module.
 *
 * Kept small on purpose: all of them are pure and cheap, or frozen for the time of one evaluation. One that is not
 * here refuses the bundle when it is activated (`bundle.builtin`).
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Json } from '../gate/json.ts'
import { sprintf } from './sprintf.ts'
import { parseTerm } from './terms.ts'

type Args = readonly Json[]

export type Call =
  | {
      readonly rego?: never
      /** Gives a value, or JSON text where a number has to be exact. Throws where OPA would be undefined. */
      readonly run: (args: Args, now: bigint) => Json | Exact
      /** Another evaluation of the same input may give something else. */
      readonly deterministic?: false
    }
  /** Takes its arguments in Rego's notation, where sets are not arrays and numbers are as written. */
  | { readonly rego: true; readonly run: (args: readonly string[]) => Json; readonly deterministic?: never }

export type Builtins = ReadonlyMap<string, Call>

/** A number beyond what JavaScript keeps exactly. */
class Exact {
  readonly text: string

  constructor(value: bigint) {
    this.text = String(value)
  }
}

/** Calls a builtin with JSON (or Rego) texts and gives JSON text, or undefined where the builtin fails. */
export function callBuiltin(call: Call, texts: readonly string[], now: bigint): string | undefined {
  try {
    if (call.rego === true) return JSON.stringify(call.run(texts))
    const result = call.run(
      texts.map((text) => JSON.parse(text) as Json),
      now,
    )
    return result instanceof Exact ? result.text : JSON.stringify(result)
  } catch {
    return undefined
  }
}

const fail = (message: string): never => {
  throw new TypeError(message)
}
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : fail('not a string'))
const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value)
/** A string, or an array or set of them. */
const texts = (value: Json | undefined): readonly string[] =>
  isList(value) ? value.map((item) => text(item)) : [text(value)]

const digest = (algorithm: string): Call => ({
  run: ([value]) => createHash(algorithm).update(text(value)).digest('hex'),
})
const hmac = (algorithm: string): Call => ({
  run: ([value, key]) => createHmac(algorithm, text(key)).update(text(value)).digest('hex'),
})

const affix = (test: (value: string, affix: string) => boolean): Call => ({
  run: ([values, affixes]) => {
    const wanted = texts(affixes)
    return texts(values).some((value) => wanted.some((each) => test(value, each)))
  },
})

/** The fields of a time in nanoseconds, `ns` or `[ns, zone]` in Rego's notation: a double would round it. */
function calendar(source: string): { readonly date: Json; readonly clock: Json; readonly weekday: string } {
  const term = parseTerm(source)
  const [time, zone] = term.is === 'array' ? term.items : [term]
  if (time?.is !== 'number' || (zone !== undefined && zone.is !== 'string')) return fail('not a time')
  const nanoseconds = int64(BigInt(time.source))
  const milliseconds = Number(nanoseconds / 1_000_000n) - (nanoseconds % 1_000_000n < 0n ? 1 : 0)
  const timeZone = zone === undefined || zone.value === '' ? 'UTC' : zone.value
  const format = new Intl.DateTimeFormat('en-US', { ...FIELDS, timeZone })
  const parts = new Map(format.formatToParts(milliseconds).map(({ type, value }) => [type, value]))
  const field = (name: Intl.DateTimeFormatPartTypes) => Number(parts.get(name))
  return {
    date: [field('year'), field('month'), field('day')],
    clock: [field('hour'), field('minute'), field('second')],
    weekday: parts.get('weekday') ?? fail('not a time'),
  }
}

const FIELDS = {
  calendar: 'iso8601',
  hourCycle: 'h23',
  weekday: 'long',
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
} as const

/** Go's times in nanoseconds are 64-bit integers: the years 1678 to 2262. */
const int64 = (value: bigint): bigint => (BigInt.asIntN(64, value) === value ? value : fail('a time out of range'))

const RFC3339 = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/

function parseRfc3339(value: string): Exact {
  const [, day = '', time = '', fraction = '', zone = ''] = RFC3339.exec(value) ?? fail('not a time of RFC 3339')
  const milliseconds = Date.parse(`${day}T${time}${zone}`)
  // Date.parse takes the 31st of any month for the 1st of the next.
  const sameDay = new Date(Date.parse(`${day}T00:00:00Z`)).toISOString().startsWith(day)
  if (Number.isNaN(milliseconds) || !sameDay || time.startsWith('24')) return fail('not a time of RFC 3339')
  return new Exact(int64(BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))))
}

export const HOST_BUILTINS: Builtins = new Map<string, Call>([
  [
    'sprintf',
    {
      rego: true,
      run: ([format = '', args = '']) => {
        const [pattern, list] = [parseTerm(format), parseTerm(args)]
        if (pattern.is !== 'string' || list.is !== 'array') return fail('sprintf takes a string and an array')
        return sprintf(pattern.value, list.items)
      },
    },
  ],
  ['time.now_ns', { run: (_, now) => new Exact(now), deterministic: false }],
  ['time.parse_rfc3339_ns', { run: ([value]) => parseRfc3339(text(value)) }],
  ['time.weekday', { rego: true, run: ([time = '']) => calendar(time).weekday }],
  ['time.clock', { rego: true, run: ([time = '']) => calendar(time).clock }],
  ['time.date', { rego: true, run: ([time = '']) => calendar(time).date }],
  ['crypto.md5', digest('md5')],
  ['crypto.sha1', digest('sha1')],
  ['crypto.sha256', digest('sha256')],
  ['crypto.hmac.md5', hmac('md5')],
  ['crypto.hmac.sha1', hmac('sha1')],
  ['crypto.hmac.sha256', hmac('sha256')],
  ['crypto.hmac.sha512', hmac('sha512')],
  [
    'crypto.hmac.equal',
    {
      run: ([a, b]) => {
        const [left, right] = [Buffer.from(text(a)), Buffer.from(text(b))]
        return left.length === right.length && timingSafeEqual(left, right)
      },
    },
  ],
  ['hex.encode', { run: ([value]) => Buffer.from(text(value)).toString('hex') }],
  [
    'hex.decode',
    {
      run: ([value]) => {
        const source = text(value)
        if (!/^(?:[0-9a-fA-F]{2})*$/.test(source)) return fail('not hexadecimal')
        return Buffer.from(source, 'hex').toString('utf8')
      },
    },
  ],
  ['base64url.encode_no_pad', { run: ([value]) => Buffer.from(text(value)).toString('base64url') }],
  ['strings.any_prefix_match', affix((value, prefix) => value.startsWith(prefix))],
  ['strings.any_suffix_match', affix((value, suffix) => value.endsWith(suffix))],
  [
    'strings.count',
    {
      run: ([value, part]) => {
        const [whole, searched] = [text(value), text(part)]
        return searched === '' ? [...whole].length + 1 : whole.split(searched).length - 1
      },
    },
  ],
  [
    'indexof_n',
    {
      run: ([value, part]) => {
        const [whole, searched] = [[...text(value)], [...text(part)]]
        if (searched.length === 0) return fail('an empty search string')
        return whole.flatMap((_, at) =>
          searched.every((character, offset) => whole[at + offset] === character) ? [at] : [],
        )
      },
    },
  ],
])
