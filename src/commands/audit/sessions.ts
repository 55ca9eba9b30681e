/** `sidegate audit sessions`: which there were, the newest last. */
import type { SessionSummary } from '../../record/archive.ts'
import { type Cell, lineOf, type Look } from './line.ts'
import { plain, widthOf } from './text.ts'
import { dateOf, lasted } from './words.ts'

/** Enough of an id to tell sessions apart, and to name one. */
const SESSION_DIGITS = 8
const NAME_WIDTH = 24

interface Column {
  readonly title: string
  readonly right?: true
  of(session: SessionSummary): string
}

const COLUMNS: readonly Column[] = [
  { title: 'STARTED', of: ({ start }) => dateOf(start.at) },
  { title: 'SESSION', of: ({ start }) => start.session.slice(0, SESSION_DIGITS) },
  { title: 'PRINCIPAL', of: ({ start }) => plain(start.principal.subject, NAME_WIDTH) },
  { title: 'TARGET', of: ({ start }) => plain(start.target.name, NAME_WIDTH) },
  { title: 'PROTOCOL', of: ({ start }) => plain(start.target.protocol) },
  { title: 'COMMANDS', right: true, of: ({ commands }) => String(commands) },
  { title: 'DENIED', right: true, of: ({ denied }) => String(denied) },
  {
    title: 'LASTED',
    right: true,
    of: ({ start, end, state }) =>
      end !== null
        ? lasted(end.duration)
        : state === 'running'
          ? lasted(1_000 * Math.max(0, Date.now() - start.at))
          : '?',
  },
]

/** A table; where there are none, that. */
export function sessionLines(sessions: readonly SessionSummary[], look: Look): string[] {
  if (sessions.length === 0) return ['no sessions']
  const { paint } = look
  const cells = sessions.map((session) => COLUMNS.map((column) => column.of(session)))
  const widths = COLUMNS.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((row) => widthOf(row[index] ?? ''))),
  )
  const padded = (row: readonly string[], paintOf: (index: number) => ((text: string) => string) | null): Cell[] =>
    row.map((text, index) => {
      const spaces = ' '.repeat((widths[index] ?? 0) - widthOf(text))
      const colour = paintOf(index)
      return {
        text: COLUMNS[index]?.right === true ? spaces + text : text + spaces,
        ...(colour === null ? {} : { paint: colour }),
      }
    })
  const head = padded(
    COLUMNS.map(({ title }) => title),
    () => paint.dim,
  )
  const lines = [lineOf(look, head, 'ENDED', paint.dim, [])]
  for (const [index, session] of sessions.entries()) {
    const denied = (column: number) => (COLUMNS[column]?.title === 'DENIED' && session.denied > 0 ? paint.red : null)
    const { text, colour } = endOf(session, look)
    lines.push(lineOf(look, padded(cells[index] ?? [], denied), text, colour, []))
  }
  return lines
}

/** How it ended. */
function endOf({ end, state }: SessionSummary, { paint }: Look) {
  if (end !== null) return { text: end.reason, colour: null }
  if (state === 'running') return { text: 'running', colour: paint.green }
  return { text: 'lost: its sidecar stopped without having ended it', colour: paint.yellow }
}

/** For machines: one session, as JSON. */
export function sessionJson({ start, end, state, commands, denied }: SessionSummary): string {
  return JSON.stringify({
    session: start.session,
    state,
    reason: end?.reason ?? null,
    startedAt: new Date(start.at).toISOString(),
    endedAt: end === null ? null : new Date(end.at).toISOString(),
    durationMs: end === null ? null : end.duration / 1_000,
    protocol: start.target.protocol,
    target: start.target.name,
    principal: start.principal.subject,
    workload: start.workload,
    instance: start.instance,
    attributes: start.attributes,
    commands,
    denied,
  })
}
