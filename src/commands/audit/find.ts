/** The one session that the beginning of an id means. */
import type { Archive, SessionSummary } from '../../record/archive.ts'
import { RecordError } from '../../record/errors.ts'

/** So many are named where the beginning of an id fits several. */
const NAMED = 5

/** Throws `record.session` or `record.ambiguous`. */
export async function findSession(archive: Archive, prefix: string): Promise<SessionSummary> {
  const wanted = { count: Number.POSITIVE_INFINITY, since: 0, prefix: prefix.toLowerCase() }
  const found = await archive.sessions(wanted)
  const [first] = found
  if (first === undefined) {
    throw new RecordError(
      'record.session',
      `${prefix} (\`sidegate audit sessions\` lists them; old ones may have been removed)`,
    )
  }
  if (found.length === 1) return first
  const ids = found.slice(-NAMED).map(({ start }) => start.session)
  throw new RecordError(
    'record.ambiguous',
    `${found.length} begin with ${prefix}: ${ids.join(', ')}${found.length > NAMED ? ' …' : ''}`,
  )
}
