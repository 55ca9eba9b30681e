/** git as a client: what its plain commands read and write is theirs; aliases, helpers and programs by option are not. */
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
/** They ask an editor for a message, unless this comes before all that could take it for its value. */
const TOLD: ReadonlyMap<string, RegExp> = new Map([
  ['commit', /^(-[aqvn]*[mFC].*|--(no-edit|message|file|reuse-message)(=.*)?)$/s],
  ['merge', /^(-m.*|--(no-edit|ff-only|abort|quit|message|file)(=.*)?)$/s],
  ['pull', /^--(no-edit|ff-only|rebase)$/],
  ['revert', /^--(no-edit|no-commit|abort|quit)$/],
])
const WITHOUT_VALUE = /^(-[aqvn]+|--(all|quiet|verbose|amend|allow-empty|no-verify|no-ff|squash|no-commit))$/
/** An annotated tag has a message; `-a` and `-m` do not stand behind options with values. */
const ANNOTATES = /^(-[a-zA-Z]*a|--an)/
const TAG_TOLD = /^(-[a-zA-Z]*[mF]|--(message|file)=)/
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

export const git: Program = (words, { name, terminal }) => {
  const known = words.filter((word) => word !== null)
  if (known.length < words.length) return hiding(name, 'words')
  const found = commandOf(known)
  if (found === null) return hiding(name, 'escape')
  const { command, others, pages } = found
  if (command === undefined) return nothing(name)
  const letters = COMMANDS.get(command)
  const escapes =
    letters === undefined ||
    (terminal && pages) ||
    asksEditor(command, others) ||
    others.some((word) => isEscape(word, letters))
  return escapes ? hiding(name, 'escape') : nothing(name)
}

function asksEditor(command: string, words: readonly string[]): boolean {
  if (command === 'tag') return words.some((word) => ANNOTATES.test(word)) && !words.some((word) => TAG_TOLD.test(word))
  const told = TOLD.get(command)
  const first = words.find((word) => word.startsWith('-') && !WITHOUT_VALUE.test(word))
  return told !== undefined && (first === undefined || !told.test(first))
}

function isEscape(word: string, letters: RegExp | null): boolean {
  if (TRANSPORT.test(word)) return true
  if (word.startsWith('--')) return ESCAPING.some((option) => isOption(word, option))
  return letters?.test(word) === true
}

interface Found {
  readonly command: string | undefined
  readonly others: readonly string[]
  /** On a terminal, what it writes goes to a pager: whether it would without that, files may say too. */
  readonly pages: boolean
}

/** Null where an option before the command could change what is run. */
function commandOf(words: readonly string[]): Found | null {
  let pages = true
  let at = 1
  for (; at < words.length; at += 1) {
    const word = words[at] ?? ''
    if (!word.startsWith('-')) break
    if (word === '-C') at += 1
    else if (!BEFORE.has(word)) return null
    if (word === '--no-pager' || word === '-P') pages = false
  }
  return { command: words[at], others: words.slice(at + 1), pages }
}
