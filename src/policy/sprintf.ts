/**
 * `sprintf` as OPA gives it, which is Go's `fmt.Sprintf` (https://pkg.go.dev/fmt) over what OPA makes of each argument:
 * strings, 64-bit integers, big integers, floats; every other value as its text. Mistakes in a format are part of the
 * result there (`%!d(string=x)`), so they are here.
 */
import { exponential, fixed, general } from './floats.ts'
import { printTerm, quote, type Term } from './terms.ts'

type Argument =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'int64' | '*big.Int'; readonly value: bigint }
  | { readonly type: 'float64'; readonly value: number }

interface Flags {
  readonly plus: boolean
  readonly minus: boolean
  readonly sharp: boolean
  readonly space: boolean
  readonly zero: boolean
  /** `%#v`: as in Go's source. */
  readonly goSyntax: boolean
  readonly width: number
  /** Null where none was given. */
  readonly precision: number | null
}

/** Go refuses a width or precision above this as well. */
const MAX_WIDTH = 1_000_000

const DIRECTIVE = /%([-+# 0]*)(\d*)(?:(\.)(\d*))?([^]|$)/gu

export function sprintf(format: string, terms: readonly Term[]): string {
  const args = terms.map(argumentOf)
  let next = 0
  const text = format.replace(
    DIRECTIVE,
    (whole: string, flags: string, width: string, dot, precision, verb: string) => {
      if (verb === '') return '%!(NOVERB)'
      if (verb === '%') return '%'
      if (Number(width) > MAX_WIDTH) return '%!(BADWIDTH)'
      if (Number(precision ?? 0) > MAX_WIDTH) return '%!(BADPREC)'
      const arg = args[next++]
      if (arg === undefined) return `%!${verb}(MISSING)`
      return directive(verb, arg, {
        plus: flags.includes('+') && verb !== 'v',
        minus: flags.includes('-'),
        sharp: flags.includes('#') && verb !== 'v',
        space: flags.includes(' '),
        zero: flags.includes('0'),
        goSyntax: flags.includes('#') && verb === 'v',
        width: Number(width),
        precision: dot === undefined ? null : Number(precision),
      })
    },
  )
  const extra = args.slice(next)
  if (extra.length === 0) return text
  return `${text}%!(EXTRA ${extra.map((arg) => `${arg.type}=${plain(arg)}`).join(', ')})`
}

function argumentOf(term: Term): Argument {
  if (term.is === 'string') return { type: 'string', value: term.value }
  if (term.is !== 'number') return { type: 'string', value: printTerm(term) }
  if (/[.eE]/.test(term.source)) return { type: 'float64', value: Number(term.source) }
  const value = BigInt(term.source)
  return {
    type: BigInt.asIntN(64, value) === value && term.source.replace('-', '').length <= 19 ? 'int64' : '*big.Int',
    value,
  }
}

const NO_FLAGS: Flags = {
  plus: false,
  minus: false,
  sharp: false,
  space: false,
  zero: false,
  goSyntax: false,
  width: 0,
  precision: null,
}

function plain(arg: Argument, flags: Flags = NO_FLAGS): string {
  return arg.type === '*big.Int' ? String(arg.value) : directive('v', arg, flags)
}

function directive(verb: string, arg: Argument, flags: Flags): string {
  if (verb === 'T') return pad(arg.type, flags)
  switch (arg.type) {
    case 'string':
      return stringVerb(verb, arg.value, flags) ?? wrongVerb(verb, arg, flags)
    case 'float64':
      return floatVerb(verb, arg.value, flags) ?? wrongVerb(verb, arg, flags)
    case '*big.Int':
      return integerVerb(verb, arg.value, flags, true) ?? `%!${verb}(big.Int=${arg.value})`
    case 'int64':
      return integerVerb(verb, arg.value, flags, false) ?? wrongVerb(verb, arg, flags)
  }
}

function wrongVerb(verb: string, arg: Argument, flags: Flags): string {
  return `%!${verb}(${arg.type}=${plain(arg, flags)})`
}

function stringVerb(verb: string, value: string, flags: Flags): string | null {
  const { precision } = flags
  const cut = precision === null ? value : [...value].slice(0, precision).join('')
  switch (verb) {
    case 'v':
      return pad(flags.goSyntax ? quote(value) : cut, flags)
    case 's':
      return pad(cut, flags)
    case 'q':
      return pad(
        flags.sharp && !cut.includes('`') && !/[\p{Cc}\ufeff]/u.test(cut.replaceAll('\t', ''))
          ? `\`${cut}\``
          : quote(cut, flags.plus),
        flags,
      )
    case 'x':
    case 'X': {
      const bytes = Buffer.from(value).subarray(0, precision ?? undefined)
      const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, '0'))
      const prefix = flags.sharp ? '0x' : ''
      const text = flags.space
        ? pairs.map((pair) => prefix + pair).join(' ')
        : pairs.length > 0
          ? prefix + pairs.join('')
          : ''
      return pad(verb === 'X' ? text.toUpperCase() : text, flags)
    }
    default:
      return null
  }
}

const RADIX: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 }
const SHARP_PREFIX: Readonly<Record<string, string>> = { b: '0b', o: '0', x: '0x', X: '0X' }

function integerVerb(verb: string, value: bigint, flags: Flags, big: boolean): string | null {
  if (big && verb === 's') verb = 'd'
  const radix = RADIX[verb]
  if (radix === undefined) return big ? null : characterVerb(verb, value, flags)
  const { precision } = flags
  let digits = (value < 0n ? -value : value).toString(radix)
  if (verb === 'X') digits = digits.toUpperCase()
  if (precision === 0 && value === 0n) return ' '.repeat(flags.width)
  if (precision !== null) digits = digits.padStart(precision, '0')
  const sign = signOf(value < 0n, flags)
  const wanted = flags.sharp ? (SHARP_PREFIX[verb] ?? '') : ''
  const prefix = verb === 'O' ? '0o' : wanted === '0' && digits.startsWith('0') ? '' : wanted
  if (flags.zero && !flags.minus && precision === null) {
    // Go counts the sign but not the prefix into the width that zeros fill.
    digits = digits.padStart(flags.width - sign.length - (big ? prefix.length : 0), '0')
  }
  return pad(sign + prefix + digits, { ...flags, zero: false })
}

function characterVerb(verb: string, value: bigint, flags: Flags): string | null {
  const valid = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value <= 0xdfffn)
  const character = valid ? String.fromCodePoint(Number(value)) : '\ufffd'
  if (verb === 'c') return pad(character, flags)
  if (verb === 'q')
    return pad(`'${quote(character, flags.plus).slice(1, -1).replace('\\"', '"').replace("'", "\\'")}'`, flags)
  if (verb === 'U') {
    const code = `U+${BigInt.asUintN(64, value)
      .toString(16)
      .toUpperCase()
      .padStart(Math.max(4, flags.precision ?? 0), '0')}`
    return pad(flags.sharp && valid ? `${code} '${character}'` : code, { ...flags, zero: false })
  }
  return null
}

function floatVerb(verb: string, value: number, flags: Flags): string | null {
  const text = floatText(verb, Math.abs(value), flags.precision)
  if (text === null) return null
  const sign = signOf(value < 0 || Object.is(value, -0), flags)
  if (flags.zero && !flags.minus && Number.isFinite(value)) return sign + text.padStart(flags.width - sign.length, '0')
  return pad(sign + text, { ...flags, zero: false })
}

function floatText(verb: string, value: number, precision: number | null): string | null {
  if (!Number.isFinite(value)) return 'eEfFgGv'.includes(verb) ? '+Inf' : null
  switch (verb) {
    case 'f':
    case 'F':
      return fixed(value, precision ?? 6)
    case 'e':
      return exponential(value, precision ?? 6)
    case 'E':
      return exponential(value, precision ?? 6).toUpperCase()
    case 'g':
    case 'v':
      return general(value, precision)
    case 'G':
      return general(value, precision).toUpperCase()
    default:
      return null
  }
}

function signOf(negative: boolean, flags: Flags): string {
  return negative ? '-' : flags.plus ? '+' : flags.space ? ' ' : ''
}

/** Width counts characters, not UTF-16 units. */
function pad(text: string, flags: Flags): string {
  const missing = flags.width - [...text].length
  if (missing <= 0) return text
  if (flags.minus) return text + ' '.repeat(missing)
  return (flags.zero ? '0' : ' ').repeat(missing) + text
}
