/** What policy is told of one operation. */
import type { Command } from '../../../gate/command.ts'
import { commandOf, DETAIL, NONE } from '../detail.ts'
import type { Attributes } from './packets/attributes.ts'
import { OPEN_FLAG } from './packets/types.ts'

/** The operations that are judged; what goes by a handle under its OPEN's permit is none of them. */
export type Operation =
  | 'open'
  | 'opendir'
  | 'stat'
  | 'lstat'
  | 'setstat'
  | 'lsetstat'
  | 'fsetstat'
  | 'statvfs'
  | 'fsync'
  | 'copy-data'
  | 'realpath'
  | 'expand-path'
  | 'home-directory'
  | 'users-groups-by-id'
  | 'readlink'
  | 'remove'
  | 'mkdir'
  | 'rmdir'
  | 'rename'
  | 'symlink'
  | 'link'
  | 'extended'
/** Those and what is refused before it could be judged. */
export type Refusable = Operation | 'read' | 'write' | 'close' | 'fstat' | 'readdir' | 'limits'

export interface Facts {
  readonly operation: Refusable
  readonly path?: string | null
  readonly resolved?: string | null
  readonly target?: string | null
  readonly targetResolved?: string | null
  readonly flags?: readonly string[]
  readonly attributes?: Attributes | null
  /** What the operation is about where that is no path: a user's name, an extension's. */
  readonly about?: string | null
}

const FLAG_NAMES = [
  [OPEN_FLAG.READ, 'read'],
  [OPEN_FLAG.WRITE, 'write'],
  [OPEN_FLAG.APPEND, 'append'],
  [OPEN_FLAG.CREAT, 'create'],
  [OPEN_FLAG.TRUNC, 'truncate'],
  [OPEN_FLAG.EXCL, 'exclusive'],
] as const
const KNOWN_FLAGS = FLAG_NAMES.reduce((all, [flag]) => all | flag, 0)

/** The mode bits; the file's type stands above them. */
const MODE = 0o7777

export function flagsOf(pflags: number): readonly string[] {
  const names: string[] = FLAG_NAMES.filter(([flag]) => (pflags & flag) !== 0).map(([, name]) => name)
  if ((pflags & ~KNOWN_FLAGS) !== 0) names.push('unknown')
  return Object.freeze(names)
}

function attributesOf(attributes: Attributes): readonly string[] {
  const { size, owner, permissions, times, extended } = attributes
  const names = [
    size === undefined ? null : 'size',
    owner === undefined ? null : 'owner',
    permissions === undefined ? null : 'permissions',
    times === undefined ? null : 'times',
    extended === undefined ? null : 'extended',
  ]
  return Object.freeze(names.filter((name) => name !== null))
}

/** The command that an operation is. */
export function operationCommand(user: string, facts: Facts): Command {
  const { operation, path = null, resolved = null, target = null, targetResolved = null, flags = NONE } = facts
  const { attributes = null, about = null } = facts
  const detail = {
    ...DETAIL,
    kind: 'sftp',
    user: user.toWellFormed(),
    operation,
    path,
    resolved,
    target,
    targetResolved,
    flags,
    attributes: attributes === null ? NONE : attributesOf(attributes),
    permissions: attributes?.permissions === undefined ? null : attributes.permissions & MODE,
  }
  return commandOf(detail, textOf({ operation, path, target, flags, about }))
}

/** The operation in words, for people: `open "/srv/a" read,write`. */
function textOf({ operation, path, target, flags = NONE, about }: Facts): string {
  const words: string[] = [operation]
  for (const name of [path, target, about]) if (typeof name === 'string') words.push(JSON.stringify(name))
  if (flags.length > 0) words.push(flags.join(','))
  return words.join(' ')
}
