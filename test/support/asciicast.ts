/** Reads asciicast, version 2, as https://docs.asciinema.org/manual/asciicast/v2/ describes it, and takes nothing else. */

export type CastEvent = readonly [time: number, code: 'o' | 'i' | 'm' | 'r', data: string]

export interface Cast {
  readonly header: Readonly<Record<string, unknown>>
  readonly events: readonly CastEvent[]
}

const REQUIRED = ['version', 'width', 'height']
const OPTIONAL = ['timestamp', 'duration', 'idle_time_limit', 'command', 'title', 'env', 'theme']

/** Throws for what the format does not allow: newline-delimited JSON, a header, and events in the order of time. */
export function parseAsciicast(text: string): Cast {
  if (!text.endsWith('\n')) throw new Error('the last line is not whole')
  const [first = '', ...rest] = text.slice(0, -1).split('\n')
  const header = headerOf(JSON.parse(first))
  let before = 0
  const events = rest.map((line) => {
    const event = eventOf(JSON.parse(line))
    if (event[0] < before) throw new Error(`an event goes back in time: ${line}`)
    before = event[0]
    return event
  })
  return { header, events }
}

function headerOf(value: unknown): Cast['header'] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('the header is no object')
  const header = value as Record<string, unknown>
  for (const key of REQUIRED) if (!isCount(header[key])) throw new Error(`${key} is missing or no whole number`)
  if (header['version'] !== 2) throw new Error('it is another version')
  for (const key of Object.keys(header))
    if (![...REQUIRED, ...OPTIONAL].includes(key)) throw new Error(`unknown: ${key}`)
  if ('timestamp' in header && !isCount(header['timestamp'])) throw new Error('timestamp is no whole number')
  for (const key of ['command', 'title']) {
    if (key in header && typeof header[key] !== 'string') throw new Error(`${key} is no text`)
  }
  return header
}

function eventOf(value: unknown): CastEvent {
  if (!Array.isArray(value) || value.length !== 3) throw new Error('an event is no array of three')
  const [time, code, data] = value as unknown[]
  if (typeof time !== 'number' || !(time >= 0)) throw new Error(`a time is ${String(time)}`)
  if (code !== 'o' && code !== 'i' && code !== 'm' && code !== 'r') throw new Error(`a code is ${String(code)}`)
  if (typeof data !== 'string' || !data.isWellFormed()) throw new Error('data is no UTF-8 text')
  if (code === 'r' && !/^[1-9]\d*x[1-9]\d*$/.test(data)) throw new Error(`a size is ${data}`)
  return [time, code, data]
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value > 0
}
