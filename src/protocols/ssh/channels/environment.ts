/** Which variables an agent may set, whatever policy says: the others change what a command means. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { isTerminalName } from './terminal.ts'

export interface Variable {
  readonly name: string
  readonly value: string
}

/** What people and libraries set is shorter by far; a packet holds more. */
const LONGEST_NAME = 128
const LONGEST_VALUE = 4096

const ANY = (): boolean => true
const LOCALE = /^(?:LANG|LC_[A-Z]{1,32})$/
const KNOWN: ReadonlyMap<string, (value: string) => boolean> = new Map([
  ['TERM', isTerminalName],
  ['GIT_PROTOCOL', (value: string) => /^version=[0-2]$/.test(value)],
])

/** Why it may not be set; null where it may. `allowed` are names that the target's configuration adds. */
export function refuseVariable({ name, value }: Variable, allowed: readonly string[]): Refusal | null {
  if (Buffer.byteLength(name) > LONGEST_NAME || Buffer.byteLength(value) > LONGEST_VALUE) {
    return refusal('command.too-large', `a variable is at most ${LONGEST_NAME} bytes and ${LONGEST_VALUE} of value`)
  }
  if (value.includes('\0')) return refusal('command.unparsable', 'the value of a variable holds a NUL')
  const accepts = allowed.includes(name) || LOCALE.test(name) ? ANY : KNOWN.get(name)
  if (accepts === undefined) {
    const remedy = "LANG, LC_*, TERM and GIT_PROTOCOL may, and what the target's configuration adds"
    return refusal('target.forbidden', 'this variable may not be set', remedy)
  }
  return accepts(value) ? null : refusal('target.forbidden', `${name} may not have this value`)
}
