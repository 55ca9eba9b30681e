/** JSON Pointers (RFC 6901), which patches and facts name fields by. */
import { unparsable } from '../refused.ts'

const POINTER = /^(\/([^~]|~[01])*)?$/

export function below(pointer: string, segment: string | number): string {
  return `${pointer}/${String(segment).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

export function segmentsOf(pointer: string): readonly string[] {
  if (!POINTER.test(pointer))
    throw unparsable(`${JSON.stringify(pointer)} is no JSON Pointer`, 'send one, as RFC 6901 has it')
  return pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}
