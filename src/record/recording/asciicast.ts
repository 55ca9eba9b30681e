/** A recording as asciicast, version 2: a header, and an event a line. https://docs.asciinema.org/manual/asciicast/v2/ */
import type { Recording, RecordingEvent } from './recording.ts'

export function headerLine({ width, height, startedAt }: Recording, title: string): string {
  return JSON.stringify({ version: 2, width, height, timestamp: Math.floor(startedAt / 1_000), title })
}

export function eventLine({ time, code, data }: RecordingEvent): string {
  return JSON.stringify([time / 1_000, code, data])
}

export async function* asciicast(recording: Recording, title: string): AsyncGenerator<string> {
  yield headerLine(recording, title)
  for await (const event of recording.events) yield eventLine(event)
}
