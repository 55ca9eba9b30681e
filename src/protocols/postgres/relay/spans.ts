/** Where frames lie, so that those that lie one behind the other are sent as the one piece of memory that they are. */

export interface Span {
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
}

/** All of a buffer. */
export const spanOf = (buffer: Buffer): Span => ({ buffer, start: 0, end: buffer.length })

export const bytesOf = ({ buffer, start, end }: Span): Buffer => buffer.subarray(start, end)

/** The spans as one piece; copied only where they are apart. At least one. */
export function joined(spans: readonly Span[]): Buffer {
  const first = spans[0] as Span
  let { end } = first
  for (let index = 1; index < spans.length; index++) {
    const span = spans[index] as Span
    if (span.buffer !== first.buffer || span.start !== end) return Buffer.concat(spans.map(bytesOf))
    end = span.end
  }
  return first.buffer.subarray(first.start, end)
}
