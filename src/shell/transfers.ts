/**
 * The server's side of file copies, as their clients ask for it: `scp -t`, `rsync --server`, `git-upload-pack` and its
 * like. What follows on the channel is theirs, so only options that keep it within the paths named are recognised.
 */
import type { CommandFacts, RedirectFacts, Transfer, Words } from './facts.ts'
import { rsyncTransfer } from './rsync.ts'

/** The line is that and nothing else. */
export function transferOf(commands: readonly CommandFacts[], redirects: readonly RedirectFacts[]): Transfer | null {
  const [command] = commands
  if (command === undefined || commands.length > 1 || redirects.length > 0) return null
  return transferOfCommand(command.argv)
}

export function transferOfCommand(argv: Words): Transfer | null {
  const words = argv.filter((word) => word !== null)
  if (words.length < argv.length) return null
  const [program, ...others] = words
  switch (program) {
    case 'scp':
    case '/usr/bin/scp':
      return scp(others)
    case 'rsync':
    case '/usr/bin/rsync':
      return rsyncTransfer(others)
    case 'git':
    case '/usr/bin/git':
      return git(`git-${others[0] ?? ''}`, others.slice(1))
    default:
      return git(program?.replace(/^\/usr\/bin\//, '') ?? '', others)
  }
}

/** `-t` (to) writes, `-f` (from) reads; `-r`, `-p`, `-d`, `-v`, `-q` change nothing in where. */
function scp(words: readonly string[]): Transfer | null {
  let letters = ''
  let next = 0
  for (; next < words.length; next += 1) {
    const word = words[next] ?? ''
    if (word === '--') {
      next += 1
      break
    }
    if (!word.startsWith('-')) break
    if (!/^-[rpdvqtf]+$/.test(word)) return null
    letters += word
  }
  const paths = words.slice(next)
  const upload = letters.includes('t')
  if (upload === letters.includes('f') || paths.length === 0 || (upload && paths.length > 1)) return null
  return { program: 'scp', direction: upload ? 'upload' : 'download', paths, links: false }
}

const GIT: ReadonlyMap<string, Transfer['direction']> = new Map([
  ['git-upload-pack', 'download'],
  ['git-upload-archive', 'download'],
  ['git-receive-pack', 'upload'],
])

function git(service: string, words: readonly string[]): Transfer | null {
  const direction = GIT.get(service)
  const paths = words.filter((word) => !/^--(strict|no-strict|timeout=\d+)$/.test(word))
  const [repository] = paths
  if (direction === undefined || repository === undefined || paths.length > 1 || /^(-|$)/.test(repository)) return null
  return { program: 'git', direction, paths, links: false }
}
