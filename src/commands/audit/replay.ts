/** `sidegate audit replay`: what a session showed, as a film, as asciicast, or as the bytes that they were. */
import type { Archive, SessionSummary } from '../../record/archive.ts'
import { RecordError } from '../../record/errors.ts'
import { asciicast } from '../../record/recording/asciicast.ts'
import { type Recording, readRecording } from '../../record/recording/recording.ts'
import { findSession } from './find.ts'
import { play, type Playing, type Screen } from './player.ts'

export interface ReplayOptions extends Playing {
  /** The beginning of a session's id. */
  readonly session: string
  /** One command only, by its number in the session; null for all. */
  readonly command: number | null
  readonly form: 'play' | 'asciicast' | 'raw'
}

/** Where a replay goes to: bytes, and for `raw` what was written to standard error. */
export interface Output {
  write(text: string | Uint8Array): Promise<void> | void
  error(bytes: Uint8Array): Promise<void> | void
  readonly dim: Screen['dim']
  /** Columns and rows; null where it is no terminal. */
  readonly size: { readonly columns: number; readonly rows: number } | null
  /** A word beside the replay. */
  say(line: string): void
}

export async function replay(
  archive: Archive,
  options: ReplayOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const summary = await findSession(archive, options.session)
  if (options.form === 'raw') return raw(archive, summary, options.command, output, signal)
  const recording = await readRecording(archive.records(summary), options.command)
  if (recording === null) {
    const what = options.command === null ? 'nothing of it' : `no command ${options.command} of it`
    throw new RecordError('record.session', `${summary.start.session}: ${what} is on record`)
  }
  if (options.form === 'play') return film(recording, options, output, signal)
  for await (const line of asciicast(recording, titleOf(summary, options.command))) {
    if (signal.aborted) return
    await output.write(`${line}\n`)
  }
}

async function film(recording: Recording, playing: Playing, output: Output, signal: AbortSignal): Promise<void> {
  const { width, height } = recording
  if (output.size !== null && (output.size.columns < width || output.size.rows < height)) {
    output.say(
      `it was recorded on ${width}x${height}, and this terminal has ${output.size.columns}x${output.size.rows}`,
    )
  }
  await play(recording, playing, output, signal)
}

async function raw(
  archive: Archive,
  summary: SessionSummary,
  command: number | null,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  for await (const { record } of archive.records(summary)) {
    if (signal.aborted) return
    if (record.type !== 'frame' || (command !== null && record.sequence !== command)) continue
    if (record.kind === 'output') await output.write(Buffer.from(record.data, 'base64'))
    else if (record.kind === 'error') await output.error(Buffer.from(record.data, 'base64'))
  }
}

function titleOf({ start }: SessionSummary, command: number | null): string {
  const { principal, target, session } = start
  return `${principal.subject} on ${target.name}, session ${session}${command === null ? '' : `, command ${command}`}`
}
