/** `ssh host command` as people and scripts use it: what policy allows looks the same to the byte. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { removeAtExit, startProgram } from '../../support/process.ts'
import { runClient, ssh, sshClient } from '../../support/ssh-clients.ts'
import { alike, look, type Scenario, scenarios, sha256 } from './both.ts'
import { startGated } from './gated.ts'

const MiB = 1024 ** 2
const gated = await startGated(t)
const directory = mkdtempSync(join(tmpdir(), 'sidegate-exec-'))
removeAtExit(directory)

const ENDS: Readonly<Record<string, Scenario>> = {
  'a command that succeeds': { run: 'true', gives: { code: 0 } },
  'a command that fails': { run: 'false', gives: { code: 1 } },
  'exit status 2': { run: 'exit 2', gives: { code: 2 } },
  'exit status 126 of the command itself': { run: '/etc/passwd', gives: { code: 126, stderr: /denied/ } },
  'a command that is not there': { run: 'no-such-command', gives: { code: 127, stderr: /not found/ } },
  'exit status 255 of the command itself': { run: 'exit 255', gives: { code: 255, stderr: '' } },
  'a command that a signal kills': { run: 'kill -TERM $$', gives: { code: 255 } },
  'a command that dies of its own fault': { run: 'kill -SEGV $$' },
  'a command that the shell sees die': {
    run: '{ sh -c \'kill -KILL $$\'; } 2>/dev/null; echo "$?"',
    gives: { code: 0, stdout: '137\n' },
  },
  'a command line with an error': { run: 'echo "never closed', gives: { code: 2 } },
}

t.test('exit statuses and signals are those of the command', async (t) => {
  const { 'a command line with an error': broken, ...whole } = ENDS
  await scenarios(t, gated, whole)
  const [direct, through] = gated.clients()
  t.equal((await ssh(direct, ['there', broken?.run ?? ''])).code, 2)
  const refused = await ssh(through, ['there', broken?.run ?? ''])
  t.match(refused, { code: 126, stderr: /\[command\.unparsable\]/ }, 'what cannot be understood is refused')
})

const STREAMS: Readonly<Record<string, Scenario>> = {
  'output and errors apart': {
    run: 'echo out; echo err >&2; echo out again; exit 9',
    gives: { code: 9, stdout: 'out\nout again\n', stderr: 'err\n' },
  },
  'errors only': { run: 'echo err >&2', gives: { stdout: '', stderr: 'err\n' } },
  'errors after the output was closed': {
    run: 'exec 1>&-; sleep 0.05; echo err >&2; exit 3',
    gives: { code: 3, stderr: 'err\n' },
  },
  'no output at all': { run: ':', gives: { stdout: '', stderr: '' } },
  'standard input from nowhere': { run: 'cat; echo done', options: ['-n'], gives: { stdout: 'done\n' } },
  'standard input that is closed': { run: 'wc -c', input: '', gives: { stdout: '0\n' } },
  'input until its end, and output after it': {
    run: 'cat; echo after',
    input: 'all of it\n',
    gives: { stdout: 'all of it\nafter\n' },
  },
  'input that the command does not read': { run: 'exec 0<&-; echo done', input: 'x'.repeat(100_000) },
  'words with every kind of quoting': {
    run: `printf '%s|' 'a b' "c'd" e\\ f "\\$HOME" '"' $'t\\tn' "é😀" ''`,
    gives: { stdout: /^a b\|c'd\|e f\|\$HOME\|"\|t\tn\|/ },
  },
  'expansions, pipes, lists, loops and here-documents': {
    run: 'for i in 1 2 3; do echo "$i $((i * 2))"; done | sort -r | head -n 2; cat <<END\nhere $(echo doc)\nEND\nfalse || echo other && echo both',
    gives: { code: 0 },
  },
  'a remote reader that goes away': { run: 'yes | head -n 1', gives: { code: 0, stdout: 'y\n' } },
  'five megabytes, and then the exit status': {
    run: `head -c ${5 * MiB} /dev/zero; exit 7`,
    gives: { code: 7, stdout: /^5242880 bytes/ },
  },
  'much on both streams': {
    run: `head -c ${MiB} /dev/zero >&2; head -c ${MiB} /dev/zero; head -c 10 /dev/zero >&2; exit 5`,
    gives: { code: 5 },
  },
  'a background process that keeps nothing open': {
    run: 'sleep 30 >/dev/null 2>&1 </dev/null & echo "here"',
    gives: { code: 0, stdout: 'here\n' },
  },
}

t.test('standard input, output and errors are the same to the byte', async (t) => {
  await scenarios(t, gated, STREAMS)
})

t.test('binary data goes through unchanged, and the end of input is told', async (t) => {
  const data = randomBytes(10 * MiB)
  const up = await alike(t, gated.clients(), 'input', async (client) =>
    look(await ssh(client, ['there', 'sha256sum'], { input: data })),
  )
  t.match(up, { code: 0, stdout: sha256(data) })
  const round = await alike(t, gated.clients(), 'cat', async (client) => {
    const { code, stdout, stderr } = await ssh(client, ['there', 'cat'], { input: data })
    return { code, stderr, same: stdout.equals(data) }
  })
  t.same(round, { code: 0, stderr: '', same: true })
})

t.test('variables that agents may set arrive', async (t) => {
  await scenarios(t, gated, {
    'LANG and LC_*': {
      run: 'printf \'%s|\' "$LANG" "$LC_ALL" "$LC_TEST"',
      options: ['-o', 'SendEnv=LANG LC_*', '-o', 'SetEnv=GIT_PROTOCOL=version=2'],
      env: { LANG: 'de_DE.UTF-8', LC_ALL: 'C', LC_TEST: 'ünicode with spaces' },
      gives: { stdout: /^de_DE.UTF-8\|C\|/ },
    },
    'the version of the protocol of git': {
      run: 'echo "$GIT_PROTOCOL"',
      options: ['-o', 'SetEnv=GIT_PROTOCOL=version=2'],
      gives: { stdout: 'version=2\n' },
    },
  })
})

t.test('a local reader that goes away ends the command', async (t) => {
  const ended = await alike(t, gated.clients(), 'yes | head', async ({ config, directory: own }) => {
    const pid = join(own, 'pid')
    const line = `ssh -F ${config} there 'echo $$ >${pid}; exec yes' | head -n 1; while kill -0 "$(cat ${pid})" 2>/dev/null; do sleep 0.02; done; echo gone`
    return look(await runClient('sh', ['-c', line]))
  })
  t.match(ended, { stdout: 'y\ngone\n' })
})

t.test('a reader that stalls and then goes away ends the command', async (t) => {
  const ended = await alike(t, gated.clients(), 'stalled', async ({ config, directory: own }) => {
    const pid = join(own, 'stalled-pid')
    const line = `timeout 15 ssh -F ${config} there 'echo $$ >${pid}; head -c ${40 * MiB} /dev/zero; echo err >&2' | { head -c 1000000 >/dev/null; sleep 1; }; while kill -0 "$(cat ${pid})" 2>/dev/null; do sleep 0.02; done; echo gone`
    const began = Date.now()
    const { code, stdout } = await runClient('sh', ['-c', line])
    return { code, stdout: stdout.toString(), soon: Date.now() - began < 10_000 }
  })
  t.same(ended, { code: 0, stdout: 'gone\n', soon: true })
})

t.test('a slow reader loses nothing', async (t) => {
  const size = 20 * MiB
  const slow = await alike(t, gated.clients(), 'slow', async ({ config }) => {
    const line = `ssh -F ${config} there 'head -c ${size} /dev/zero; echo end >&2' | { sleep 1; head -c 100000; sleep 0.3; cat; } | sha256sum`
    return look(await runClient('sh', ['-c', line]))
  })
  t.match(slow, { stdout: sha256(Buffer.alloc(size)), stderr: 'end\n' })
})

t.test('data goes through whole when keys are made anew on the way', async (t) => {
  const data = randomBytes(3 * MiB)
  const rekeyed = await alike(t, gated.clients({ RekeyLimit: '1M' }), 'rekeyed', async (client) => {
    const up = await ssh(client, ['there', 'sha256sum'], { input: data })
    const round = await ssh(client, ['there', `head -c ${5 * MiB} /dev/zero; cat`], { input: data })
    return { up: look(up), code: round.code, digest: sha256(round.stdout) }
  })
  t.match(rekeyed.up, { code: 0, stdout: sha256(data) })
  t.equal(rekeyed.digest, sha256(Buffer.concat([Buffer.alloc(5 * MiB), data])))
})

t.test('many commands at once on one connection do not disturb each other', async (t) => {
  await gated.recorded()
  await alike(t, gated.clients({ ControlMaster: 'auto', ControlPersist: '60' }), 'multiplexed', async (client) => {
    const shared = ['-o', `ControlPath=${join(client.directory, 'control')}`]
    const first = await ssh(client, [...shared, 'there', 'echo first'])
    const many = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const input = Buffer.alloc(MiB, index)
        const { code, stdout, stderr } = await ssh(
          client,
          [...shared, 'there', `cat; echo ${index} >&2; exit ${index}`],
          { input },
        )
        return { code, stderr, same: stdout.equals(input) }
      }),
    )
    t.same(
      many,
      many.map((_, index) => ({ code: index, stderr: `${index}\n`, same: true })),
    )
    const last = await ssh(client, [...shared, 'there', 'echo last'])
    const exit = await ssh(client, [...shared, '-O', 'exit', 'there'])
    return { first: look(first), many, last: look(last), exit: exit.code }
  })
  const sessions = new Set((await gated.recorded()).map(({ decision }) => decision.session))
  t.equal(sessions.size, 1, 'it was one connection')
})

t.test('a client that is killed takes its command with it', async (t) => {
  await alike(t, gated.clients(), 'killed', async ({ config, directory: own }) => {
    const pid = join(own, 'pid')
    const args = ['-F', config, 'there', `echo $$ >${pid}; echo runs; exec cat`]
    const running = await startProgram('ssh', args, { stdio: ['pipe', 'pipe', 'pipe'] })
    await running.output(/runs/)
    await running.stop('SIGKILL')
    const wait = `while kill -0 "$(cat ${pid})" 2>/dev/null; do sleep 0.02; done; echo gone`
    t.equal((await runClient('sh', ['-c', wait])).stdout.toString(), 'gone\n')
  })
})

t.test("the keys of an agent's ssh-agent are as good as a file", async (t) => {
  const socket = join(directory, 'agent')
  const agent = await startProgram('ssh-agent', ['-D', '-a', socket])
  t.teardown(() => agent.stop())
  await agent.output(/SSH_AUTH_SOCK/)
  const { identity = '', ...guarded } = gated.guarded
  const added = await runClient('ssh-add', ['-q', identity], { env: { SSH_AUTH_SOCK: socket } })
  t.equal(added.code, 0, added.stderr)
  const settings = { IdentityAgent: socket, IdentitiesOnly: 'no' }
  t.match(await ssh(sshClient(guarded, settings), ['there', 'echo in']), { code: 0 })
  await runClient('ssh-add', ['-q', '-D'], { env: { SSH_AUTH_SOCK: socket } })
  t.match(await ssh(sshClient(guarded, settings), ['there', 'echo in']), { code: 255, stderr: /Permission denied/ })
})

t.test('the records of all this are whole', async (t) => {
  await gated.check(t)
})
