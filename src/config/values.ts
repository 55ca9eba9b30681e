import { z } from 'zod'

const UNITS_OF_TIME = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const UNITS_OF_SIZE = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

/** A time such as `30s` or `500ms`; in milliseconds once parsed. */
export const duration = z
  .string()
  .regex(/^\d{1,9}(ms|s|m|h|d)$/, 'a time is a whole number and a unit: 500ms, 30s, 10m, 2h, 7d')
  .transform((text) => amount(text, UNITS_OF_TIME))

/** Node's timers take no more milliseconds: one that is set for longer expires at once. */
const LONGEST_TIMER = 2 ** 31 - 1

/** A time that a timer is set for; `0s` is for ever. */
export const timer = duration.refine(
  (ms) => ms <= LONGEST_TIMER,
  'a limit is at most 24d; 0s is for ever, where that may be',
)

/** The same where there must be an end. */
export const timeout = timer.refine((ms) => ms > 0, 'it must be more than 0s')

/** A size such as `4MiB`; in bytes once parsed. */
export const size = z
  .string()
  .regex(/^\d{1,9}(B|KiB|MiB|GiB)$/, 'a size is a whole number and a unit: 512B, 64KiB, 4MiB, 1GiB')
  .transform((text) => amount(text, UNITS_OF_SIZE))

/** `host:port`, IPv6 in brackets. */
export const address = z.string().transform((text, context) => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    context.addIssue({ code: 'custom', message: 'an address is host:port, such as 127.0.0.1:6432 or [::1]:6432' })
    return z.NEVER
  }
  return { host: match[1] ?? match[2] ?? '', port }
})

/** As {@link address} reads it. */
export function formatAddress({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function amount(text: string, units: Readonly<Record<string, number>>): number {
  const [, digits = '', unit = ''] = /^(\d+)(\D+)$/.exec(text) ?? []
  return Number(digits) * (units[unit] ?? Number.NaN)
}

/** As {@link duration} reads it, in the largest unit that leaves a whole number. */
export function formatDuration(milliseconds: number): string {
  return format(milliseconds, UNITS_OF_TIME)
}

/** As {@link size} reads it, in the largest unit that leaves a whole number. */
export function formatSize(bytes: number): string {
  return format(bytes, UNITS_OF_SIZE)
}

function format(amount: number, units: Readonly<Record<string, number>>): string {
  const fitting = Object.entries(units).filter(([, size]) => amount % size === 0)
  const [unit = '', size = 1] = (amount === 0 ? Object.entries(units)[0] : fitting.at(-1)) ?? []
  return `${amount / size}${unit}`
}
