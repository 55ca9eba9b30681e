/** git as a client: what its plain commands read and write is theirs; aliases, helpers and programs by option are not. */
import type { Words } from '../facts.ts'
import { isOption } from './escapes.ts'
import { hiding, nothing, type Program } from './hidden.ts'

/** Letters that make a command ask an editor or a program. */
const ASKING = /^-[a-zA-Z]*[ipesSu]/
const READING =
  'blame branch cat-file check-ignore cherry count-objects describe diff diff-tree for-each-ref fsck init log ls-files ls-tree merge-base name-rev reflog rev-list rev-parse shortlog show show-ref status symbolic-ref version whatchanged mv rm fetch push'
const WRITING = 'add apply checkout cherry-pick clean commit merge pull reset restore revert stash switch tag'

/** Commands that run nothing that their words name, but for such letters. */
const COMMANDS: ReadonlyMap<string, RegExp | null> = new Map<string, RegExp | null>([
  ...READING.split(' ').map((name) => [name, null] as const),
  ...WRITING.split(' ').map((name) => [name, ASKING] as const),
  ['clone', /^-(?!([qvn]+|b)$)/],
])
/** Options that name programs or files, configure, or ask an editor. */
const ESCAPING =
  'ext-diff textconv exec open-files-in-pager output edit patch interactive template gpg-sign local-user help upload-pack receive-pack config strategy recurse-submodules'.split(
    ' ',
  )
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
/** Such as `ext::`, whose address is a program. */
const TRANSPORT = /^\w+::/

export const git: Program = (words, { name }) => {
  if (words.includes(null)) return hiding(name, 'words')
  const at = commandAt(words)
  if (at === null) return hiding(name, 'escape')
  const command = words[at]
  if (command === undefined || command === null) return nothing(name)
  const letters = COMMANDS.get(command)
  const escapes = letters === undefined || words.slice(at + 1).some((word) => word !== null && isEscape(word, letters))
  return escapes ? hiding(name, 'escape') : nothing(name)
}

function isEscape(word: string, letters: RegExp | null): boolean {
  if (TRANSPORT.test(word)) return true
  if (word.startsWith('--')) return ESCAPING.some((option) => isOption(word, option))
  return letters?.test(word) === true
}

/** Where the command is; null where an option before it could change what is run. */
function commandAt(words: Words): number | null {
  for (let at = 1; at < words.length; at += 1) {
    const word = words[at] ?? ''
    if (!word.startsWith('-')) return at
    if (word === '-C') at += 1
    else if (!BEFORE.has(word)) return null
  }
  return words.length
}
