/** What a request names, in the form in which it can be judged: paths, and files by their handles. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { keyOf, type OpenFile } from './handles.ts'
import { canonical, LONGEST_PATH, textOf } from './paths.ts'

/** In SYMLINK, what comes first: OpenSSH's order is the reverse of the draft's. */
export type SymlinkOrder = 'target-first' | 'link-first'

export interface Names {
  /** Where relative paths begin; null where the server did not say. */
  readonly home: string | null
  readonly files: ReadonlyMap<string, OpenFile>
  readonly order: { readonly agent: SymlinkOrder; readonly server: SymlinkOrder }
}

/** Stops the reading of a request whose parts cannot be judged. */
export class Unjudgeable extends Error {
  readonly because: Refusal
  constructor(because: Refusal) {
    super(because.message)
    this.because = because
  }
}

export function unparsable(what: string): Unjudgeable {
  return new Unjudgeable(refusal('command.unparsable', what))
}

export function checked(bytes: Buffer): string {
  if (bytes.length > LONGEST_PATH) {
    throw new Unjudgeable(refusal('command.too-large', `a path of more than ${LONGEST_PATH} bytes`))
  }
  const text = textOf(bytes)
  if (text === null) throw unparsable('a path that is not UTF-8, or has a NUL')
  return text
}

/** `link/` is not the link, but the directory that it points at. */
export function asDirectory(path: Buffer): boolean {
  return /\/\.?$/.test(path.toString('latin1'))
}

export function pathOf(bytes: Buffer, { home }: Names): string {
  const text = checked(bytes)
  if (home === null && !text.startsWith('/')) {
    throw new Unjudgeable(refusal('command.unparsable', 'the login directory is not known', 'use an absolute path'))
  }
  const path = canonical(home ?? '/', text)
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw new Unjudgeable(refusal('command.too-large', `a path of more than ${LONGEST_PATH} bytes`))
  }
  return path
}

export function fileOf(handle: Buffer | undefined, { files }: Names): OpenFile {
  const file = handle === undefined ? undefined : files.get(keyOf(handle))
  if (file === undefined) throw new Unjudgeable(refusal('protocol.violation', 'the handle is not open'))
  if (file.stopped !== null) throw new Unjudgeable(file.stopped)
  return file
}
