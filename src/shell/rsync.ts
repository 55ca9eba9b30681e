/** `rsync --server`: the options that rsync's own gatekeeper, `support/rrsync`, lets its clients send. */
import type { Transfer } from './facts.ts'

/** Letters without a value; not `s` (arguments come later), nor `K`, `L` and `k`, which follow links out of the paths. */
const LETTERS = /^-(?=.)[ACDEHIJNORSUWXbcdglmnopqrtuvxyz]*(e\d*\.\w*)?$/
const NUMBERS = /^-[@B]\d+$/
const LONG = /^--([^=]+)(?:=(.*))?$/s

/** `path`: another path that it reads or writes; `stdin`: a list of files, which may only come over the channel. */
type Value = 'none' | 'value' | 'path' | 'stdin'

const PLAIN =
  'append delay-updates delete delete-after delete-before delete-delay delete-during delete-excluded delete-missing-args existing fake-super force from0 fsync fuzzy group hard-links ignore-errors ignore-existing ignore-missing-args ignore-times inplace links list-only mkpath msgs2stderr munge-links new-compress no-W no-implied-dirs no-msgs2stderr no-r no-relative no-specials numeric-ids old-compress one-file-system open-noatime owner partial perms preallocate recursive remove-sent-files remove-source-files safe-links sender server size-only specials stats super times use-qsort'
const VALUED =
  'block-size bwlimit checksum-choice checksum-seed compress-choice compress-level compress-threads debug groupmap iconv info log-format max-alloc max-delete max-size min-size modify-window skip-compress stderr suffix timeout usermap'
const PATHS = 'backup-dir compare-dest copy-dest link-dest partial-dir temp-dir'

const OPTIONS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ...PLAIN.split(' ').map((name) => [name, 'none'] as const),
  ...VALUED.split(' ').map((name) => [name, 'value'] as const),
  ...PATHS.split(' ').map((name) => [name, 'path'] as const),
  ['files-from', 'stdin'],
])

/** `-l`, before the capabilities that follow `e`. */
const LINKS = /^-[^e]*l/

/** A name in the directory that is copied to. */
const WITHIN = /^(?!\.\.?$)[^/]+$/

/** @returns null where an option is not known to keep the copy within its paths */
export function rsyncTransfer(words: readonly string[]): Transfer | null {
  if (words[0] !== '--server') return null
  const sender = words[1] === '--sender'
  const dot = words.indexOf('.', 1)
  if (dot === -1) return null
  const paths = words.slice(dot + 1)
  const options = new Set<string>()
  let links = false
  for (let at = sender ? 2 : 1; at < dot; at += 1) {
    const word = words[at] ?? ''
    if (LETTERS.test(word) || NUMBERS.test(word)) {
      links ||= LINKS.test(word)
      continue
    }
    const [, name = '', attached] = LONG.exec(word) ?? []
    // A download that deletes is no download.
    if (name === 'sender' || (sender && name.startsWith('remove'))) return null
    const needs = OPTIONS.get(name)
    if (needs === undefined) return null
    options.add(name)
    if (needs === 'none') continue
    const value = attached ?? words[(at += 1)] ?? ''
    if (!allowed(needs, value)) return null
    if (needs === 'path' && value.startsWith('/')) paths.push(value)
  }
  const named = paths.length > 0 && !paths.some((path) => path === '' || path.startsWith('-'))
  if (!named) return null
  if (sender) return { program: 'rsync', direction: 'download', paths, links: false }
  // `--safe-links` is no help: a link may lead out by way of another (CVE-2024-12088).
  links = (links || options.has('links')) && !options.has('munge-links')
  return { program: 'rsync', direction: 'upload', paths, links }
}

/** Relative paths start from the directory that is copied to, not from where policies think them to. */
function allowed(needs: Value, value: string): boolean {
  if (needs === 'stdin') return value === '-'
  return needs !== 'path' || value.startsWith('/') || WITHIN.test(value)
}
