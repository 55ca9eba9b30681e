/** git as a client: what its plain commands read and write is theirs; aliases, hooks by option and helpers are not. */
import type { Words } from '../facts.ts'
import { isOption } from './escapes.ts'
import { hiding, nothing, type Program } from './hidden.ts'

/** Commands that run nothing that their words name. */
const PLAIN = new Set([
  'add',
  'blame',
  'branch',
  'cat-file',
  'check-ignore',
  'checkout',
  'cherry',
  'cherry-pick',
  'clean',
  'count-objects',
  'describe',
  'diff',
  'diff-tree',
  'for-each-ref',
  'fsck',
  'init',
  'log',
  'ls-files',
  'ls-tree',
  'merge-base',
  'mv',
  'name-rev',
  'reflog',
  'reset',
  'restore',
  'rev-list',
  'rev-parse',
  'rm',
  'shortlog',
  'show',
  'show-ref',
  'status',
  'switch',
  'symbolic-ref',
  'tag',
  'version',
  'whatchanged',
])
const ESCAPING = [
  'ext-diff',
  'textconv',
  'exec',
  'open-files-in-pager',
  'output',
  'edit',
  'patch',
  'interactive',
  'template',
  'gpg-sign',
  'local-user',
  'help',
]
/** Before the command: only these say nothing about what is run. */
const BEFORE = new Set([
  '--no-pager',
  '-P',
  '--bare',
  '--no-replace-objects',
  '--literal-pathspecs',
  '--no-optional-locks',
  '--version',
])

export const git: Program = (words, { name }) => {
  if (words.includes(null)) return hiding(name, 'words')
  const command = commandOf(words)
  if (command === null) return hiding(name, 'escape')
  const others = words.slice(command + 1)
  const subcommand = words[command]
  if (subcommand === undefined) return nothing(name)
  const plain =
    PLAIN.has(subcommand ?? '') &&
    !others.some((word) => word?.startsWith('--') === true && ESCAPING.some((option) => isOption(word, option)))
  const interactive =
    others.some((word) => /^-[a-zA-Z]*[ipeOSu]/.test(word ?? '')) &&
    !['status', 'log', 'diff', 'show'].includes(subcommand ?? '')
  return plain && !interactive ? nothing(name) : hiding(name, 'escape')
}

/** Where the command is; null where an option before it could change what is run. */
function commandOf(words: Words): number | null {
  for (let at = 1; at < words.length; at += 1) {
    const word = words[at] ?? ''
    if (!word.startsWith('-')) return at
    if (word === '-C') at += 1
    else if (!BEFORE.has(word)) return null
  }
  return words.length
}
