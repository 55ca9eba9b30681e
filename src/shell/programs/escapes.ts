/**
 * Programs that can be made to run others, after https://gtfobins.github.io: some whatever they are told, some only by
 * certain options. A word that is not known could be such an option.
 */
import type { Hides, Words } from '../facts.ts'
import { hiding, nothing, type Hidden, type Program } from './hidden.ts'

const EDITORS =
  'vi vim vim.tiny vim.basic vimdiff rvim nvim view rview ex ed red nano pico rnano emacs jed joe jove micro mcedit helix hx kak vipw vigr visudo crontab'
const PAGERS = 'less zless lessecho lesspipe more most pg man info pinfo'
const DEBUGGERS = 'gdb gdbserver lldb strace ltrace valgrind perf bpftrace rr crash pdb gcore'
const CLIENTS =
  'ftp lftp sftp telnet mysql mariadb psql sqlite3 sqlite mongo mongosh redis-cli sqlplus mail mailx mutt s-nail w3m lynx links elinks rlogin rsh ncftp tftp smbclient openvpn nmap tcpdump'
const RUNNERS =
  'parallel entr at batch systemd-run systemd-nspawn machinectl unshare nsenter chroot setpriv capsh aa-exec run-parts run-mailcap script scriptreplay screen tmux byobu tmate dtach abduco zellij flock chrt numactl cgexec start-stop-daemon daemonize daemon softlimit setlock setuidgid chpst sg newgrp login agetty choom prlimit rlwrap torify torsocks proxychains proxychains4 firejail bwrap dbus-run-session dbus-launch xvfb-run fakechroot faketime multitime hyperfine ssh-agent gosu su-exec tini dumb-init runcon newrole catchsegv ld.so cpulimit nsjail logsave pexec watchexec nodemon pm2 supervisorctl inotifywait incron keychain xterm x11vnc'
const PACKAGES =
  'apt-get aptitude yum dnf rpmbuild rpmquery rpmverify zypper pacman apk snap flatpak brew pipx uv poetry conda npx yarn pnpm corepack bundle bundler gem rake cargo rustup go mvn gradle ant sbt composer cpan cpanm easy_install opam cabal stack mix nix nix-shell nix-env guix'
const BUILDERS =
  'make gmake bmake cmake ninja meson scons bazel ansible ansible-playbook ansible-pull puppet chef-client salt salt-call terraform tofu packer vagrant fab cap'
const CONTAINERS = 'docker-compose buildah nerdctl ctr crictl runc lxc lxc-attach lxd incus virsh oc k3s'
const COMPILERS =
  'gcc g++ cc c++ c89 c99 clang clang++ tcc latex pdflatex xelatex lualatex tex luatex xetex latexmk nasm ginsh'
const OTHERS =
  'sftp-server internal-sftp socat ncat nc netcat cryptsetup dmsetup exiftool pry facter octave dc task tasksh restic rclone rsnapshot sqlmap msfconsole varnishncsa tdbtool scanmem hping3 iftop knife posh cdist slsh openssl pkg ld gpg-agent update-alternatives service init telinit insmod modprobe kexec mount logrotate run-one at-spi openvt whiptail dialog zsoelim troff nroff groff pic eqn a2p'

const ALWAYS = [
  EDITORS,
  PAGERS,
  DEBUGGERS,
  CLIENTS,
  RUNNERS,
  PACKAGES,
  BUILDERS,
  CONTAINERS,
  COMPILERS,
  OTHERS,
].flatMap((names) => names.split(' '))

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
  apt: { calm: /^(list|search|show|policy)$/, long: ['option', 'config-file'], short: 'oc' },
  'apt-cache': { long: ['option', 'config-file'], short: 'oc' },
  dpkg: { calm: /^(-[lLsSp]|--(list|listfiles|status|search|get-selections))$/ },
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
  curl: { short: 'K', long: ['config'] },
  ip: { short: 'b', words: /^(netns|vrf|-batch|-force)$/ },
  systemctl: { short: 'HM', long: ['host', 'machine'], words: /^(edit|link|set-environment|import-environment)$/ },
  journalctl: { short: 'M', long: ['machine'] },
  install: { long: ['strip-program'] },
  fd: { short: 'xX', long: ['exec', 'exec-batch'] },
  fdfind: { short: 'xX', long: ['exec', 'exec-batch'] },
  rg: { long: ['pre', 'hostname-bin'] },
  top: { words: /^(?!-b)/ },
} as const satisfies Record<string, EscapeRules>

function byRules(rules: EscapeRules): Program {
  return (words, { name }) => judged(name, words, rules)
}

function judged(name: string, words: Words, rules: EscapeRules): Hidden {
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
