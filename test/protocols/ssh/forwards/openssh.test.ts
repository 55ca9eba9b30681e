/** Forwards as ssh's own options make them: what policy allows works as it does without the gate, what it does not is refused. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { freePort } from '../../../support/ports.ts'
import { type Program, removeAtExit, run, startProgram } from '../../../support/process.ts'
import { runClient, ssh, type SshClient, sshClient } from '../../../support/ssh-clients.ts'
import { makeSshKey } from '../../../support/ssh-keys.ts'
import { alike, look, sha256 } from '../../../e2e/ssh/both.ts'
import { startGated } from '../../../e2e/ssh/gated.ts'

const MiB = 1024 ** 2
const UP_MS = 15_000
const directory = mkdtempSync(join(tmpdir(), 'sidegate-forwards-'))
removeAtExit(directory)

const gated = await startGated(t)
const refusing = await startGated(t, {
  policy: {
    forwards: `package policy.forwards

import data.sidegate.ssh

allow contains {"code": "forwards.known"} if ssh.forwards_to({"localhost:7", "/run/allowed.sock"})
allow contains {"code": "listeners.known"} if ssh.listens_on({"127.0.0.1:0"})
allow contains {"code": "forwards.exec"} if ssh.asks_only_for({"exec"})
`,
  },
})

/** Sends back what it gets, when that has ended: the half-close of both sides is what makes it work. */
function answering(socket: Socket): void {
  socket.on('error', () => {})
  void buffer(socket).then((all) => socket.end(`${all.length} ${sha256(all)}`))
}

async function listening(t: Test, at: number | string, serve: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, serve)
  t.teardown(() => server.close())
  if (typeof at === 'string') server.listen(at)
  else server.listen(at, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Connects, however long it takes until somebody listens. */
async function reach(at: { readonly port: number } | { readonly path: string }): Promise<Socket> {
  for (const deadline = Date.now() + UP_MS; ;) {
    const socket = connect({ host: '127.0.0.1', ...at, allowHalfOpen: true })
    try {
      await once(socket, 'connect')
      socket.on('error', () => {})
      return socket
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

async function asked(socket: Socket, bytes: Buffer): Promise<string> {
  socket.end(bytes)
  return await text(socket)
}

/** An ssh that only forwards, until the test has ended. */
async function forwarding(t: Test, { config }: SshClient, ...options: string[]): Promise<Program> {
  const program = await startProgram('ssh', ['-F', config, '-N', '-o', 'ExitOnForwardFailure=yes', ...options, 'there'])
  t.teardown(() => program.stop())
  return program
}

t.test('-W joins standard input and output to the destination', async (t) => {
  const port = await listening(t, 0, answering)
  const input = randomBytes(3 * MiB)
  const found = await alike(t, gated.clients(), '-W', async (client) =>
    look(await ssh(client, ['-W', `localhost:${port}`, 'there'], { input })),
  )
  t.match(found, { code: 0, stdout: `${input.length} ${sha256(input)}` })
  const [command] = await gated.recorded()
  t.match(command, {
    decision: { input: { command: { action: 'forward', detail: { destination: { host: 'localhost', port } } } } },
  })
})

t.test('-L carries large transfers and half-closed connections, many at once', async (t) => {
  const port = await listening(t, 0, answering)
  await alike(t, gated.clients(), '-L', async (client) => {
    const local = await freePort()
    await forwarding(t, client, '-L', `127.0.0.1:${local}:127.0.0.1:${port}`)
    const large = Buffer.alloc(20 * MiB, 'large')
    const all = [large, ...Array.from({ length: 8 }, (_, index) => Buffer.alloc(index * 10_000, index))]
    return await Promise.all(all.map(async (bytes) => await asked(await reach({ port: local }), bytes)))
  })
})

t.test('-L of a socket, and a destination that speaks first', async (t) => {
  const path = join(directory, 'upstream.sock')
  await listening(t, path, (socket) => socket.end('220 ready\r\n'))
  const found = await alike(t, gated.clients(), '-L socket', async (client) => {
    const local = join(client.directory, 'local.sock')
    await forwarding(t, client, '-L', `${local}:${path}`)
    return await asked(await reach({ path: local }), Buffer.alloc(0))
  })
  t.equal(found, '220 ready\r\n')
})

t.test('-D: curl gets a page through it, by address and by name', async (t) => {
  const port = await listening(t, 0, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage'))
  })
  const found = await alike(t, gated.clients(), '-D', async (client) => {
    const local = await freePort()
    await forwarding(t, client, '-D', `127.0.0.1:${local}`)
    ;(await reach({ port: local })).destroy()
    const get = async (proxy: string) =>
      look(
        await runClient('curl', [
          '-sS',
          '--noproxy',
          '',
          '-x',
          `${proxy}://127.0.0.1:${local}`,
          `http://localhost:${port}/`,
        ]),
      )
    return [await get('socks5'), await get('socks5h'), await get('socks4a')]
  })
  t.match(found, [{ stdout: 'page' }, { stdout: 'page' }, { stdout: 'page' }])
})

t.test('-R on a port of the host’s choice leads back to the agent’s side', async (t) => {
  const port = await listening(t, 0, answering)
  const bytes = randomBytes(2 * MiB)
  const found = await alike(t, gated.clients({ LogLevel: 'INFO' }), '-R', async (client) => {
    const program = await forwarding(t, client, '-R', `0:127.0.0.1:${port}`)
    const [, allocated] = await program.output(/Allocated port (\d+) for remote forward/, UP_MS)
    return await asked(await reach({ port: Number(allocated) }), bytes)
  })
  t.equal(found, `${bytes.length} ${sha256(bytes)}`)
})

t.test('-R on a port and on a socket that the agent names', async (t) => {
  const port = await listening(t, 0, answering)
  await alike(t, gated.clients(), '-R', async (client) => {
    const [remote, path] = [await freePort(), join(client.directory, 'remote.sock')]
    await forwarding(t, client, '-R', `${remote}:127.0.0.1:${port}`, '-R', `${path}:127.0.0.1:${port}`)
    const bytes = Buffer.from('hello')
    return [await asked(await reach({ port: remote }), bytes), await asked(await reach({ path }), bytes)]
  })
})

t.test('-J reaches a second host by way of the target', async (t) => {
  const { server } = gated
  const [direct, through] = gated.clients()
  await alike(t, [direct, through], '-J', async (client) => {
    const inner = {
      HostName: '127.0.0.1',
      Port: String(server.port),
      User: server.user,
      IdentityFile: server.client.file,
    }
    const known = join(client.directory, 'known_inner')
    writeFileSync(known, server.hostKeys.map((key) => `[127.0.0.1]:${server.port} ${key}\n`).join(''))
    const more = {
      ...inner,
      UserKnownHostsFile: known,
      GlobalKnownHostsFile: '/dev/null',
      IdentitiesOnly: 'yes',
      BatchMode: 'yes',
    }
    const lines = Object.entries({ ...more, ProxyJump: 'there' }).map(([key, value]) => `  ${key} ${value}\n`)
    const config = join(client.directory, 'jump')
    writeFileSync(config, `${readFileSync(client.config, 'utf8')}\nHost inner\n${lines.join('')}`)
    return look(await runClient('ssh', ['-F', config, 'inner', 'echo from the second; exit 7']))
  })
})

t.test('-A lets the host ask the agent’s key agent, where policy allows it', async (t) => {
  const socket = join(directory, 'agent.sock')
  const program = await startProgram('ssh-agent', ['-D', '-a', socket])
  t.teardown(() => program.stop())
  const key = await makeSshKey(join(directory, 'held'))
  ;(await reach({ path: socket })).destroy()
  const env = { SSH_AUTH_SOCK: socket }
  await run('ssh-add', ['-q', key.file], { env: { ...process.env, ...env } })
  const settings = { ForwardAgent: 'yes', IdentityAgent: socket }
  const found = await alike(t, gated.clients(settings), '-A', async (client) =>
    look(await ssh(client, ['there', 'ssh-add -L; ssh-add -L | wc -l'], { env })),
  )
  t.match(found, { code: 0, stdout: key.line.split(' ').slice(0, 2).join(' ') })
  const denied = await ssh(sshClient(refusing.agent, settings), ['there', 'echo "[$SSH_AUTH_SOCK]"'], {
    env,
  })
  t.match(denied, { code: 0, stdout: Buffer.from('[]\n') }, 'and the command runs without it where it does not')
})

t.test('-Y shows the host’s windows on the agent’s display, where policy allows it', async (t) => {
  const display = 40
  await listening(t, 6000 + display, (socket) => {
    socket.on('error', () => {})
    socket.once('data', (setup: Buffer) => socket.end(`display ${setup.subarray(0, 1).toString()}`))
  })
  const script = join(directory, 'window.py')
  writeFileSync(
    script,
    `import os, socket, subprocess, struct
display = os.environ["DISPLAY"]
number = int(display.split(":")[1].split(".")[0])
cookie = bytes.fromhex(subprocess.check_output(["xauth", "list", display]).split()[-1].decode())
name = b"MIT-MAGIC-COOKIE-1"
pad = lambda b: b + bytes(-len(b) % 4)
s = socket.create_connection(("127.0.0.1", 6000 + number))
s.sendall(b"l" + bytes(1) + struct.pack("<HHHHH", 11, 0, len(name), len(cookie), 0) + pad(name) + pad(cookie))
print(s.makefile("rb").read().decode())
`,
  )
  chmodSync(script, 0o755)
  const env = { DISPLAY: `127.0.0.1:${display}`, XAUTHORITY: join(directory, 'Xauthority') }
  const clients = gated.clients({ ForwardX11: 'yes', ForwardX11Trusted: 'yes', LogLevel: 'ERROR' })
  // One after the other: both write the same file of cookies.
  const [direct, through] = clients
  for (const client of [direct, through]) {
    t.match(await ssh(client, ['there', `python3 ${script}`], { env }), { code: 0, stdout: Buffer.from('display l\n') })
  }
  const settings = { ForwardX11: 'yes', ForwardX11Trusted: 'yes', LogLevel: 'INFO' }
  const denied = await ssh(sshClient(refusing.agent, settings), ['there', 'echo "[$DISPLAY]"'], { env })
  t.match(denied, { stdout: Buffer.from('[]\n'), stderr: /X11 forwarding request failed/ })
})

t.test('what policy does not allow is refused in words that ssh shows, and nothing is reached', async (t) => {
  let reached = 0
  const port = await listening(t, 0, () => void reached++)
  const client = sshClient(refusing.agent, { LogLevel: 'INFO' })
  const denied = await ssh(client, ['-W', `localhost:${port}`, 'there'])
  t.match(denied, { code: 255, stderr: /administratively prohibited: policy\.no-match/ })
  const metadata = await ssh(client, ['-W', '169.254.169.254:80', 'there'])
  t.match(metadata, { code: 255, stderr: /administratively prohibited: target\.forbidden/ })
  const odd = await ssh(client, ['-W', '0x7f.1:7', 'there'])
  t.match(odd, { code: 255, stderr: /administratively prohibited: command\.unparsable/ })
  const closed = await ssh(client, ['-W', 'localhost:7', 'there'])
  t.match(
    closed,
    { code: 255, stderr: /connect failed/ },
    'what is allowed and not there fails as it does without the gate',
  )
  const options = ['-o', 'ExitOnForwardFailure=yes', '-N', '-R', `0:localhost:${port}`]
  t.match(await ssh(client, [...options, 'there']), { code: 255, stderr: /remote port forwarding failed/ })
  const listens = ['-o', 'ExitOnForwardFailure=yes', '-R', `127.0.0.1:0:localhost:${port}`, 'there', 'echo it listens']
  t.match(await ssh(client, listens), { code: 0, stdout: Buffer.from('it listens\n') }, 'where policy allows it')
  const tunnel = await ssh(client, ['-o', 'ExitOnForwardFailure=yes', '-w', '9:9', '-N', 'there'], { ms: 10_000 })
  t.not(tunnel.code, 0)
  t.equal(reached, 0)
})

t.test('the records of all that hold what they must', async (t) => {
  await gated.check(t)
  await refusing.check(t)
})
