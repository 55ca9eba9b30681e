/** What a request that has to be judged asks for: its facts, which paths have to be resolved, and what is sent if it may. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { type Facts, flagsOf } from './facts.ts'
import type { OpenFile } from './handles.ts'
import { type Judged, kindOf, operationOf } from './kinds.ts'
import { asDirectory, checked, fileOf, type Names, pathOf, Unjudgeable, unparsable } from './names.ts'
import type { Attributes } from './packets/attributes.ts'
import type { ExtendedFields } from './packets/extensions.ts'
import { encodeRequest, type Extended, type OnTwoPaths, type Open } from './packets/requests.ts'
import { OPEN_FLAG, type ReplyType, REQUEST } from './packets/types.ts'
import { canonical, canonicalRelative, split } from './paths.ts'

/** One of the paths of an operation. */
export interface Subject {
  readonly path: string
  /** Whether the operation follows a link that the path itself is. */
  readonly follows: boolean
}

export interface Asked {
  readonly id: number
  readonly facts: Facts
  readonly subject: Subject | null
  /** Known when the subject is resolved: what a link points at is told from where the link is. */
  target(subject: string | null): Subject | null
  /** The packet for these paths, in the form in which they are judged. */
  encode(subject: string | null, target: string | null): Buffer
  /** What answers it; STATUS always may. */
  readonly answer: ReplyType | null
  /** Changes where paths may lead: until it is answered, no other path is resolved. */
  readonly mutates: boolean
  /** A file that gets content which does not pass here. */
  readonly fills?: OpenFile
}

export interface Unasked {
  readonly id: number
  readonly facts: Facts
  readonly because: Refusal
}

const NO_TARGET = (): null => null

export function ask(request: Judged, names: Names): Asked | Unasked {
  try {
    return asked(request, names)
  } catch (error) {
    if (!(error instanceof Unjudgeable)) throw error
    return { id: request.id, facts: { operation: operationOf(request) }, because: error.because }
  }
}

function asked(request: Judged, names: Names): Asked {
  switch (request.type) {
    case REQUEST.OPEN:
      return opens(request, names)
    case REQUEST.LSTAT:
    case REQUEST.STAT:
    case REQUEST.OPENDIR:
    case REQUEST.REMOVE:
    case REQUEST.RMDIR:
    case REQUEST.REALPATH:
    case REQUEST.READLINK:
      return one(request, request.path, null, (path) => encodeRequest({ ...request, path }), names)
    case REQUEST.SETSTAT:
    case REQUEST.MKDIR:
      return one(request, request.path, request.attributes, (path) => encodeRequest({ ...request, path }), names)
    case REQUEST.FSETSTAT: {
      const file = fileOf(request.handle, names)
      return onFile(request, file, { attributes: request.attributes }, encodeRequest(request))
    }
    case REQUEST.RENAME: {
      const encode = (first: Buffer, second: Buffer) => encodeRequest({ ...request, first, second })
      return two(request, { path: request.first, target: request.second, follows: false }, encode, names)
    }
    case REQUEST.SYMLINK:
      return symlink(request, names)
    case REQUEST.EXTENDED:
      return extended(request, names)
  }
}

/** An operation on one path. */
function one(
  request: Judged,
  bytes: Buffer,
  attributes: Attributes | null,
  encode: (path: Buffer) => Buffer,
  names: Names,
): Asked {
  const { operation, follows, mutates, answer } = kindOf(request)
  const path = pathOf(bytes, names)
  return {
    id: request.id,
    facts: { operation, path, attributes },
    subject: { path, follows: follows || (!mutates && asDirectory(bytes)) },
    target: NO_TARGET,
    encode: (subject) => encode(Buffer.from(subject ?? path)),
    answer,
    mutates,
  }
}

function opens(request: Open, names: Names): Asked {
  const { pflags } = request
  const asking = one(request, request.path, request.attributes, (path) => encodeRequest({ ...request, path }), names)
  const creates = (pflags & OPEN_FLAG.CREAT) !== 0
  // A file that must be new is none that a link points at.
  const follows = !(creates && (pflags & OPEN_FLAG.EXCL) !== 0)
  return {
    ...asking,
    facts: { ...asking.facts, flags: flagsOf(pflags) },
    subject: asking.subject === null ? null : { ...asking.subject, follows },
    mutates: creates,
  }
}

/** An operation from one path to another. */
function two(
  request: Judged,
  of: { readonly path: Buffer; readonly target: Buffer; readonly follows: boolean },
  encode: (path: Buffer, target: Buffer) => Buffer,
  names: Names,
): Asked {
  const target = pathOf(of.target, names)
  const asking = one(request, of.path, null, (path) => path, names)
  const { path } = asking.facts
  return {
    ...asking,
    facts: { ...asking.facts, target },
    target: () => ({ path: target, follows: of.follows }),
    encode: (first, second) => encode(Buffer.from(first ?? path ?? ''), Buffer.from(second ?? target)),
  }
}

/** The link is made with the canonical form of what it points at, since that is what was judged. */
function symlink(request: OnTwoPaths, names: Names): Asked {
  const agentFirst = names.order.agent === 'target-first'
  const [link, points] = agentFirst ? [request.second, request.first] : [request.first, request.second]
  const text = checked(points)
  if (text === '') throw unparsable('a link that points at nothing')
  const content = text.startsWith('/') ? canonical('/', text) : canonicalRelative(text)
  const asking = one(request, link, null, (path) => path, names)
  const path = asking.facts.path ?? '/'
  const pointsAt = (from: string): string => canonical(split(from).directory, content)
  return {
    ...asking,
    facts: { ...asking.facts, target: pointsAt(path) },
    target: (subject) => ({ path: pointsAt(subject ?? path), follows: true }),
    encode: (subject) => {
      const pair = [Buffer.from(content), Buffer.from(subject ?? path)] as const
      const [first, second] = names.order.server === 'target-first' ? pair : [pair[1], pair[0]]
      return encodeRequest({ ...request, first, second })
    },
  }
}

/** An operation on the file behind a handle, which is the file that its OPEN was judged by. */
function onFile(request: Judged, file: OpenFile, facts: Partial<Facts>, packet: Buffer): Asked {
  const { operation, mutates, answer } = kindOf(request)
  const { path, resolved, flags } = file.opening
  return {
    id: request.id,
    facts: { operation, path, resolved, flags, ...facts },
    subject: null,
    target: NO_TARGET,
    encode: () => packet,
    answer,
    mutates,
  }
}

function extended(request: Extended, names: Names): Asked {
  const { name, fields } = request
  const send = (changed: Partial<ExtendedFields>) => encodeRequest({ ...request, fields: { ...fields, ...changed } })
  const [first = NOTHING, second = NOTHING] = fields.paths
  switch (name) {
    case 'posix-rename@openssh.com':
      return two(request, { path: first, target: second, follows: false }, (...paths) => send({ paths }), names)
    case 'hardlink@openssh.com': {
      // Whether link(2) follows links depends on the system; what is sent is resolved, so that it does not matter.
      const of = { path: second, target: first, follows: true }
      return two(request, of, (link, file) => send({ paths: [file, link] }), names)
    }
    case 'statvfs@openssh.com':
      return one(request, first, null, (path) => send({ paths: [path] }), names)
    case 'lsetstat@openssh.com':
      return one(request, first, fields.attributes, (path) => send({ paths: [path] }), names)
    case 'expand-path@openssh.com':
      return checked(first).startsWith('~')
        ? plain(request, checked(first))
        : one(request, first, null, (path) => send({ paths: [path] }), names)
    case 'fstatvfs@openssh.com':
    case 'fsync@openssh.com':
      return onFile(request, fileOf(fields.handles[0], names), {}, encodeRequest(request))
    case 'copy-data':
      return copies(request, names)
    case 'home-directory':
      return plain(request, checked(fields.strings[0] ?? NOTHING))
    case 'users-groups-by-id@openssh.com':
    case 'limits@openssh.com':
      return plain(request, null)
  }
}

/** From the file of one handle to that of another, within the server: no content passes here. */
function copies(request: Extended, names: Names): Asked {
  const [source, destination] = request.fields.handles
  const from = fileOf(source, names)
  const to = fileOf(destination, names)
  if (!from.readable || !to.writable)
    throw new Unjudgeable(refusal('target.forbidden', 'a handle was not opened for that'))
  if (from.limit !== null || to.limit !== null) {
    throw new Unjudgeable(refusal('obligation.unsupported', 'how much copy-data moves cannot be limited'))
  }
  const { path, resolved } = to.opening
  const facts = { target: path, targetResolved: resolved }
  return { ...onFile(request, from, facts, encodeRequest(request)), fills: to }
}

/** An operation without a path that could be judged. */
function plain(request: Extended, about: string | null): Asked {
  const { operation, mutates, answer } = kindOf(request)
  const packet = encodeRequest(request)
  const facts = { operation, about }
  return { id: request.id, facts, subject: null, target: NO_TARGET, encode: () => packet, answer, mutates }
}

const NOTHING = Buffer.alloc(0)
