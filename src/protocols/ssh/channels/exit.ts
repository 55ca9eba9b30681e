/** How a program ended: `exit-status` and `exit-signal`, RFC 4254, section 6.10. */
import { ChannelViolation, Reader } from './messages.ts'

export type Exit = { readonly status: number } | { readonly signal: string }

/** Null for any other request. */
export function readExit(name: string, body: Buffer): Exit | null {
  if (name === 'exit-status') return { status: new Reader(body).uint32() }
  if (name !== 'exit-signal') return null
  const signal = new Reader(body).name()
  if (!isSignalName(signal)) throw new ChannelViolation('a program was ended by a signal without a name')
  return { signal }
}

/** Without SIG; names of a system's own are `NAME@domain`. */
export function isSignalName(name: string): boolean {
  return /^[A-Z0-9]{1,16}(?:@[a-z0-9.-]{1,64})?$/.test(name)
}
