/**
 * Ways of running what a policy does not list by programs that it does: shells, xargs, find and git, all of which people put
 * into such lists. The host is looked at after each.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startGated } from '../e2e/ssh/gated.ts'
import { runClient, sshClient } from '../support/ssh-clients.ts'
import { RawSsh } from '../support/ssh-raw.ts'

const RUNNERS = `package policy.runners

import data.sidegate.ssh

allow contains {"code": "runners"} if {
	ssh.only_runs({"printf", "echo", "true", "sh", "dash", "bash", "xargs", "find", "env", "nice", "cat", "git"})
}

allow contains {"code": "around"} if ssh.housekeeping
`

const place = mkdtempSync(join(tmpdir(), 'sidegate-runners-'))
t.teardown(() => rmSync(place, { recursive: true, force: true }))
const MARK = join(place, 'mark')
const repository = join(place, 'repository')
const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.com']
execFileSync('git', ['init', '-q', repository])
execFileSync('git', ['-C', repository, ...author, 'commit', '-q', '--allow-empty', '-m', 'one'])
writeFileSync(join(place, 'list'), `touch ${MARK}\n`)

const gated = await startGated(t, { policy: { runners: RUNNERS } })

/** M is the mark, P its directory; what they are given on standard input would make it too. */
const LINES = String.raw`
touch M
printf 'touch M' | sh -sc true
printf 'touch M' | sh -s -c true
printf 'touch M' | dash -ec -s true
printf 'touch M' | bash -s
sh -cs true
dash -s +x -c true
xargs -I R -n1 sh -c
xargs -d '\n' -I R -n1 sh -c
xargs -d '\n' -I{} -L1 sh -c
xargs -d '\n' -IR -l1 sh -c
xargs -d '\n' -I A -itrue sh -c true
xargs -d '\n' -I A --replace=true sh -c true
xargs -d '\n' -I true sh -c true
xargs -d '\n' sh -c
xargs -d '\n' -a P/list sh -c
xargs env
find P -maxdepth 0 -exec echo + -exec touch M ;
find P -maxdepth 0 -exec touch M \;
find P -maxdepth 0 -exec sh -c 'touch M' \;
find P -name list -exec sh {} \;
env sh P/list
nice sh P/list
env -S 'touch M'
sh P/list
cat P/list | sh
git -C P/repository -c core.pager='touch M' -p log
git -C P/repository commit --allow-empty
git -C P/repository -c core.editor='touch M' commit --allow-empty
git -C P/repository tag -a x
git -C P/repository commit --allow-empty --author -m
true
`
  .trim()
  .split('\n')
  .map((line) => line.replaceAll(/\bM\b/g, MARK).replaceAll('P/', `${place}/`))

const ALLOWED = 'true'

t.test('no program that is listed runs one that is not', async (t) => {
  const agent = await RawSsh.connect(gated.agent.port, { authHandler: ['none'] })
  t.teardown(() => agent.destroy())
  for (const line of LINES) {
    const { stdout, stderr, exit } = await agent.exec(line, `touch ${MARK}\n`)
    if (line === ALLOWED) t.equal(exit, 0, 'the connection lived on')
    else t.ok(exit === 126 && stdout === '' && stderr.startsWith('sidegate: '), `${line}: ${exit} ${stdout}${stderr}`)
    t.notOk(existsSync(MARK), `nothing came of ${JSON.stringify(line)}`)
    rmSync(MARK, { force: true })
  }
})

t.test('no pager is opened on a terminal, to which commands could be typed', async (t) => {
  const { config } = sshClient(gated.agent)
  const line = `git -C ${repository} log`
  const input = `!touch ${MARK}\n\nq`
  const paged = await runClient('ssh', ['-F', config, '-tt', 'there', line], { input })
  t.equal(paged.code, 126)
  t.notOk(existsSync(MARK))
  const plain = await runClient('ssh', ['-F', config, 'there', line])
  t.equal(plain.code, 0)
  t.match(plain.stdout.toString(), /one/)
  const told = await runClient('ssh', ['-F', config, '-tt', 'there', `git --no-pager -C ${repository} log`])
  t.equal(told.code, 0)
  t.match(told.stdout.toString(), /one/)
})

t.test('the records of all this are whole', async (t) => {
  await gated.check(t)
})
