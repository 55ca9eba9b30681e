/** The operations that are judged: which request is which, and how it treats links. */
import type { Operation } from './facts.ts'
import type { ExtensionName } from './packets/extensions.ts'
import type { Extended, OnPath, OnTwoPaths, Open, SetOnHandle, SetOnPath } from './packets/requests.ts'
import { REPLY, type ReplyType, REQUEST } from './packets/types.ts'

export type Judged = Open | OnPath | SetOnPath | SetOnHandle | OnTwoPaths | Extended

export interface Kind {
  readonly operation: Operation
  /** Whether it follows a link that its path itself is. */
  readonly follows: boolean
  /** Changes where paths may lead: until it is answered, no other path is resolved. */
  readonly mutates: boolean
  /** What answers it; STATUS always may. */
  readonly answer: ReplyType | null
}

const looks = (operation: Operation, follows: boolean, answer: ReplyType): Kind => ({
  operation,
  follows,
  mutates: false,
  answer,
})
/** Changes an entry of a directory, whatever it is: a link is not followed. */
const changes = (operation: Operation): Kind => ({ operation, follows: false, mutates: true, answer: null })
/** Changes what is there, and no path. */
const sets = (operation: Operation, follows: boolean): Kind => ({ operation, follows, mutates: false, answer: null })

const KINDS = {
  [REQUEST.OPEN]: { operation: 'open', follows: true, mutates: true, answer: REPLY.HANDLE },
  [REQUEST.LSTAT]: looks('lstat', false, REPLY.ATTRS),
  [REQUEST.STAT]: looks('stat', true, REPLY.ATTRS),
  [REQUEST.OPENDIR]: looks('opendir', true, REPLY.HANDLE),
  [REQUEST.REALPATH]: looks('realpath', true, REPLY.NAME),
  [REQUEST.READLINK]: looks('readlink', false, REPLY.NAME),
  [REQUEST.SETSTAT]: sets('setstat', true),
  [REQUEST.FSETSTAT]: sets('fsetstat', true),
  [REQUEST.REMOVE]: changes('remove'),
  [REQUEST.RMDIR]: changes('rmdir'),
  [REQUEST.MKDIR]: changes('mkdir'),
  [REQUEST.RENAME]: changes('rename'),
  [REQUEST.SYMLINK]: changes('symlink'),
} as const satisfies Readonly<Record<number, Kind>>

const EXTENDED_KINDS = {
  'posix-rename@openssh.com': changes('rename'),
  'hardlink@openssh.com': changes('link'),
  'statvfs@openssh.com': looks('statvfs', true, REPLY.EXTENDED_REPLY),
  'fstatvfs@openssh.com': looks('statvfs', true, REPLY.EXTENDED_REPLY),
  'fsync@openssh.com': sets('fsync', true),
  'lsetstat@openssh.com': sets('lsetstat', false),
  'expand-path@openssh.com': looks('expand-path', true, REPLY.NAME),
  'copy-data': sets('copy-data', true),
  'home-directory': looks('home-directory', true, REPLY.NAME),
  'users-groups-by-id@openssh.com': looks('users-groups-by-id', true, REPLY.EXTENDED_REPLY),
  /** Never judged: the same question from everyone, which Sidegate asks itself. */
  'limits@openssh.com': looks('extended', true, REPLY.EXTENDED_REPLY),
} as const satisfies Readonly<Record<ExtensionName, Kind>>

export function kindOf(request: Judged): Kind {
  return request.type === REQUEST.EXTENDED ? EXTENDED_KINDS[request.name] : KINDS[request.type]
}

export function operationOf(request: Judged): Operation {
  return kindOf(request).operation
}
