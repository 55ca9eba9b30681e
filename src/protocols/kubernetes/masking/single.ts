import { type Request } from '../request/facts.ts'
import { parseRequest } from '../request/parse.ts'
import { encodeSegment } from '../request/target.ts'

/** The `get` of one object of a collection; null where it could not be asked for. */
export function objectRequest({ facts }: Request, namespace: string, name: string): Request | null {
  if (name === '') return null
  const { group, version, resource } = facts
  const segments = [
    ...(group === '' ? ['api', version] : ['apis', group, version]),
    ...(namespace === '' ? [] : ['namespaces', namespace]),
    resource,
    name,
  ]
  const parsed = parseRequest('GET', `/${segments.map(encodeSegment).join('/')}`)
  return parsed.kind === 'request' ? parsed.request : null
}
