/** What a command prints for people: colours where there is a terminal that wants them. */
import { styleText } from 'node:util'
import type { Paint } from '../config/printout.ts'

/** Node looks at the stream, at NO_COLOR and at FORCE_COLOR. */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  const style = (name: 'red' | 'green' | 'yellow' | 'bold' | 'dim') => (text: string) =>
    styleText(name, text, { stream })
  return { red: style('red'), green: style('green'), yellow: style('yellow'), bold: style('bold'), dim: style('dim') }
}

/** No colours: for files, and for tests that compare. */
export const PLAIN: Paint = {
  red: (text) => text,
  green: (text) => text,
  yellow: (text) => text,
  bold: (text) => text,
  dim: (text) => text,
}
