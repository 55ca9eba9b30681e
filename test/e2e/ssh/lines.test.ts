/** A line-gated shell under ssh itself, before a real sshd: on a terminal, and as a script. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ssh } from '../../support/ssh-clients.ts'
import { startGated } from './gated.ts'
import { onTerminal, type Step } from './on-terminal.ts'

const POLICY = `package policy.lines

import data.sidegate.ssh

allow contains {"code": "lines.shell"} if ssh.shell_is("line-gated")

allow contains {"code": "lines.setup"} if ssh.housekeeping

_listed if ssh.only_runs_with({"MODE"}, {
	"cat": true, "cd": {"flags": "", "paths": {"/"}, "least": 1}, "echo": true, "false": true, "ls": true,
	"printenv": true, "pwd": true, "seq": true, "sleep": true, "tty": true,
})

allow contains {"code": "lines.commands"} if _listed

deny contains {"code": "lines.rm", "message": "nothing is removed here", "remedy": "leave files alone"} if {
	ssh.runs("rm")
	not _listed
}
`

const gated = await startGated(t, { policy: { lines: POLICY }, target: { shell: 'line-gated' } })
const directory = mkdtempSync(join(tmpdir(), 'sidegate-lines-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
mkdirSync(join(directory, 'sub'))
writeFileSync(join(directory, 'sub', 'file'), 'the file\n')

const [, client] = gated.clients()

async function typed(steps: readonly Step[]): Promise<{ output: string; code: number }> {
  const shown = await onTerminal(client, ['-tt', 'there'], steps)
  t.equal(shown.missing, null, shown.output)
  // oxlint-disable-next-line no-control-regex -- they are what is left out
  return { output: shown.output.replaceAll(/\x1b\[[?0-9;]*[A-Za-z]/g, '').replaceAll('\r', ''), code: shown.code }
}

async function texts(): Promise<string[]> {
  const all = await gated.recorded()
  return all
    .filter(({ decision }) => decision.input.command.action === 'exec')
    .map(({ decision }) => `${decision.custom.verdict} ${decision.input.command.text}`)
}

t.test('lines are typed, judged one by one, and run where the agent has gone', async (t) => {
  const { output, code } = await typed([
    { expect: 'line-gated shell' },
    { expect: '$ ' },
    { send: 'echo onX\x7fe\r' },
    { expect: 'one\r\n' },
    { expect: '$ ' },
    { send: `rm -rf ${directory}\r` },
    { expect: 'sidegate: nothing is removed here [lines.rm]\r\nsidegate: leave files alone\r\n' },
    { expect: '$ ' },
    { send: `cd ${directory}\r` },
    { expect: '$ ' },
    { send: 'cd sub\r' },
    { expect: '/sub$ ' },
    { send: 'cat file\r' },
    { expect: 'the file\r\n' },
    { expect: '$ ' },
    { send: 'export MODE=fast\r' },
    { expect: '$ ' },
    { send: 'printenv MODE; pwd; tty\r' },
    { expect: `fast\r\n${directory}/sub\r\nnot a tty\r\n` },
    { expect: '$ ' },
    { send: 'export PATH=/tmp\r' },
    { expect: '[' },
    { expect: '$ ' },
    { send: "echo 'unfinished\r" },
    { expect: '[command.unparsable]' },
    { expect: '$ ' },
    { send: '\x1b[A\x1b[A\x1b[A\r' },
    { expect: 'fast\r\n' },
    { expect: '$ ' },
    { send: 'false\r' },
    { expect: '$ ' },
    { send: '\x04' },
  ])
  t.equal(code, 1, output)
  const there = `cd '${directory}/sub' || exit; `
  t.strictSame(await texts(), [
    'permitted echo one',
    `refused rm -rf ${directory}`,
    `permitted cd '${directory}' && pwd -P`,
    `permitted cd '${directory}/sub' && pwd -P`,
    `permitted ${there}cat file`,
    `permitted ${there}export MODE='fast'`,
    `permitted ${there}export MODE='fast'; printenv MODE; pwd; tty`,
    `refused ${there}export MODE='fast'; export PATH='/tmp'`,
    `refused echo 'unfinished`,
    `permitted ${there}export MODE='fast'; printenv MODE; pwd; tty`,
    `permitted ${there}export MODE='fast'; false`,
  ])
})

t.test(
  'what is typed while a command runs is its input; ^D ends it, ^C interrupts, and kills the second time',
  async (t) => {
    const { output, code } = await typed([
      { expect: '$ ' },
      { send: 'echo begun; cat; echo over\r' },
      { expect: 'begun\r\n' },
      { send: 'a liX\x7fne\r' },
      { expect: 'a line\r\n' },
      { send: '\x04' },
      { expect: 'over\r\n' },
      { expect: '$ ' },
      { send: 'echo begun; sleep 9\r' },
      { expect: 'begun\r\n' },
      { send: '\x03\x03' },
      { expect: '^C\r\n^C\r\n' },
      { expect: '$ ' },
      { send: 'exit\r' },
    ])
    t.equal(code, 137, output)
  },
)

t.test('a paste of several lines is judged line by line', async (t) => {
  const { code } = await typed([
    { expect: '\x1b[?2004h' },
    { send: '\x1b[200~echo first\nrm -rf /\necho "third\x1b[201~"\r' },
    { expect: 'first\r\n' },
    { expect: '[lines.rm]' },
    { expect: '"third"' },
    { expect: 'third\r\n' },
    { expect: '$ ' },
    { send: 'exit 5\r' },
  ])
  t.equal(code, 5)
})

t.test('a line that is wider than the terminal is shown whole, also when the terminal changes', async (t) => {
  const long = `echo ${'0123456789'.repeat(15)}`
  const { output } = await typed([
    { expect: '$ ' },
    { send: long },
    { resize: [30, 50] },
    { expect: '\x1b[J' },
    { send: '\x01\x05\r' },
    { expect: `${'0123456789'.repeat(15)}\r\n` },
    { expect: '$ ' },
    { send: 'exit\r' },
  ])
  t.ok(output.includes(`\n${'0123456789'.repeat(15)}\n`))
})

t.test('much output comes whole', async (t) => {
  const { output } = await typed([
    { expect: '$ ' },
    { send: 'seq 1 50000\r' },
    { expect: '50000\r\n' },
    { expect: '$ ' },
    { send: 'exit\r' },
  ])
  t.ok(output.includes(Array.from({ length: 50_000 }, (_, index) => `${index + 1}\n`).join('')))
})

t.test('without a terminal each line of a script is judged, and the status is the last one’s', async (t) => {
  const input = `echo out\nrm x\ncd ${directory}\ncat sub/file\ncat\nls nowhere\n`
  const { code, stdout, stderr } = await ssh(client, ['-T', 'there'], { input })
  t.equal(stdout.toString(), 'out\nthe file\n')
  t.match(stderr, /^sidegate: nothing is removed here \[lines\.rm\]\nsidegate: leave files alone\nls: /)
  t.equal(code, 2)
  const exiting = await ssh(client, ['-T', 'there'], { input: 'echo a\nexit 7\necho b\n' })
  t.equal(exiting.code, 7)
  t.equal(exiting.stdout.toString(), 'a\n')
})

t.test('under the starter policy agents look around where files may be read, and nowhere else', async (t) => {
  const starter = await startGated(t, { policy: 'starter-ssh', target: { shell: 'line-gated' } })
  const [, agent] = starter.clients()
  const input = 'cd /var/log\npwd\nls -d .\ncat ../../etc/passwd\ncd /etc\nls -d /etc\nls *\nexport PATH=/tmp\ncat\n'
  const { stdout, stderr } = await ssh(agent, ['-T', 'there'], { input })
  t.equal(stdout.toString(), '/var/log\n.\n')
  const codes = [...stderr.matchAll(/\[(?<code>[a-z.]+)\]/g)].map(({ groups }) => groups?.['code'])
  t.strictSame(codes, [
    'commands.unlisted',
    'commands.unlisted',
    'commands.unlisted',
    'commands.expanded',
    'commands.expanded',
  ])
})

t.test('a client that leaves while a line runs leaves nothing behind', async (t) => {
  await onTerminal(
    client,
    ['-tt', 'there'],
    [{ expect: '$ ' }, { send: 'echo begun; sleep 9\r' }, { expect: 'begun\r\n' }, { send: '\r~.' }],
  )
  await gated.check(t)
})
