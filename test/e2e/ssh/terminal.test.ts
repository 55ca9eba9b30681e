/** Commands and shells on a terminal, past the gate and through it: modes, sizes, keys. */
import t, { type Test } from 'tap'
import { runClient } from '../../support/ssh-clients.ts'
import { alike } from './both.ts'
import { startGated } from './gated.ts'
import { onTerminal, type Shown, type Step } from './on-terminal.ts'

const gated = await startGated(t, { server: { bashrc: "PS1='[ready] '; unset PROMPT_COMMAND; set +o history\n" } })

const clients = gated.clients()

async function same(t: Test, what: string, args: readonly string[], steps: readonly Step[]): Promise<Shown> {
  const shown = await alike(t, clients, what, (client) => onTerminal(client, args, steps))
  t.equal(shown.missing, null, `${what}: ${JSON.stringify(shown.output.slice(-200))}`)
  return shown
}

t.test('a command has the terminal that it asks for', async (t) => {
  const { output, code } = await same(
    t,
    'modes',
    ['-tt', 'there', 'stty -a; stty size; tty -s && echo "$TERM"; exit 5'],
    [],
  )
  t.match(output, /24 80\r\nxterm-256color\r\n/)
  t.equal(code, 5)
  const without = await same(t, 'none', ['-T', 'there', 'tty; exit 3'], [])
  t.match(without, { output: 'not a tty\r\n', code: 3 })
})

t.test('a change of the window arrives while the command runs', async (t) => {
  const line =
    'trap \'stty size; n=$((n + 1))\' WINCH; n=0; echo waiting; while [ $n -lt 1 ]; do sleep 0.02; done; read -r x; echo "$x"; stty size'
  const { output } = await same(
    t,
    'window',
    ['-tt', 'there', line],
    [{ expect: 'waiting' }, { resize: [40, 132] }, { expect: '40 132' }, { send: 'enough\n' }],
  )
  t.match(output, /enough\r\nenough\r\n40 132\r\n$/)
})

t.test('keys of a terminal are the signals that they are for', async (t) => {
  const interrupted = await same(
    t,
    'Ctrl-C',
    ['-tt', 'there', "trap 'echo interrupted; exit 9' INT; echo waiting; sleep 60 & wait"],
    [{ expect: 'waiting' }, { send: '\x03' }, { expect: 'interrupted' }],
  )
  t.equal(interrupted.code, 9)
  const ended = await same(
    t,
    'Ctrl-D',
    ['-tt', 'there', 'cat; echo "over"'],
    [{ send: 'line\n' }, { expect: 'line\r\nline\r\n' }, { send: '\x04' }, { expect: 'over' }],
  )
  t.equal(ended.code, 0)
  const silent = await same(
    t,
    'no echo',
    ['-tt', 'there', 'stty -echo; echo ask; read -r x; echo "got $x"'],
    [{ expect: 'ask' }, { send: 'hidden\n' }, { expect: 'got hidden' }],
  )
  t.notMatch(silent.output, /ask\r\nhidden/)
})

t.test('a shell that policy allows is a shell: prompt, editing, jobs, history, size', async (t) => {
  const prompt = { expect: '[ready] ' }
  const shown = await same(
    t,
    'shell',
    ['there'],
    [
      prompt,
      { send: 'echo one two\n' },
      { expect: 'one two\r\n' },
      prompt,
      { send: 'echo typXo\x02\x7fe\x05\n' },
      { expect: 'typeo\r\n' },
      prompt,
      { send: 'sh -c "echo go; exec sleep 60"\n' },
      { expect: 'l\rgo\r\n' },
      { send: '\x03' },
      prompt,
      // What is typed before `cat` reads would be echoed, or not, by whoever has the terminal.
      { send: 'sh -c "echo in; exec cat"\n' },
      { expect: 'l\rin\r\n' },
      { send: 'through the terminal\n' },
      { expect: 'through the terminal\r\nthrough the terminal\r\n' },
      { send: '\x04' },
      prompt,
      { resize: [33, 111] },
      prompt,
      { send: 'stty size; echo "$-" | grep -c i\n' },
      { expect: '33 111\r\n1\r\n' },
      prompt,
      { send: 'exit 42\n' },
    ],
  )
  t.equal(shown.code, 42)
})

t.test('a shell without a terminal reads its commands from standard input', async (t) => {
  const shown = await alike(t, clients, 'script', async ({ config }) => {
    const { code, stdout, stderr } = await runClient('ssh', ['-T', '-F', config, 'there'], {
      input: 'echo out; echo err >&2\nexit 6\n',
    })
    return { code, stdout: stdout.toString(), stderr }
  })
  t.same(shown, { code: 6, stdout: 'out\n', stderr: 'err\n' })
})

t.test('much output of a terminal comes whole, and is recorded whole', async (t) => {
  const { output } = await same(t, 'much', ['-tt', 'there', 'seq 1 50000'], [])
  t.ok(output.endsWith('49999\r\n50000\r\n'))
})

t.test('the records of all this are whole', async (t) => {
  await gated.check(t)
})
