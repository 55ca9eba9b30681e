import t from 'tap'
import { analyseCommandLine } from '../../src/shell/analyse.ts'
import { SHELL_LIMITS } from '../../src/shell/limits.ts'
import { factsOf, refusalOf, shown } from './facts.ts'

/** Ways in which `rm` was hidden from those who look at text; each line of facts names it, or says that it is hidden. */
const EVASIONS: readonly (readonly [string, readonly string[]])[] = [
  ['r"m" x', ['rm x']],
  ["'r'm x", ['rm x']],
  ['r\\m x', ['rm x']],
  ['\\rm x', ['rm x']],
  ["$'r\\x6d' x", ['rm x']],
  ["$'\\162m' x", ['rm x']],
  ['r\\\nm x', ['rm x']],
  ['ls;rm x', ['ls', 'rm x']],
  ['ls\nrm x', ['ls', 'rm x']],
  ['ls # a\nrm x', ['ls', 'rm x']],
  ['ls #\\\nrm x', ['ls', 'rm x']],
  ['ls&rm x', ['ls', 'rm x']],
  ['ls|rm x', ['ls', 'rm x']],
  ['ls||rm x', ['ls', 'rm x']],
  ['rm$IFS-rf${IFS}x', ['… !words']],
  ['r${x}m x', ['… x !words']],
  ['r$@m x', ['… x !words']],
  ['$(echo rm) x', ['… x !words', '> echo rm']],
  ['`echo rm` x', ['… x !words', '> echo rm']],
  ['{rm,x}', ['… !words']],
  ['/bin/r? x', ['… x !words']],
  ['/bin/[r]m x', ['… x !words']],
  ['x=rm; $x y', ['… y !words']],
  ['ls "$(rm x)"', ['ls …', '> rm x']],
  ['ls "`rm x`"', ['ls …', '> rm x']],
  ['ls ${y:-$(rm x)}', ['ls …', '> rm x']],
  ['ls ${y:+"`rm x`"}', ['ls …', '> rm x']],
  ['y=$(rm x)', ['> rm x']],
  ['cat <<E\n$(rm x)\nE', ['cat', '> rm x']],
  ['cat <<E\n`rm x`\nE', ['cat', '> rm x']],
  ["cat <<'E'\n$(rm x)\nE", ['cat']],
  ['f() { rm x; }; f', ['> rm x', 'f']],
  ['ls() { rm x; }; ls', ['> rm x', 'ls']],
  ['if ls; then rm x; fi', ['ls', 'rm x']],
  ['while ls; do rm x; done', ['ls', 'rm x']],
  ['until ls; do rm x; done', ['ls', 'rm x']],
  ['case a in a) rm x;; esac', ['rm x']],
  ['for i in $(rm x); do ls; done', ['> rm x', 'ls']],
  ['(rm x)', ['rm x']],
  ['! rm x', ['rm x']],
  ['!(rm x)', ['rm x']],
  ['eval rm x', ['eval rm x', '> rm x']],
  ["eval 'ls; rm x'", ['eval ls; rm x', '> ls', '> rm x']],
  ["eval 'r''m' x", ['eval rm x', '> rm x']],
  ['eval "$x"', ['eval … !words']],
  ["sh -c 'rm x'", ['sh -c rm x', '> rm x']],
  ["sh -ec 'rm x'", ['sh -ec rm x', '> rm x']],
  ["bash -c -e 'rm x'", ['bash -c -e rm x', '> rm x']],
  ["bash --norc -o pipefail -c 'rm x'", ['bash --norc -o pipefail -c rm x', '> rm x']],
  ["bash -O extglob -c 'rm x'", ['bash -O extglob -c rm x !words', '> rm x']],
  ["bash -lc 'rm x'", ['bash -lc rm x !file', '> rm x']],
  ["/bin/sh -c -- 'rm x'", ['/bin/sh -c -- rm x', '> rm x']],
  [`sh -c '"$@"' a rm x`, ['sh -c "$@" a rm x', '> … !words']],
  ['sh -c "$x"', ['sh -c … !words']],
  ['sh x', ['sh x !file']],
  ['sh', ['sh !input']],
  ['sh -s a', ['sh -s a !input']],
  ['sh -s -c ls', ['sh -s -c ls !input', '> ls']],
  ['dash -sc ls', ['dash -sc ls !input', '> ls']],
  ['echo rm x | sh', ['echo rm x', 'sh !input']],
  ['sh <<E\nrm x\nE', ['sh !input', '> rm x']],
  ["bash <<'E'\nrm $x\nE", ['bash !input', '> rm …']],
  ['sh < f', ['sh !input']],
  ["zsh -c 'rm x'", ['zsh -c rm x !code']],
  ['busybox sh -c "rm x"', ['busybox sh -c rm x', '> sh -c rm x', '> > rm x']],
  ['busybox rm x', ['busybox rm x', '> rm x']],
  ['toybox rm x', ['toybox rm x', '> rm x']],
  ['command rm x', ['command rm x', '> rm x']],
  ['command -p rm x', ['command -p rm x', '> rm x']],
  ['command -v rm', ['command -v rm']],
  ['builtin eval "rm x"', ['builtin eval rm x', '> eval rm x', '> > rm x']],
  ['exec -a ls rm x', ['exec -a ls rm x', '> rm x']],
  ['env rm x', ['env rm x', '> rm x']],
  ['env -i -u A TZ=b rm x', ['env -i -u A TZ=b rm x', '> rm x']],
  ['env - rm x', ['env - rm x', '> rm x']],
  ['env LD_PRELOAD=a ls', ['env LD_PRELOAD=a ls !escape', '> ls']],
  ['env -S "rm x"', ['env -S rm x !words']],
  ['env "-Srm x"', ['env -Srm x !words']],
  ['env --split-string="rm x"', ['env --split-string=rm x !words']],
  ['LD_PRELOAD=a ls', ['ls !escape']],
  ['BASH_ENV=a ls', ['ls !escape']],
  ['PATH=. ; ls', [' !escape', 'ls']],
  ['for PATH in .; do ls; done', [' !escape', 'ls']],
  [
    'nohup nice -n 5 timeout -s KILL 5 rm x',
    [
      'nohup nice -n 5 timeout -s KILL 5 rm x',
      '> nice -n 5 timeout -s KILL 5 rm x',
      '> > timeout -s KILL 5 rm x',
      '> > > rm x',
    ],
  ],
  ['nice -10 rm x', ['nice -10 rm x', '> rm x']],
  ['stdbuf -oL setsid -w rm x', ['stdbuf -oL setsid -w rm x', '> setsid -w rm x', '> > rm x']],
  ['timeout $x rm y', ['timeout … rm y !words']],
  ['sudo rm x', ['sudo rm x', '> root: rm x']],
  ['sudo -u bob rm x', ['sudo -u bob rm x', '> bob: rm x']],
  ['sudo -ubob -- rm x', ['sudo -ubob -- rm x', '> bob: rm x']],
  ['sudo --user=bob TZ=x rm x', ['sudo --user=bob TZ=x rm x', '> bob: rm x']],
  ['sudo A=b -u bob rm x', ['sudo A=b -u bob rm x !escape']],
  ["sudo -u '#0' rm x", ['sudo -u #0 rm x', '> root: rm x']],
  ["sudo -u '#1000' rm x", ['sudo -u #1000 rm x', '> *: rm x']],
  ['doas -u 0 rm x', ['doas -u 0 rm x', '> root: rm x']],
  ['sudo -i', ['sudo -i !input']],
  ['sudo -s rm x', ['sudo -s rm x !file', '> root: rm x']],
  ['sudo -u "$x" rm', ['sudo -u … rm !words']],
  ['sudo -l', ['sudo -l']],
  ['doas -u bob rm x', ['doas -u bob rm x', '> bob: rm x']],
  ["su bob -c 'rm x'", ['su bob -c rm x', '> bob: rm x']],
  ["su -c 'rm x'", ['su -c rm x', '> root: rm x']],
  ["su - -c 'rm x'", ['su - -c rm x !file', '> root: rm x']],
  ['su bob', ['su bob !input']],
  ["su -c ls --command='rm x' bob", ['su -c ls --command=rm x bob !words']],
  ["su --command=ls --session-command='rm x'", ['su --command=ls --session-command=rm x !words']],
  ['sudo -u bob --user=root rm x', ['sudo -u bob --user=root rm x', '> *: rm x']],
  ['runuser -u bob --user root rm x', ['runuser -u bob --user root rm x', '> *: rm x']],
  ['runuser -u bob -- rm x', ['runuser -u bob -- rm x', '> bob: rm x']],
  ['xargs rm', ['xargs rm', '> rm …']],
  ['xargs -0 -n1 -P 4 rm -f', ['xargs -0 -n1 -P 4 rm -f', '> rm -f …']],
  ['xargs -I{} rm {}', ['xargs -I{} rm {}', '> rm …']],
  ['xargs -I % sh -c "rm %"', ['xargs -I % sh -c rm %', '> sh -c … !words']],
  ['xargs sh', ['xargs sh', '> sh … !words']],
  ["xargs sh -c 'rm x'", ['xargs sh -c rm x', '> sh -c rm x …', '> > rm x']],
  ['xargs', ['xargs', '> echo …']],
  ['xargs -I R -n1 sh -c', ['xargs -I R -n1 sh -c !words']],
  ['xargs -L1 -I{} rm', ['xargs -L1 -I{} rm !words']],
  ['xargs -I R --max-args=1 rm', ['xargs -I R --max-args=1 rm !words']],
  ['xargs -I A -ils sh -c ls', ['xargs -I A -ils sh -c ls !words']],
  ['xargs -I A --replace=ls sh -c ls', ['xargs -I A --replace=ls sh -c ls !words']],
  ['xargs -J R rm', ['xargs -J R rm !words']],
  ['find . -exec rm {} \\;', ['find . -exec rm {} ;', '> rm …']],
  ['find . -exec rm {} +', ['find . -exec rm {} +', '> rm …']],
  [
    "find . -execdir sh -c 'rm x' ';' -ok ls ';'",
    ['find . -execdir sh -c rm x ; -ok ls ;', '> sh -c rm x', '> > rm x', '> ls'],
  ],
  ["find . -exec echo + -exec rm x ';'", ['find . -exec echo + -exec rm x ; !words', '> echo + -exec rm x']],
  ['find . -exec {} \\;', ['find . -exec {} ;', '> … !words']],
  ['find . -name $x', ['find . -name … !words']],
  ['parallel rm ::: x', ['parallel rm ::: x !escape']],
  ['watch -n 1 "rm x"', ['watch -n 1 rm x', '> rm x']],
  ["ssh other 'rm x'", ['ssh other rm x !remote', '> rm x']],
  ["ssh -p 22 bob@other -t rm 'x; ls'", ['ssh -p 22 bob@other -t rm x; ls !remote', '> rm x', '> ls']],
  ["ssh -o ProxyCommand='rm x' other", ['ssh -o ProxyCommand=rm x other !escape']],
  ['. ./x', ['. ./x !file']],
  ['source x', ['source x !file']],
  ['trap "rm x" EXIT', ['trap rm x EXIT', '> rm x']],
  ['alias ls=rm', ['alias ls=rm !escape']],
  ['hash -p /bin/rm ls', ['hash -p /bin/rm ls !escape']],
  ['enable -f x y', ['enable -f x y !escape']],
  ['shopt -s expand_aliases', ['shopt -s expand_aliases !escape']],
  ['declare -i y', ['declare -i y !escape']],
  ["test -v 'a[$(rm x)]'", ['test -v a[$(rm x)] !words']],
  ["[ 'a[$(rm x)]' -eq 1 ]", ['[ a[$(rm x)] -eq 1 ] !words']],
  ["printf -v 'a[$(rm x)]' 1", ['printf -v a[$(rm x)] 1 !words']],
  ["read 'a[$(rm x)]'", ['read a[$(rm x)] !words']],
  ["unset 'a[$(rm x)]'", ['unset a[$(rm x)] !words']],
  ["let 'a[$(rm x)]=1'", ['let a[$(rm x)]=1 !words']],
  ['mapfile -C "rm x" a', ['mapfile -C rm x a !words']],
  ['echo $((a))', ['echo …', ' !words']],
  ['echo ${a@P}', ['echo …', ' !words', ' !words']],
  ["python3 -c 'x'", ['python3 -c x !code']],
  ['python3.11 x.py', ['python3.11 x.py !file']],
  ['python3', ['python3 !input']],
  ['python3 --version', ['python3 --version']],
  ["perl -ne 'x'", ['perl -ne x !code']],
  ['perl5.36.0 -e x', ['perl5.36.0 -e x !code']],
  ['ruby -e x', ['ruby -e x !code']],
  ['node -e x', ['node -e x !code']],
  ['php -r x', ['php -r x !code']],
  ['awk \'BEGIN { system("rm x") }\'', ['awk BEGIN { system("rm x") } !code']],
  ['awk \'{ print | "rm x" }\'', ['awk { print | "rm x" } !code']],
  ['awk -F: \'$1 == "a" || $2 { print $1 }\' f', ['awk -F: $1 == "a" || $2 { print $1 } f']],
  ['awk -f x', ['awk -f x !code']],
  ["sed '1e rm x' f", ['sed 1e rm x f !code']],
  ["sed 's/a/rm x/e' f", ['sed s/a/rm x/e f !code']],
  ["sed -n -e '1,3p' -e 's/a/b/g' f", ['sed -n -e 1,3p -e s/a/b/g f']],
  ["sed 's/[/]/;p;/w f/p' g", ['sed s/[/]/;p;/w f/p g !code']],
  ["sed 's|[|]|;p;|w f|p' g", ['sed s|[|]|;p;|w f|p g !code']],
  ["sed '/[/]/;/w f/p' g", ['sed /[/]/;/w f/p g !code']],
  ["sed -E 's/[^]0-9[:alpha:]]+$//g;/[a-z]/d' f", ['sed -E s/[^]0-9[:alpha:]]+$//g;/[a-z]/d f']],
  ["sed 's/a/b/w f' g", ['sed s/a/b/w f g !code']],
  ['tar xf a --to-command=rm', ['tar xf a --to-command=rm !escape']],
  [
    'tar cf a b --checkpoint=1 --checkpoint-act=exec=rm',
    ['tar cf a b --checkpoint=1 --checkpoint-act=exec=rm !escape'],
  ],
  ['tar cIf rm a b', ['tar cIf rm a b !escape']],
  ['tar czf a.tgz b', ['tar czf a.tgz b']],
  ['tar *', ['tar … !words']],
  ["vim -c ':!rm x'", ['vim -c :!rm x !escape']],
  ['vim.tiny x', ['vim.tiny x !escape']],
  ['less x', ['less x !escape']],
  ['man -P rm x', ['man -P rm x !escape']],
  ["gdb -ex '!rm x'", ['gdb -ex !rm x !escape']],
  ['ftp x', ['ftp x !escape']],
  ["rsync -e 'rm x' a b:c", ['rsync -e rm x a b:c !escape']],
  ['git -c core.pager=rm log', ['git -c core.pager=rm log !escape']],
  ['git log --ext-diff', ['git log --ext-diff !escape']],
  ['git anything', ['git anything !escape']],
  ['git -C /srv log --oneline -n 3', ['git -C /srv log --oneline -n 3']],
  ['git fetch --upload-pack=rm .', ['git fetch --upload-pack=rm . !escape']],
  ["git clone 'ext::rm x' y", ['git clone ext::rm x y !escape']],
  ['git commit', ['git commit !escape']],
  ['git commit -am x', ['git commit -am x']],
  ['git commit --author -m x', ['git commit --author -m x !escape']],
  ['git commit -c -m', ['git commit -c -m !escape']],
  ['git pull origin main --ff-only', ['git pull origin main --ff-only']],
  ['git revert HEAD', ['git revert HEAD !escape']],
  ['git tag -a v1', ['git tag -a v1 !escape']],
  ['git tag -a v1 -m x', ['git tag -a v1 -m x']],
  ['ip net exec a rm x', ['ip net exec a rm x !escape']],
  ['curl --engine ./x.so a', ['curl --engine ./x.so a !escape']],
  ['s6-setuidgid bob rm x', ['s6-setuidgid bob rm x !escape']],
  ['sort --compress-prog=rm a', ['sort --compress-prog=rm a !escape']],
  ['split --filter=rm a', ['split --filter=rm a !escape']],
  ['docker exec a rm x', ['docker exec a rm x !escape']],
  ['kubectl get pods', ['kubectl get pods']],
  ['make', ['make !escape']],
  ['npm test', ['npm test !escape']],
  ['/lib64/ld-linux-x86-64.so.2 /bin/rm x', ['/lib64/ld-linux-x86-64.so.2 /bin/rm x !escape']],
  ['x86_64-linux-gnu-gcc-12 -wrapper rm', ['x86_64-linux-gnu-gcc-12 -wrapper rm !escape']],
  ['systemd-run rm x', ['systemd-run rm x !escape']],
  ['systemd-cat rm x', ['systemd-cat rm x !escape']],
  ['ifne rm x', ['ifne rm x !escape']],
  ['pee "rm x"', ['pee rm x !escape']],
  ["rename 's/x/y/' z", ['rename s/x/y/ z !escape']],
  ['mlr -n put \'system("rm x")\'', ['mlr -n put system("rm x") !escape']],
  ['sftp-server', ['sftp-server !escape']],
]

t.test('no way of writing a command keeps it out of the facts', (t) => {
  for (const [line, commands] of EVASIONS) t.strictSame(shown(line), commands, JSON.stringify(line))
  t.end()
})

t.test('what shows its output by a pager hides what is typed there, on a terminal alone', (t) => {
  const hides = (line: string, terminal: boolean) => {
    const analysis = analyseCommandLine(line, SHELL_LIMITS, { terminal })
    return analysis.kind === 'commands' && analysis.facts.commands.some((command) => command.hides === 'escape')
  }
  const paged = ['git log', 'git -C --no-pager log', 'env git log', 'dpkg -l', 'apt list', 'systemctl status x']
  for (const line of [...paged, 'journalctl -u --no-pager', 'systemctl -- --no-pager', 'loginctl', 'sh -c "git log"']) {
    t.ok(hides(line, true), line)
    t.notOk(hides(line, false), line)
  }
  for (const line of [
    'git --no-pager log',
    'git -C a -P log',
    'journalctl --no-pager',
    'systemctl --no-pager status x',
  ]) {
    t.notOk(hides(line, true), line)
  }
  t.end()
})

t.test('a line with anything hidden in it is not literal', (t) => {
  for (const [line] of EVASIONS) {
    const { commands, literal, reasons } = factsOf(line)
    const hidden = commands.some((command) => command.hides !== null || !command.literal)
    if (hidden) t.notOk(literal, JSON.stringify(line))
    if (hidden) t.ok(reasons.length > 0, JSON.stringify(line))
  }
  t.end()
})

t.test('what only looks like another character is another word', (t) => {
  t.strictSame(shown('ls\u00a0-l'), ['ls\u00a0-l'])
  t.strictSame(shown('ls\u2028rm x'), ['ls\u2028rm x'])
  t.strictSame(shown('ls；rm x'), ['ls；rm x'])
  t.strictSame(shown('ls\rrm x'), ['ls\rrm x'])
  t.strictSame(shown('ls\v rm x'), ['ls\v rm x'])
  t.equal(refusalOf('ls\0; rm x'), 'command.unparsable')
  t.end()
})

t.test('what outlives the line is in the background', (t) => {
  for (const line of ['ls &', 'nohup ls', 'setsid ls', 'sudo -b ls', '(a; ls) &', 'ssh -f a ls']) {
    t.equal(factsOf(line).commands.at(-1)?.background, true, line)
  }
  t.equal(factsOf('a & b').commands[1]?.background, false)
  t.end()
})
