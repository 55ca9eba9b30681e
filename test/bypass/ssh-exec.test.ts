/** Ways of running what the starter policy does not allow, by command lines. The host is looked at after each. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startGated } from '../e2e/ssh/gated.ts'
import { movedStarter } from '../e2e/ssh/starter.ts'
import { RawSsh } from '../support/ssh-raw.ts'

const { policy, srv } = await movedStarter(t)
const gated = await startGated(t, { policy })
const MARK = join(srv, 'agent/mark')
writeFileSync(join(srv, 'agent/script'), `#!/bin/sh\ntouch ${MARK}\n`, { mode: 0o755 })
writeFileSync(join(srv, 'agent/list'), MARK)
const FILES = readdirSync(join(srv, 'agent')).toSorted()

/** M is the mark that must not come to be, S the place that may be read, A the one that may be written by sftp. */
const LINES = String.raw`
touch M
/usr/bin/touch M
t'o'uch M
"touch" M
\touch M
$'touch' M
$'\x74ouch' M
$'\164ouch' M
to""uch M
$(echo touch) M
${'`'}echo touch${'`'} M
${'${x:-touch}'} M
x=touch; $x M
x=touch y=M; $x $y
export x=touch; $x M
declare x=touch; $x M
eval touch M
eval 'tou''ch M'
command touch M
command -p touch M
builtin eval touch M
exec touch M
exec -a true touch M
env touch M
env -i touch M
env -S 'touch M'
nice touch M
nohup touch M
timeout 1 touch M
stdbuf -o0 touch M
setsid touch M
setsid -w touch M
xargs touch <<<M
echo M | xargs touch
cat A/list | xargs touch
xargs -a A/list touch
find S -maxdepth 0 -exec touch M ;
find S -maxdepth 0 -exec touch M \;
find S -maxdepth 0 -fprint M
find S -name nothing -delete
sh -c 'touch M'
sh -c "touch M"
bash -c 'touch M'
bash -lc 'touch M'
dash -c 'touch M'
sh A/script
A/script
. A/script
source A/script
. /dev/stdin
source /dev/stdin
sh
bash -s
bash
sh -s
sh /dev/stdin
cat A/script | sh
echo 'touch M' | sh
echo 'touch M' | bash -s
sh <A/script
sh <<<'touch M'
sh 0<A/script
cat <(touch M)
cat >(touch M)
echo $(touch M)
echo "$(touch M)"
echo ${'`'}touch M${'`'}
echo "${'`'}touch M${'`'}"
echo ${'${x:=$(touch M)}'}
echo ${'${x:-$(touch M)}'}
echo $((x[$(touch M)]))
[[ -v 'x[$(touch M)]' ]]
test -v 'x[$(touch M)]'
printf -v 'x[$(touch M)]' x
read 'x[$(touch M)]' <<<x
unset 'x[$(touch M)]'
let 'x[$(touch M)]=1'
((x[$(touch M)]=1))
: >M
>M
>>M
echo x >M
echo x>M
echo x >|M
echo x &>M
echo x >&M
echo x 1>M
echo x 2>&1 >M
echo x 5>M
cat 0<>M
cat <>M
exec 3>M
exec >M; echo x
{ touch M; }
( touch M )
(touch M)
if touch M; then :; fi
if true; then touch M; fi
while touch M; do break; done
until touch M; do break; done
for i in 1; do touch M; done
for i in touch; do $i M; done
for ((i=0;i<1;i++)); do touch M; done
select i in 1; do touch M; done
case x in x) touch M;; esac
f() { touch M; }; f
function f { touch M; }; f
echo() { touch M; }; echo
ls () { touch M; }; ls
trap 'touch M' EXIT
trap 'touch M' EXIT; id
PROMPT_COMMAND='touch M' bash -i
true & touch M
touch M &
true; touch M
true;touch M
true | touch M
true |& touch M
false || touch M
true && touch M
! touch M
time touch M
coproc touch M
coproc x { touch M; }
PATH=A id
PATH=A script
LD_PRELOAD=A/script id
BASH_ENV=A/script bash -c :
ENV=A/script sh -ic :
IFS=/ ; x=touch/M; $x
python3 -c 'open("M", "w")'
perl -e 'open(F, ">M")'
awk 'BEGIN { system("touch M") }'
awk 'BEGIN { print > "M" }'
sed -n '1e touch M' /etc/passwd
sed -n 'w M' S/app/config.yml
sed -i s/x/y/ S/app/config.yml
tee M
echo x | tee M
dd of=M
cp S/app/config.yml M
install S/app/config.yml M
mv S/app/config.yml M
ln S/app/config.yml M
ln -s S/app/config.yml M
mkdir M
mkfifo M
truncate -s 0 M
tar cf M S/app
tar cf /dev/null --checkpoint=1 --checkpoint-action=exec='touch M' S/app
zip M S/app/config.yml -TT 'touch M'
vim -c ':!touch M' -c :q
less S/app/config.yml
man -P 'touch M' ls
git -c core.pager='touch M' -p log
git -c alias.x='!touch M' x
git init M
git --upload-pack='touch M' clone . x
git-upload-pack M
git-receive-pack M
git-upload-archive M
git-shell -c "git-receive-pack 'M'"
ssh 127.0.0.1 touch M
ssh -o ProxyCommand='touch M' x
scp -t S/app/mark
scp -t -- S/app/mark
scp -S A/script x:y M
scp S/app/config.yml M
sftp -D A/script
rsync --server . S/app/mark
rsync --server -e.LsfxCIvu --log-file=M . S/app
rsync -e A/script x: M
rsync --server --daemon . .
curl -o M file:///etc/passwd
wget -O M http://127.0.0.1/
sudo touch M
sudo -n touch M
su -c 'touch M'
su root -c 'touch M'
runuser -u root touch M
doas touch M
chroot / touch M
unshare touch M
nsenter touch M
script -qc 'touch M' /dev/null
script M
at now
crontab A/script
systemd-run touch M
systemctl start x
systemctl --no-pager status x -H '; touch M'
journalctl --no-pager -u x --file=M --flush
sort -o M S/app/config.yml
sort --output=M S/app/config.yml
sort --compress-program=A/script -S 1b S/app/config.yml
uniq S/app/config.yml M
date -s now
date -f A/list --set now
hostname -F A/list
hostname other
wc --files0-from=A/list
cut -d: -f1 S/app/config.yml --output-delimiter=x >M
grep -f /etc/shadow x
grep -r . /root
tail --pid=1 -f S/app/config.yml
cat /etc/shadow
cat S/app/../../../../etc/shadow
cat S//..//..//etc/passwd
cat S/./../../etc/passwd
cat /proc/self/environ
cat ~/.bashrc
cat ~root/.bashrc
cat S/app/*
cat S/app/config.y?l
cat S/app/[c]onfig.yml
cat {S/app/config.yml,/etc/passwd}
{touch,M}
/usr/bin/touc? M
/usr/bin/[t]ouch M
/???/???/touch M
~+/script
true # x
#
true \
touch M"'"
"touch M
'touch M
touch M\
echo "$HOME
echo ${'${'}
echo $((
$"touch" M
$'touch\0' M
touch$IFS\M
touch${'${IFS}'}M
busybox touch M
/lib64/ld-linux-x86-64.so.2 /usr/bin/touch M
enable -f A/script x
hash -p A/script id; id
alias id='touch M'; id
shopt -s expand_aliases; alias id='touch M'
set -o posix; . A/script
mapfile -C 'touch M' -c 1 x <S/app/config.yml
readarray -C 'touch M' -c 1 x <<<x
complete -C 'touch M' x
bind -x '"x": touch M'
history -w M
fc -e 'touch M'
umask 0; echo x >M
ulimit -f 0; >M
wait; touch M
kill -l; touch M
[ x ]; touch M
id; >M
id
`
  .trim()
  .split('\n')

/** The last one is allowed: the connection lived on through all the others. */
const ALLOWED = 'id'

/** What a line editor cannot hold: line breaks, and bytes that are no text. */
const MORE = [
  'true\ntouch M',
  'true\r\ntouch M',
  'true\rtouch M',
  'true # \ntouch M',
  'true \\\n; touch M',
  'tou\\\nch M',
  'sh <<E\ntouch M\nE',
  'sh <<-E\n\ttouch M\n\tE',
  'cat <<E | sh\ntouch M\nE',
  'cat <<E\n$(touch M)\nE',
  'cat <<"E\n$(touch M)\nE\ntouch M',
  "cat <<'E'\nE\ntouch M",
  "alias id='touch M'\nid",
  'if true\nthen touch M\nfi',
  'case x in\nx) touch M;;\nesac',
  'f()\n{ touch M; }\nf',
  '\ttouch M',
  '\n\n\ntouch M',
  '\u00a0touch M',
  '\ufefftouch M',
  'touch\u00a0M\ntouch M',
  'ls \u202e; touch M',
]
const BYTES: readonly (readonly [string, Buffer])[] = [
  ['a NUL', Buffer.from(`id\0; touch ${MARK}`)],
  ['a NUL at the end', Buffer.from('id\0')],
  [
    'bytes that are no UTF-8',
    Buffer.concat([Buffer.from('id '), Buffer.of(0xff, 0xfe), Buffer.from(`; touch ${MARK}`)]),
  ],
  [
    'half a letter that hides a quote',
    Buffer.concat([Buffer.from("echo '"), Buffer.of(0xc3), Buffer.from(`'; touch ${MARK}; '`)]),
  ],
  ['a surrogate', Buffer.concat([Buffer.from('id '), Buffer.of(0xed, 0xa0, 0x80), Buffer.from(`; touch ${MARK}`)])],
  ['nothing', Buffer.alloc(0)],
  ['more than a command line', Buffer.from(`id ${'x'.repeat(20_000)}; touch ${MARK}`)],
  ['much nesting', Buffer.from(`${'('.repeat(3000)}touch ${MARK}${')'.repeat(3000)}`)],
  ['many substitutions', Buffer.from(`echo ${'$('.repeat(800)}touch ${MARK}${')'.repeat(800)}`)],
]

const filled = (line: string) =>
  line.replaceAll(/\bM\b/g, MARK).replaceAll(/\bS\//g, `${srv}/`).replaceAll(/\bA\//g, `${srv}/agent/`)

const config = readFileSync(join(srv, 'app/config.yml'), 'utf8')

function untouched(): boolean {
  const whole = readdirSync(join(srv, 'agent')).toSorted().join() === FILES.join()
  const alone = readdirSync(join(srv, 'app')).join() === 'config.yml'
  const same = readFileSync(join(srv, 'app/config.yml'), 'utf8') === config
  rmSync(MARK, { recursive: true, force: true })
  return whole && alone && same
}

t.test('no command line does what the policy does not allow', async (t) => {
  const agent = await RawSsh.connect(gated.agent.port, { authHandler: ['none'] })
  t.teardown(() => agent.destroy())
  for (const line of [...MORE, ...LINES]) {
    const { stdout, stderr, exit } = await agent.exec(filled(line), `touch ${MARK}\n`)
    if (line === ALLOWED) {
      t.match(stdout, /^uid=/, 'the connection lived on')
      continue
    }
    const harmless = exit === 0 && stdout === '' && /^(#|true # x|)$/.test(line)
    t.ok(
      harmless || (exit === 126 && stdout === '' && stderr.startsWith('sidegate: ')),
      `${JSON.stringify(line)}: ${exit} ${stdout}${stderr}`,
    )
    t.ok(untouched(), `nothing came of ${JSON.stringify(line)}`)
  }
})

t.test('no bytes that are not quite a command line do it either', async (t) => {
  for (const [what, bytes] of BYTES) {
    const agent = await RawSsh.connect(gated.agent.port, { authHandler: ['none'] })
    const { stdout, exit } = await agent.exec(bytes, `touch ${MARK}\n`)
    t.ok(exit === 126 || exit === null, `${what}: ${exit}`)
    t.equal(stdout, '', what)
    t.ok(untouched(), what)
    agent.destroy()
  }
})

t.test('the records of all this are whole', async (t) => {
  await gated.check(t)
})
