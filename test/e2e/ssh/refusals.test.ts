/** The starter policy before real programs: what is refused is told in the program's own form, and the connection goes on. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { permitted } from '../records.ts'
import { startProgram } from '../../support/process.ts'
import { type Ended, runClient, ssh } from '../../support/ssh-clients.ts'
import { startGated } from './gated.ts'
import { movedStarter } from './starter.ts'

const { policy, srv } = await movedStarter(t)
const gated = await startGated(t, { policy })
const [, client] = gated.clients()

const shown = ({ code, stdout, stderr }: Ended) => ({ code, stdout: stdout.toString(), stderr })

/** The agent reads why, by its code, and what it may do instead. */
const teaches = (code: string) => new RegExp(`^sidegate: .+ \\[${code.replace('.', '\\.')}\\]\n(sidegate: .+\n)*$`)

t.test('commands that are allowed run as ever', async (t) => {
  t.same(shown(await ssh(client, ['there', `cat ${srv}/app/config.yml | wc -l`])), {
    code: 0,
    stdout: '2\n',
    stderr: '',
  })
  t.match(shown(await ssh(client, ['there', `ls -l ${srv}/absent`])), { code: 2, stderr: /No such file/ })
  t.match(shown(await ssh(client, ['there', 'id && uname -s; whoami'])), { code: 0, stdout: /uid=\d+.*\nLinux\n/ })
})

const REFUSED: Readonly<Record<string, string>> = {
  [`rm -rf ${srv}/app`]: 'commands.unlisted',
  'cat /etc/shadow': 'commands.unlisted',
  [`cat ${srv}/app/../../../etc/shadow`]: 'commands.unlisted',
  [`cat ${srv}/app/*`]: 'commands.expanded',
  [`cat ${srv}/app/config.yml > ${srv}/stolen`]: 'commands.expanded',
  'echo $HOME': 'commands.expanded',
  'sudo id': 'commands.user',
  [`sh -c 'touch ${srv}/made'`]: 'commands.unlisted',
  [`sh ${srv}/app/config.yml`]: 'commands.hidden',
  'PATH=/tmp ls': 'commands.expanded',
  [`ls; touch ${srv}/made`]: 'commands.unlisted',
  bash: 'shell.open',
  [`python3 -c 'open("${srv}/made", "w")'`]: 'commands.hidden',
  'echo "never closed': 'command.unparsable',
}

t.test('commands that are not allowed end with 126, why, and what would be allowed', async (t) => {
  for (const [command, code] of Object.entries(REFUSED)) {
    const { code: status, stdout, stderr } = shown(await ssh(client, ['there', command]))
    t.same({ status, stdout }, { status: 126, stdout: '' }, command)
    t.match(stderr, teaches(code), command)
  }
  t.notOk(existsSync(join(srv, 'made')))
  t.notOk(existsSync(join(srv, 'stolen')))
  t.ok(existsSync(join(srv, 'app/config.yml')))
})

t.test('a refusal on a terminal is told in whole lines', async (t) => {
  const { code, stdout, stderr } = shown(await ssh(client, ['-tt', 'there', 'rm x']))
  t.equal(code, 126)
  t.match(stdout + stderr, /^sidegate: .*\[commands\.unlisted\]\r\nsidegate: these may be run: .*\r\n$/)
})

t.test('a shell is refused, and says what to do instead', async (t) => {
  for (const flag of ['-T', '-tt']) {
    const { code, stdout, stderr } = shown(await ssh(client, [flag, 'there'], { input: `touch ${srv}/by-shell\n` }))
    t.equal(code, 126)
    t.match(
      stdout + stderr,
      /sidegate: a shell runs what nobody has judged \[shell\.open\]\r?\nsidegate: send one command/,
    )
  }
  t.notOk(existsSync(join(srv, 'by-shell')))
})

t.test('the connection goes on after each kind of refusal', async (t) => {
  const control = ['-o', `ControlPath=${join(client.directory, 'control')}`]
  const master = await startProgram('ssh', ['-F', client.config, ...control, '-M', '-N', 'there'])
  t.teardown(async () => void (await master.stop()))
  const works = async (why: string) =>
    t.same(shown(await ssh(client, [...control, 'there', 'echo fine'])), { code: 0, stdout: 'fine\n', stderr: '' }, why)
  while (!existsSync(join(client.directory, 'control'))) await new Promise((resolve) => setTimeout(resolve, 10))
  await works('at first')
  t.equal((await ssh(client, [...control, 'there', 'rm x'])).code, 126)
  await works('after a command')
  t.equal((await ssh(client, [...control, '-T', 'there'])).code, 126)
  await works('after a shell')
  const forward = await ssh(client, [...control, '-W', '127.0.0.1:1', 'there'])
  t.not(forward.code, 0)
  await works('after a forward')
  const batch = join(client.directory, 'alive')
  writeFileSync(
    batch,
    `-get /etc/shadow ${client.directory}/shadow\nget ${srv}/app/config.yml ${client.directory}/copy\n`,
  )
  const sftp = shown(await runClient('sftp', ['-q', '-F', client.config, ...control, '-b', batch, 'there']))
  t.match(sftp, { code: 0, stderr: /Permission denied|not found/ })
  t.ok(existsSync(join(client.directory, 'copy')), 'the next request of the same channel is served')
  await works('after sftp')
  const sessions = new Set((await gated.recorded()).slice(-5).map(({ decision }) => decision.session))
  t.equal(sessions.size, 1, 'it was one connection')
})

t.test('forwards are refused, by a port and by a socket, there and here', async (t) => {
  const { code, stderr } = shown(await ssh(client, ['-o', 'LogLevel=INFO', '-W', '127.0.0.1:22', 'there']))
  t.equal(code, 255)
  t.match(stderr, /administratively prohibited: forward\.open: a forward goes around/)
  const socket = join(client.directory, 'docker.sock')
  const local = await startProgram('ssh', ['-F', client.config, '-N', '-L', `${socket}:/var/run/docker.sock`, 'there'])
  t.teardown(async () => void (await local.stop()))
  while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 10))
  const asked = await runClient('/usr/bin/python3', [
    '-c',
    `import socket; s = socket.socket(socket.AF_UNIX); s.connect(${JSON.stringify(socket)}); print(s.recv(1))`,
  ])
  t.equal(asked.stdout.toString(), "b''\n", 'it is closed at once')
  const remote = await ssh(client, ['-o', 'ExitOnForwardFailure=yes', '-N', '-R', '127.0.0.1:0:127.0.0.1:22', 'there'])
  t.match(shown(remote), { code: 255, stderr: /remote port forwarding failed/ })
})

t.test("the host does not get at the agent's keys or display", async (t) => {
  const socket = join(client.directory, 'keys')
  const agent = await startProgram('ssh-agent', ['-D', '-a', socket])
  t.teardown(async () => void (await agent.stop()))
  await agent.output(/SSH_AUTH_SOCK/)
  await gated.recorded()
  const [, forwarding] = gated.clients({ IdentityAgent: 'SSH_AUTH_SOCK' })
  const ended = await ssh(forwarding, ['-A', 'there', 'echo ran'], { env: { SSH_AUTH_SOCK: socket } })
  t.match(shown(ended), { code: 0, stdout: 'ran\n' })
  const refused = (await gated.recorded()).filter(({ decision }) => !permitted(decision))
  t.same(
    refused.map(({ decision }) => decision.input.command.action),
    ['agent-forward'],
  )
})

t.test('variables that could change what commands do are not set', async (t) => {
  const variables = ['LD_PRELOAD=/tmp/x.so', 'BASH_ENV=/tmp/x', 'PATH=/tmp', 'GIT_SSH_COMMAND=sh', 'LC_TEST=kept']
  const ended = await ssh(client, ['-o', `SetEnv=${variables.join(' ')}`, 'there', 'id'])
  t.match(shown(ended), { code: 0, stdout: /^uid=/, stderr: '' })
})

t.test('sftp and scp say of each file that it may not be touched', async (t) => {
  const here = join(client.directory, 'files')
  mkdirSync(here)
  writeFileSync(join(here, 'file'), 'new\n')
  symlinkSync('/etc/passwd', join(srv, 'app/link'))
  const batch = join(here, 'batch')
  const tries = [
    `put ${here}/file ${srv}/app/config.yml`,
    `rm ${srv}/app/config.yml`,
    `rename ${srv}/app/config.yml ${srv}/agent/config.yml`,
    `mkdir ${srv}/app/made`,
    `ln -s /etc/shadow ${srv}/agent/link`,
    `ln ${srv}/app/config.yml ${srv}/agent/hard`,
    `chmod 777 ${srv}/app/config.yml`,
    `get /etc/passwd ${here}/passwd`,
    `get ${srv}/app/link ${here}/passwd`,
    `ls /root`,
  ]
  writeFileSync(
    batch,
    `${tries.map((line) => `-${line}\n`).join('')}put ${here}/file ${srv}/agent/file\nls ${srv}/agent\n`,
  )
  const { code, stdout, stderr } = shown(await runClient('sftp', ['-q', '-F', client.config, '-b', batch, 'there']))
  t.equal(code, 0, stderr)
  const denied = stderr.split('\n').filter((line) => line.includes('Permission denied'))
  t.ok(denied.length >= tries.length - 2, stderr)
  t.match(stdout, `${srv}/agent/file`)
  t.equal(readFileSync(join(srv, 'app/config.yml'), 'utf8'), 'one: 1\ntwo: 2\n')
  t.notOk(existsSync(join(here, 'passwd')))
  t.same(
    ['made'].filter((name) => existsSync(join(srv, 'app', name))),
    [],
  )

  const scp = (...args: string[]) => runClient('scp', ['-F', client.config, ...args])
  t.match(shown(await scp(join(here, 'file'), `there:${srv}/app/scp`)), { code: 1, stderr: /[Pp]ermission denied/ })
  const old = shown(await scp('-O', join(here, 'file'), `there:${srv}/app/scp`))
  t.not(old.code, 0)
  t.match(old.stderr, /sidegate: .*\[files\.copy\]\nsidegate: copy from .*scp without -O/)
  t.notOk(existsSync(join(srv, 'app/scp')))
  t.match(shown(await scp(join(here, 'file'), `there:${srv}/agent/scp`)), { code: 0 })
  t.match(shown(await scp('-O', `there:${srv}/agent/scp`, join(here, 'back'))), { code: 0, stderr: '' })
  t.equal(readFileSync(join(here, 'back'), 'utf8'), 'new\n')
})

t.test('rsync and git are told why, in the words of the policy', async (t) => {
  const here = join(client.directory, 'rsync')
  mkdirSync(here)
  writeFileSync(join(here, 'file'), 'new\n')
  const refused = shown(await runClient('rsync', ['-a', '-e', client.command, `${here}/`, `there:${srv}/app/`]))
  t.not(refused.code, 0)
  t.match(refused.stderr, /sidegate: .*\[files\.copy\]/)
  const allowed = shown(
    await runClient('rsync', ['-a', '--no-links', '-e', client.command, `${here}/`, `there:${srv}/agent/`]),
  )
  t.match(allowed, { code: 0, stderr: '' })
  t.ok(existsSync(join(srv, 'agent/file')))

  const env = { GIT_SSH_COMMAND: client.command, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
  const git = (...args: string[]) => runClient('git', args, { env, cwd: here })
  await git('init', '-q', '--bare', '-b', 'main', join(srv, 'git/app.git'))
  await git('init', '-q', '-b', 'main', 'mine')
  const author = ['-c', 'user.name=agent', '-c', 'user.email=agent@example.com']
  await git('-C', 'mine', ...author, 'commit', '-q', '--allow-empty', '-m', 'mine')
  t.match(shown(await git('ls-remote', `there:${srv}/git/app.git`)), { code: 0 })
  const push = shown(await git('-C', 'mine', 'push', `there:${srv}/git/app.git`, 'main'))
  t.not(push.code, 0)
  t.match(push.stderr, /sidegate: .*\[files\.copy\]/)
  t.equal((await git('-C', join(srv, 'git/app.git'), 'branch')).stdout.toString(), '')
})

t.test('other subsystems are refused by their code', async (t) => {
  const { code, stdout, stderr } = shown(await ssh(client, ['-s', 'there', 'netconf']))
  t.not(code, 0)
  t.match(stdout + stderr, /subsystem\.unknown|subsystem request failed/)
})

t.test('the records of all this are whole', async (t) => {
  await gated.check(t)
})
