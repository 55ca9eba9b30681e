/** JSON Pointers (RFC 6901), which patches and facts name fields by. */
import { DEPTH, POINTERS } from '../limits.ts'
import { tooLarge, unparsable } from '../refused.ts'

const POINTER = /^(\/([^~]|~[01])*)?$/

export function below(pointer: string, segment: string | number): string {
  return `${pointer}/${String(segment).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

export function segmentsOf(pointer: string): readonly string[] {
  if (!POINTER.test(pointer))
    throw unparsable(`${JSON.stringify(pointer)} is no JSON Pointer`, 'send one, as RFC 6901 has it')
  const [, ...segments] = pointer.split('/')
  if (segments.length > DEPTH) throw unparsable(`a JSON Pointer goes deeper than ${DEPTH} levels`, 'send a shorter one')
  return segments.map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** Throws at more than may be told. To be called before anybody looks into them: until then they share their beginnings. */
export function bounded<T extends readonly string[]>(pointers: T): T {
  let length = 0
  for (const pointer of pointers) length += pointer.length
  if (length > POINTERS) throw tooLarge('the fields of the patch have too long names for their number')
  return pointers
}
