/** Programs that can be made to run others by certain options. A word that is not known could be such an option. */
import type { Hides, Words } from '../facts.ts'
import { ALWAYS } from './always.ts'
import { type Call, hiding, nothing, type Hidden, type Program } from './hidden.ts'

interface EscapeRules {
  /** Letters of options. */
  readonly short?: string
  /** Long options; an abbreviation of one is one. */
  readonly long?: readonly string[]
  /** Words whatever their place. */
  readonly words?: RegExp
  /** The first word is letters of options even without `-`. */
  readonly bundled?: boolean
  readonly hides?: Hides
  /** Only with one of these as the first word it runs nothing else. */
  readonly calm?: RegExp
  /** On a terminal it shows what is long by a pager, but for `--no-pager` as the first word: elsewhere it could be a value. */
  readonly pages?: boolean
}

/** A host in front of a path. */
const REMOTE = /^[^/]*:|^rsync:/
const TAR: EscapeRules = {
  short: 'IF',
  bundled: true,
  long: [
    'to-command',
    'checkpoint-action',
    'use-compress-program',
    'info-script',
    'new-volume-script',
    'rsh-command',
    'rmt-command',
  ],
  words: /^[^/]+:/,
}
const CONTAINER: EscapeRules = {
  calm: /^(ps|images|inspect|logs|version|info|stats|top|port|history|events)$/,
}
const RULES = {
  docker: CONTAINER,
  podman: CONTAINER,
  // A configuration may name a program that gives credentials.
  kubectl: { calm: /^(get|describe|logs|version|top|api-resources|api-versions|explain)$/, long: ['kubeconfig'] },
  helm: { calm: /^(list|ls|status|history|version)$/, long: ['kubeconfig', 'post-renderer'] },
  apt: { calm: /^(list|search|show|policy)$/, long: ['option', 'config-file'], short: 'oc', pages: true },
  'apt-cache': { long: ['option', 'config-file'], short: 'oc' },
  dpkg: { calm: /^(-[lLsSp]|--(list|listfiles|status|search|get-selections))$/, pages: true },
  rpm: { calm: /^-q[aildcfR]*$/, long: ['pipe', 'eval', 'define', 'load', 'rcfile', 'macros'], short: 'DE' },
  pip: { calm: /^(list|show|freeze|check)$/ },
  npm: { calm: /^(ls|list|view|outdated)$/, long: ['script-shell', 'userconfig', 'globalconfig', 'viewer'] },
  tar: TAR,
  gtar: TAR,
  bsdtar: { long: ['use-compress-program'] },
  cpio: { long: ['rsh-command'], words: /^[^/]+:/ },
  zip: { short: 'T', long: ['unzip-command', 'test'] },
  sort: { long: ['compress-program'] },
  split: { long: ['filter'] },
  scp: { words: /^/, hides: 'remote' },
  'ssh-copy-id': { words: /^/, hides: 'remote' },
  'ssh-keygen': { short: 'Dw' },
  'ssh-add': { short: 's' },
  rsync: { short: 'eM', long: ['rsh', 'rsync-path', 'daemon', 'server', 'config', 'remote-option'], words: REMOTE },
  wget: { long: ['use-askpass', 'execute', 'config'], short: 'e' },
  curl: { short: 'K', long: ['config', 'engine'] },
  // Its words may be abbreviated: `net` is netns.
  ip: { short: 'b', words: /^(net|netn|netns|v|vr|vrf|-batch|-force)$/ },
  systemctl: {
    short: 'HM',
    long: ['host', 'machine'],
    words: /^(edit|link|set-environment|import-environment)$/,
    pages: true,
  },
  journalctl: { short: 'M', long: ['machine'], pages: true },
  ...paging(
    'loginctl timedatectl hostnamectl localectl resolvectl networkctl busctl bootctl portablectl userdbctl oomctl systemd-analyze systemd-cgls systemd-delta systemd-resolve systemd-path',
  ),
  install: { long: ['strip-program'] },
  fd: { short: 'xX', long: ['exec', 'exec-batch'] },
  fdfind: { short: 'xX', long: ['exec', 'exec-batch'] },
  rg: { long: ['pre', 'hostname-bin'] },
  top: { words: /^(?!-b)/ },
} as const satisfies Record<string, EscapeRules>

/** The other tools of systemd: they may be asked of another host too. */
function paging(names: string): Record<string, EscapeRules> {
  const rules: EscapeRules = { short: 'HM', long: ['host', 'machine'], pages: true }
  return Object.fromEntries(names.split(' ').map((name) => [name, rules]))
}

function byRules(rules: EscapeRules): Program {
  return (words, call) => judged(words, rules, call)
}

function judged(words: Words, rules: EscapeRules, { name, terminal }: Call): Hidden {
  if (terminal && rules.pages === true && words[1] !== '--no-pager') return hiding(name, 'escape')
  if (rules.calm !== undefined && !rules.calm.test(words[1] ?? '')) return hiding(name, 'escape')
  for (const [index, word] of words.entries()) {
    if (index === 0) continue
    if (word === null) return hiding(name, 'words')
    if (escapes(word, index, rules)) return hiding(name, rules.hides ?? 'escape')
  }
  return nothing(name)
}

function escapes(word: string, index: number, rules: EscapeRules): boolean {
  if (rules.words?.test(word) === true) return true
  if (word.startsWith('--')) return rules.long?.some((option) => isOption(word, option)) === true
  const letters = word.startsWith('-') || (rules.bundled === true && index === 1)
  return letters && [...(rules.short ?? '')].some((letter) => word.includes(letter))
}

/** The option, or what getopt would take for it. */
export function isOption(word: string, option: string): boolean {
  const [given = ''] = word.slice(2).split('=', 1)
  return given.length > 0 && option.startsWith(given)
}

function always(_words: Words, { name }: { readonly name: string }): Hidden {
  return hiding(name, 'escape')
}

export const ESCAPES: readonly (readonly [string, Program])[] = [
  ...ALWAYS.map((name) => [name, always] as const),
  ...Object.entries<EscapeRules>(RULES).map(([name, rules]) => [name, byRules(rules)] as const),
]
