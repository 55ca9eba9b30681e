/** `sidegate audit show`: one session as a transcript. */
import type { Archive, StoredLine } from '../../record/archive.ts'
import { findSession } from './find.ts'
import type { Look } from './line.ts'
import { Transcript } from './transcript.ts'

export interface ShowOptions {
  /** The beginning of a session's id. */
  readonly session: string
  /** One command only, by its number in the session; null for all. */
  readonly command: number | null
  /** Lines of a program's output that are shown; `Infinity` for all. */
  readonly lines: number
  /** The records as they are stored, recordings included. */
  readonly json: boolean
}

export async function show(
  archive: Archive,
  { session, command, lines, json }: ShowOptions,
  look: Look,
  print: (line: string) => void,
): Promise<void> {
  const summary = await findSession(archive, session)
  const transcript = new Transcript(look, lines)
  for await (const stored of archive.records(summary)) {
    if (!isOf(stored, command)) continue
    if (json) print(stored.line.toString())
    else for (const line of transcript.lines(stored.record)) print(line)
  }
  if (json) return
  for (const line of transcript.end()) print(line)
  if (summary.state === 'running') print(look.paint.dim('… it is still running'))
  if (summary.state === 'lost')
    print(look.paint.yellow('… its sidecar stopped without having ended it: what follows is not on record'))
}

function isOf({ record }: StoredLine, command: number | null): boolean {
  return (
    command === null || record.type === 'session-start' || record.type === 'session-end' || record.sequence === command
  )
}
