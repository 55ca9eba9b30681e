/** What agents of SSH are told, and what runs, when a part fails: design, section 7. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { readJournal } from '../../../src/record/reader.ts'
import { buildBundle } from '../../support/bundle.ts'
import { freePort } from '../../support/ports.ts'
import { type Program, run, startProgram } from '../../support/process.ts'
import { type Ended, runClient, ssh, type SshClient, sshClient } from '../../support/ssh-clients.ts'
import { makeSshKey, publicLine } from '../../support/ssh-keys.ts'
import { startSshd } from '../../support/sshd.ts'
import { MAIN, until } from '../sidecar.ts'

// All of it is much quicker, on a machine that has nothing else to do.
t.setTimeout(150_000)

/** A start compiles and warms the policy. */
const START_MS = 30_000

const server = await startSshd()
t.teardown(() => server.stop())
const PERMISSIVE = await buildBundle('bundles/permissive')

interface Options {
  readonly bundle?: string
  /** Over the target. */
  readonly target?: Readonly<Record<string, unknown>>
  /** Put before the command line. */
  readonly wrapper?: readonly string[]
}

interface Running {
  readonly program: Program
  readonly client: SshClient
  readonly probes: number
  /** Where commands leave marks. */
  readonly marks: string
  marked(): string[]
  /** Names of marks whose command is on record as permitted. */
  recorded(): Promise<Set<string>>
}

let places = 0

/** `sidegate run` in a process of its own, before the sshd; again in the same place where one is given. */
async function spawned(
  t: Test,
  options: Options = {},
  at = join(server.directory, `place-${places++}`),
): Promise<Running> {
  const { bundle = PERMISSIVE, target = {}, wrapper = [] } = options
  const [marks, journal, key] = [join(at, 'marks'), join(at, 'journal'), join(at, 'host')]
  mkdirSync(marks, { recursive: true })
  const line = existsSync(key) ? publicLine(`${key}.pub`) : (await makeSshKey(key)).line
  const settings = {
    version: 1,
    probes: { listen: '127.0.0.1:0' },
    policy: { bundle: { file: bundle, allowUnsigned: true } },
    record: { journal: { directory: journal, maxSize: '64MiB', segmentSize: '8MiB' } },
    targets: {
      host: {
        protocol: 'ssh',
        listen: '127.0.0.1:0',
        upstream: { host: server.host, port: server.port, hostKeys: server.hostKeys },
        agent: { authenticate: 'none', hostKeyFile: key },
        credential: { user: server.user, privateKeyFile: server.client.file },
        shell: 'recorded',
        ...target,
      },
    },
  }
  const file = join(at, 'sidegate.yaml')
  writeFileSync(file, JSON.stringify(settings))
  const [command, ...args] = [...wrapper, process.execPath, MAIN, 'run', '--config', file]
  const program = await startProgram(command, args)
  t.teardown(async () => void (await program.stop('SIGKILL')))
  const [started] = await program.output(/^.*"msg":"started".*$/m, START_MS)
  const { ports } = JSON.parse(started) as { ports: { targets: { host: number }; probes: number } }
  const address = {
    host: '127.0.0.1',
    port: ports.targets.host,
    user: server.user,
    hostKeys: line === '' ? [] : [line],
  }
  return {
    program,
    client: sshClient(address),
    probes: ports.probes,
    marks,
    marked: () => readdirSync(marks),
    async recorded() {
      const names = new Set<string>()
      for await (const { record } of readJournal(journal)) {
        if (record.type !== 'decision' || record.custom.verdict !== 'permitted') continue
        const [, name] = /\/marks\/([\w-]+)/.exec(record.input.command.text) ?? []
        if (name !== undefined) names.add(name)
      }
      return names
    },
  }
}

const shown = ({ code, stdout, stderr }: Ended) => ({ code, stdout: stdout.toString(), stderr })

async function ready({ probes }: Running): Promise<string> {
  const reply = await fetch(`http://127.0.0.1:${probes}/readyz`)
  return `${reply.status} ${await reply.text()}`
}

/** Every kind of request is refused by this code, and nothing runs. */
async function refusesAll(t: Test, { client, marks, marked }: Running, code: string): Promise<void> {
  const said = new RegExp(`sidegate: .*\\[${code.replace('.', '\\.')}\\]`)
  t.match(shown(await ssh(client, ['there', `touch ${marks}/by-exec`])), { code: 126, stdout: '', stderr: said })
  t.match(shown(await ssh(client, ['-T', 'there'], { input: `touch ${marks}/by-shell\n` })), {
    code: 126,
    stderr: said,
  })
  const batch = join(client.directory, 'batch')
  writeFileSync(batch, `mkdir ${marks}/by-sftp\n`)
  t.not((await runClient('sftp', ['-q', '-F', client.config, '-b', batch, 'there'])).code, 0)
  t.not((await ssh(client, ['-W', `127.0.0.1:${server.port}`, 'there'])).code, 0)
  t.same(marked(), [])
}

t.test('without a policy every request is refused, and nothing is ready', async (t) => {
  const bundle = join(server.directory, 'garbage.tar.gz')
  writeFileSync(bundle, 'garbage')
  const sidecar = await spawned(t, { bundle })
  t.match(await ready(sidecar), /^503 policy\.unavailable/)
  await refusesAll(t, sidecar, 'policy.unavailable')
})

t.test(
  'a disk that is full refuses commands, ends what it can no longer record, and all goes on with room',
  async (t) => {
    const sidecar = await spawned(t, { wrapper: ['bash', '-c', 'ulimit -S -f 128; exec "$@"', 'bash'] })
    const { client, marks, marked } = sidecar
    const control = ['-o', `ControlPath=${join(client.directory, 'control')}`]
    const master = await startProgram('ssh', ['-F', client.config, ...control, '-M', '-N', 'there'])
    t.teardown(async () => void (await master.stop()))
    while (!existsSync(join(client.directory, 'control'))) await new Promise((resolve) => setTimeout(resolve, 10))
    // All output of a terminal is recorded.
    const flood = await ssh(client, ['-tt', 'there', 'yes'])
    t.match(
      `${flood.stdout.subarray(-500).toString()}${flood.stderr}`,
      /\[record\.unavailable\]/,
      'a stream that cannot be recorded ends',
    )
    const refused = await ssh(client, [...control, 'there', `touch ${marks}/unrecorded`])
    t.match(shown(refused), { code: 126, stderr: /\[record\.unavailable\]/ })
    t.match(await ready(sidecar), /^503 record\.unavailable/)
    t.not(
      (await ssh(client, ['there', `touch ${marks}/unrecorded`])).code,
      0,
      'a session that cannot be recorded is not begun',
    )
    t.same(marked(), [])

    t.equal((await run('prlimit', ['--pid', String(sidecar.program.pid), '--fsize=unlimited'])).code, 0)
    await until(async () => (await ready(sidecar)).startsWith('200'))
    t.match(shown(await ssh(client, ['there', `touch ${marks}/recorded`])), { code: 0, stderr: '' })
    t.same(marked(), ['recorded'])
  },
)

t.test('a host that is away is told as such, and the same connection finds it when it comes back', async (t) => {
  const port = await freePort()
  const upstream = { host: server.host, port, hostKeys: server.hostKeys }
  const sidecar = await spawned(t, { target: { upstream } })
  await refusesAll(t, sidecar, 'upstream.unavailable')
  const { client } = sidecar
  const control = ['-o', `ControlPath=${join(client.directory, 'control')}`]
  const master = await startProgram('ssh', ['-F', client.config, ...control, '-M', '-N', 'there'])
  t.teardown(async () => void (await master.stop()))
  while (!existsSync(join(client.directory, 'control'))) await new Promise((resolve) => setTimeout(resolve, 10))
  t.match(shown(await ssh(client, [...control, 'there', 'echo in'])), {
    code: 126,
    stderr: /\[upstream\.unavailable\]/,
  })
  const relay = await startProgram('/usr/bin/python3', ['-c', RELAY, String(port), String(server.port)])
  t.teardown(async () => void (await relay.stop()))
  await relay.output(/listening/)
  t.match(shown(await ssh(client, [...control, 'there', 'echo in'])), { code: 0, stdout: 'in\n', stderr: '' })
})

/** Passes bytes on: a host that is there again. */
const RELAY = `
import asyncio, sys
async def pipe(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def serve(reader, writer):
    far, to = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    await asyncio.gather(pipe(reader, to), pipe(far, writer))
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    print("listening", flush=True)
    await server.serve_forever()
asyncio.run(main())
`

t.test(
  'a host that is silent, no host of SSH, or does not take the credential is told as such, and no more',
  async (t) => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    const rude = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
    await Promise.all([once(silent, 'listening'), once(rude, 'listening')])
    t.teardown(() => [silent, rude].forEach((each) => each.close()))
    for (const each of [silent, rude]) {
      const { port } = each.address() as { port: number }
      const upstream = { host: server.host, port, hostKeys: server.hostKeys }
      const sidecar = await spawned(t, { target: { upstream, limits: { handshake: '2s' } } })
      t.match(shown(await ssh(sidecar.client, ['there', 'echo in'])), {
        code: 126,
        stderr: /\[upstream\.unavailable\]/,
      })
      await sidecar.program.stop()
    }
    const wrong = await makeSshKey(join(server.directory, 'wrong'))
    const sidecar = await spawned(t, { target: { credential: { user: server.user, privateKeyFile: wrong.file } } })
    const { code, stderr } = shown(await ssh(sidecar.client, ['there', 'echo in']))
    t.equal(code, 126)
    t.match(stderr, /\[upstream\.rejected\]/)
    t.notOk(
      stderr.includes(wrong.line.split(' ')[1] ?? '-') || stderr.includes(wrong.file),
      'nothing of the credential is shown',
    )
  },
)

t.test('a host that dies in the middle ends the command, and says so', async (t) => {
  const sidecar = await spawned(t)
  const { client } = sidecar
  const running = await startProgram('ssh', ['-F', client.config, 'there', 'echo runs; exec sleep 60'])
  await running.output(/runs/)
  server.disconnect()
  const { code } = await running.exited
  t.equal(code, 126)
  t.match(running.stderr(), /sidegate: .*\[upstream\.unavailable\]/)
  t.match(shown(await ssh(client, ['there', 'echo in'])), { code: 0, stdout: 'in\n' }, 'the next one is served')
})

t.test('SIGTERM lets what ends soon end, tells the rest, and leaves no command without its outcome', async (t) => {
  const sidecar = await spawned(t)
  const { client, program } = sidecar
  const soon = await startProgram('ssh', ['-F', client.config, 'there', 'echo runs; sleep 1; echo done; exit 3'])
  const never = await startProgram('ssh', ['-F', client.config, 'there', 'echo runs; exec sleep 120'])
  await Promise.all([soon.output(/runs/), never.output(/runs/)])
  program.signal('SIGTERM')
  t.same(await soon.exited, { code: 3, signal: null })
  t.match(soon.stdout(), 'done')
  t.not((await ssh(client, ['there', 'true'])).code, 0, 'nobody else is let in')
  const { code } = await never.exited
  t.equal(code, 126)
  t.match(never.stderr(), /sidegate: .*shutting down/)
  t.equal((await program.exited).code, 0)
})

t.test('a sidecar that is killed under load has run nothing that is not on record, and goes on', async (t) => {
  const at = mkdtempSync(join(tmpdir(), 'sidegate-ssh-crash-'))
  t.teardown(() => rmSync(at, { recursive: true, force: true }))
  for (let round = 0; round < 2; round++) {
    const sidecar = await spawned(t, {}, at)
    const { client, marks, marked } = sidecar
    const stopping = new AbortController()
    const before = marked().length
    const agents = Array.from({ length: 4 }, async (_, index) => {
      for (let turn = 0; !stopping.signal.aborted; turn++) {
        const [one, two, three] = [0, 1, 2].map((part) => `${marks}/${round}-${index}-${turn}-${part}`)
        await ssh(client, ['there', `touch ${one} && touch ${two}; touch ${three}`])
      }
    })
    await until(() => marked().length >= before + 30).finally(() => {
      sidecar.program.signal('SIGKILL')
      stopping.abort()
    })
    await Promise.all([...agents, sidecar.program.exited])
    const recorded = await sidecar.recorded()
    const first = (name: string) => name.replace(/-\d$/, '-0')
    t.same(
      marked().filter((name) => !recorded.has(first(name))),
      [],
      'nothing ran that is not on record',
    )
  }
  const again = await spawned(t, {}, at)
  t.match(shown(await ssh(again.client, ['there', 'echo in'])), { code: 0, stdout: 'in\n' })
})
