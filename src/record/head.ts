/** The first keys of a record, which always come in this order (records.ts), without parsing the rest. */
import { RecordError } from './errors.ts'

export interface RecordHead {
  readonly id: string
  readonly type: string
  readonly seq: number
  readonly at: number
  /** null for what the journal says of itself. */
  readonly session: string | null
  /** How long these keys are. */
  readonly length: number
}

const HEAD = /^\{"id":"([^"]+)","type":"([a-z-]+)","seq":(\d+),"at":(\d+)(?:,"session":"([^"]+)")?/
/** Longer than any head. */
const HEAD_BYTES = 256

export function headOf(line: Buffer): RecordHead {
  const match = HEAD.exec(line.toString('latin1', 0, HEAD_BYTES))
  if (match === null) throw new RecordError('record.foreign', 'a record does not begin as records do')
  const [{ length }, id = '', type = '', seq = '0', at = '0', session = null] = match
  return { id, type, seq: Number(seq), at: Number(at), session, length }
}
