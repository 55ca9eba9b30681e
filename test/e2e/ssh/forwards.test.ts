/** Forwards, jumps and the forwarding of keys, as OpenSSH's client does them, past the gate and through it. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, existsSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePort } from '../../support/ports.ts'
import { type Program, startProgram } from '../../support/process.ts'
import { runClient, ssh, type SshAddress, type SshClient, sshClient } from '../../support/ssh-clients.ts'
import { makeSshKey } from '../../support/ssh-keys.ts'
import { alike, look, sha256 } from './both.ts'
import { startGated } from './gated.ts'

const MiB = 1024 ** 2
const gated = await startGated(t)

/** Says back all that it hears, after it heard the end. */
const echo = createServer({ allowHalfOpen: true }, (socket) => {
  const heard: Buffer[] = []
  socket.on('data', (chunk) => heard.push(chunk))
  socket.on('end', () => socket.end(Buffer.concat(heard)))
  socket.on('error', () => socket.destroy())
}).listen(0, '127.0.0.1')
await once(echo, 'listening')
const { port: echoPort } = echo.address() as AddressInfo
t.teardown(() => void echo.close())

async function said(at: { readonly port: number } | { readonly path: string }, data: Buffer): Promise<Buffer> {
  const socket = connect({ host: '127.0.0.1', allowHalfOpen: true, ...at })
  await once(socket, 'connect')
  socket.end(data)
  const heard: Buffer[] = []
  for await (const chunk of socket as AsyncIterable<Buffer>) heard.push(chunk)
  return Buffer.concat(heard)
}

/** A client that only forwards, once it does. */
async function forwarding(t: Test, { config }: SshClient, args: readonly string[]): Promise<Program> {
  const options = ['-v', '-N', '-o', 'ExitOnForwardFailure=yes', '-o', 'LogLevel=DEBUG1']
  const program = await startProgram('ssh', ['-F', config, ...options, ...args, 'there'])
  t.teardown(async () => void (await program.stop()))
  await program.output(/Entering interactive session|pledge: /)
  if (args.includes('-R')) await program.output(/remote forward success/)
  return program
}

t.test('standard input and output reach a port of the host (-W)', async (t) => {
  const data = randomBytes(MiB)
  const found = await alike(t, gated.clients(), '-W', async (client) => {
    const { code, stdout, stderr } = await ssh(client, ['-W', `127.0.0.1:${echoPort}`, 'there'], { input: data })
    return { code, stderr, digest: sha256(stdout) }
  })
  t.same(found, { code: 0, stderr: '', digest: sha256(data) })
})

t.test('a local port and a local socket lead to a port of the host (-L)', async (t) => {
  const data = randomBytes(4 * MiB)
  await alike(t, gated.clients(), '-L', async (client) => {
    const port = await freePort()
    const path = join(client.directory, 'socket')
    const there = `127.0.0.1:${echoPort}`
    const program = await forwarding(t, client, ['-L', `127.0.0.1:${port}:${there}`, '-L', `${path}:${there}`])
    while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 10))
    const heard = [await said({ port }, data), await said({ path }, data)]
    const many = await Promise.all(Array.from({ length: 6 }, () => said({ port }, data.subarray(0, 100_000))))
    await program.stop()
    return [...heard, ...many].map(sha256)
  })
})

t.test('a port and a socket of the host lead to a port beside the client (-R)', async (t) => {
  const data = randomBytes(2 * MiB)
  await alike(t, gated.clients(), '-R', async (client) => {
    const port = await freePort()
    const path = join(client.directory, 'remote-socket')
    const here = `127.0.0.1:${echoPort}`
    const tcp = await forwarding(t, client, ['-R', `127.0.0.1:${port}:${here}`])
    const unix = await forwarding(t, client, ['-R', `${path}:${here}`])
    const heard = [await said({ port }, data), await said({ path }, data)]
    const many = await Promise.all(Array.from({ length: 5 }, () => said({ port }, data.subarray(0, 100_000))))
    for (const program of [tcp, unix]) await program.stop()
    return [...heard, ...many].map(sha256)
  })
})

t.test('a port where nobody listens is a refused channel, and the connection goes on', async (t) => {
  const closed = await freePort()
  await alike(t, gated.clients(), 'closed', async (client) => {
    const ended = await ssh(client, ['-W', `127.0.0.1:${closed}`, 'there'])
    return { code: ended.code, failed: ended.stderr.includes('open failed: connect failed') }
  })
})

/** Adds a host that is reached by way of `there`. */
function behind({ config }: SshClient, to: SshAddress): void {
  const known = sshClient(to).directory
  const lines = {
    HostName: to.host,
    Port: String(to.port),
    User: to.user,
    UserKnownHostsFile: join(known, 'known_hosts'),
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'yes',
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    IdentityFile: to.identity ?? 'none',
    BatchMode: 'yes',
    LogLevel: 'ERROR',
    ProxyJump: 'there',
  }
  const text = Object.entries(lines).map(([name, value]) => `  ${name} ${value}\n`)
  appendFileSync(config, `Host behind\n${text.join('')}`)
}

t.test('a host behind is reached through the gate, and the gate behind a host (ProxyJump)', async (t) => {
  const data = randomBytes(MiB)
  const over = await alike(t, gated.clients(), 'through', async (client) => {
    behind(client, gated.direct)
    const ended = await runClient('ssh', ['-F', client.config, 'behind', 'sha256sum; exit 3'], { input: data })
    return look(ended)
  })
  t.match(over, { code: 3, stderr: '', stdout: sha256(data) })
  const [client] = gated.clients()
  behind(client, gated.guarded)
  const to = await runClient('ssh', ['-F', client.config, 'behind', 'sha256sum; exit 4'], { input: data })
  t.match(look(to), { code: 4, stderr: '', stdout: sha256(data) })
})

t.test("commands use the agent's keys where policy lets them (-A)", async (t) => {
  const directory = gated.server.directory
  const [socket, key] = [join(directory, 'keys'), await makeSshKey(join(directory, 'forwarded'))]
  const agent = await startProgram('ssh-agent', ['-D', '-a', socket])
  t.teardown(async () => void (await agent.stop()))
  await agent.output(/SSH_AUTH_SOCK/)
  await runClient('ssh-add', ['-q', key.file], { env: { SSH_AUTH_SOCK: socket } })
  const found = await alike(t, gated.clients({ IdentityAgent: 'SSH_AUTH_SOCK' }), '-A', async (client) => {
    const ended = await ssh(client, ['-A', 'there', 'ssh-add -L'], { env: { SSH_AUTH_SOCK: socket } })
    return look(ended)
  })
  t.match(found, { code: 0, stderr: '' })
  t.match(found.stdout, key.line)
})

t.test('the records of all this are whole', async (t) => {
  await gated.check(t)
})
