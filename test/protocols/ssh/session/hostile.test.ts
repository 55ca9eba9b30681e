import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Client } from 'ssh2'
import type { Channel } from '../../../../src/protocols/ssh/channels/channel.ts'
import { Channels, OpenFailed } from '../../../../src/protocols/ssh/channels/channels.ts'
import { fields, MESSAGE, type Request } from '../../../../src/protocols/ssh/channels/messages.ts'
import { SSH_LIMITS } from '../../../../src/config/schema.ts'
import { ALLOW, approve, FakeApproval } from '../../../support/fakes.ts'
import { RawSsh } from '../../../support/ssh-raw.ts'
import { startSshTarget } from '../../../support/ssh-target.ts'
import { sharedSshd } from '../../../support/sshd.ts'
import { connectAgent, eventually, exec } from '../client.ts'

t.setTimeout(120_000)
const server = await sharedSshd()
const WINDOW = 64 * 1024

/** The inside of a client, for what no library would send. */
interface Raw {
  readonly _protocol: {
    channelData(channel: number, data: Buffer): void
    session(channel: number, window: number, packet: number): void
    _handlers: Record<string, (...args: never[]) => void>
  }
}
const raw = (client: Client) => (client as unknown as Raw)._protocol

function channelsOf(client: Client): Channels {
  return new Channels(client, { window: WINDOW, most: 10, open: () => false, violated() {} })
}

interface Heard {
  data: string
  error: string
  readonly requests: Request[]
  eof: boolean
  closed: boolean
  readonly replies: boolean[]
}

/** Listens to a channel, and takes all that comes unless it is told not to. */
function listen(channel: Channel, takes = true): Heard {
  const heard: Heard = { data: '', error: '', requests: [], eof: false, closed: false, replies: [] }
  channel.events = {
    data: (bytes, stream) => {
      heard[stream] += bytes.toString('latin1')
      if (takes) channel.credit(bytes.length)
    },
    eof: () => (heard.eof = true),
    request: (request) => heard.requests.push(request),
    writable() {},
    closed: () => (heard.closed = true),
  }
  return heard
}

const exitOf = ({ requests }: Heard) => requests.find(({ name }) => name === 'exit-status')?.body.readUInt32BE()

t.test('a second program on a channel fails, and the first goes on', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const channel = await channelsOf(client).open('session')
  const heard = listen(channel)
  for (const line of ['cat', 'echo second']) {
    channel.request('exec', fields(line), (succeeded) => heard.replies.push(succeeded))
  }
  channel.request('subsystem', fields('sftp'), (succeeded) => heard.replies.push(succeeded))
  channel.request('nonsense@example.com', fields('x'), (succeeded) => heard.replies.push(succeeded))
  channel.write(Buffer.from('first'))
  channel.eof()
  await eventually(() => heard.closed || exitOf(heard) !== undefined)
  t.same(heard.replies, [true, false, false, false])
  t.match(heard, { data: 'first', error: '' })
  t.equal(exitOf(heard), 0)
  client.end()
})

t.test('data, the end of it and signals may come before the program, and requests without an answer', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const channel = await channelsOf(client).open('session')
  const heard = listen(channel)
  channel.write(Buffer.from('early'))
  channel.eof()
  channel.request('signal', fields('TERM'))
  channel.request('env', fields('LANG', 'C'))
  channel.request('exec', fields('cat; exit 5'))
  await eventually(() => heard.requests.length > 0)
  t.match(heard, { data: 'early', error: '' })
  t.equal(exitOf(heard), 5)
  client.end()
})

t.test('signals go on after the end of the input, too, and are recorded', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const channel = await channelsOf(client).open('session')
  const heard = listen(channel)
  channel.request('exec', fields('echo ready; sleep 0.3'))
  channel.eof()
  await eventually(() => heard.data.includes('ready'))
  channel.request('signal', fields('USR1'), (succeeded) => heard.replies.push(succeeded))
  channel.request('signal', fields('not a name'), (succeeded) => heard.replies.push(succeeded))
  await eventually(() => heard.replies.length === 2)
  t.same(heard.replies, [true, false])
  await eventually(() => exitOf(heard) !== undefined)
  t.same(
    target.record.frames.filter(({ kind }) => kind === 'signal').map(({ data }) => data.toString()),
    ['USR1'],
  )
  client.end()
})

t.test('while people are asked about one request, those behind it wait, in order', async (t) => {
  const approval = new FakeApproval()
  const target = await startSshTarget(server, { approval })
  t.teardown(() => target.close())
  target.policy.rule = ({ command: { shape }, grant }) =>
    shape.action === 'environment' && grant === null ? approve('a.variable') : ALLOW
  const client = await connectAgent(target)
  const channel = await channelsOf(client).open('session')
  const heard = listen(channel)
  channel.request('env', fields('LANG', 'xx'), (succeeded) => heard.replies.push(succeeded))
  channel.request('exec', fields('echo $LANG'), (succeeded) => heard.replies.push(succeeded))
  await eventually(() => approval.holds.length === 1)
  t.same(heard.replies, [])
  approval.holds[0]?.settle({ grant: { by: ['ann'], at: '2026-01-01T00:00:00Z', codes: ['a.variable'] } })
  await eventually(() => exitOf(heard) !== undefined)
  t.match(heard, { data: 'xx\n', replies: [true, true] })
  client.end()
})

t.test('an agent that sends more than its window is cut off', async (t) => {
  const approval = new FakeApproval()
  const target = await startSshTarget(server, { approval, config: { limits: { inFlight: '64KiB' } } })
  t.teardown(() => target.close())
  target.policy.rule = () => approve('never')
  const client = await connectAgent(target)
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  const channel = await channelsOf(client).open('session')
  listen(channel)
  channel.request('exec', fields('cat'))
  for (let sent = 0; sent < 4; sent++) raw(client).channelData(0, Buffer.alloc(32 * 1024))
  await closed
  t.match(target.log.join(''), 'more data came than the window holds')
})

t.test('an agent that takes packets of no size is refused its channel, and wedges nothing', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const other = await connectAgent(target)
  const refused = new Promise<unknown[]>((resolve) => {
    raw(client)._handlers['CHANNEL_OPEN_FAILURE'] = (...args: unknown[]) => resolve(args.slice(1))
  })
  raw(client).session(77, WINDOW, 0)
  t.same((await refused).slice(0, 2), [77, 2])
  t.match(await exec(other, 'echo alive'), { stdout: 'alive\n' })
  client.end()
  other.end()
})

t.test('ten thousand channels: as many as may be open at once are, and nothing is left of them', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const channels = channelsOf(client)
  let opened = 0
  let refused = 0
  const all = Array.from({ length: 10_000 }, async () => {
    try {
      const channel = await channels.open('session')
      opened++
      channel.close()
    } catch (error) {
      if (!(error instanceof OpenFailed) || error.reason !== 4) throw error
      refused++
    }
  })
  await Promise.all(all)
  t.equal(opened + refused, 10_000)
  t.ok(opened >= SSH_LIMITS.channels, `${opened} were opened`)
  await eventually(() => channels.size === 0)
  t.match(await exec(await connectAgent(target), 'echo still here'), { stdout: 'still here\n', code: 0 })
  // And one after the other, each with a program.
  for (let round = 0; round < 40; round++) {
    const channel = await channels.open('session')
    const heard = listen(channel)
    channel.request('exec', fields('true'))
    channel.eof()
    await eventually(() => exitOf(heard) !== undefined)
    channel.close()
  }
  await eventually(() => channels.size === 0)
  client.end()
})

t.test('an agent that answers no new keys, and opens on and on, is let go', async (t) => {
  const target = await startSshTarget(server, { config: { limits: { rekey: '1MiB' } } })
  t.teardown(() => target.close())
  const agent = await RawSsh.connect(target.port, { authHandler: ['none'] })
  t.teardown(() => agent.destroy())
  const channel = await agent.open()
  if (channel === null) throw new Error('no channel')
  await agent.ask(channel, 'exec', 'cat >/dev/null')
  for (let n = 0; n < 40; n++) agent.send(MESSAGE.DATA, channel.remote, Buffer.alloc(32 * 1024))
  for (let n = 0; n < 60_000 && !agent.closed; n++) {
    agent.send(MESSAGE.OPEN, 'nothing', n, 2 ** 21, 2 ** 15)
    if (n % 100 === 0) await sleep(1)
  }
  t.equal(await agent.take(() => false), null, 'the connection has ended')
})

t.test('an agent that does not read holds its host back, and memory does not grow', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const channel = await channelsOf(client).open('session')
  const heard = listen(channel, false)
  let got = 0
  channel.events = { ...channel.events, data: (bytes) => void (got += bytes.length) }
  const before = process.memoryUsage().rss
  channel.request('exec', fields('head -c 50000000 /dev/zero; echo done >&2'))
  await eventually(() => got === WINDOW)
  await new Promise((resolve) => setTimeout(resolve, 500))
  t.equal(got, WINDOW, 'no more came than was asked for')
  t.ok(process.memoryUsage().rss - before < 48 * 1024 ** 2, 'what waits is a few windows')
  // Slowly, and then all of the rest.
  channel.events = {
    ...channel.events,
    data: (bytes, stream) => {
      if (stream === 'data') got += bytes.length
      else heard.error += bytes.toString()
      channel.credit(bytes.length)
    },
  }
  channel.credit(WINDOW)
  await eventually(() => exitOf(heard) !== undefined, 30_000)
  t.equal(got, 50_000_000)
  t.equal(heard.error, 'done\n')
  client.end()
})

t.test('an agent that vanishes takes its program with it, and all of it is settled', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const pid = Promise.withResolvers<number>()
  client.exec('echo $$; cat', (error, channel) => {
    if (error !== undefined) return pid.reject(error)
    channel.once('data', (bytes: Buffer) => pid.resolve(Number(bytes.toString())))
  })
  const running = await pid.promise
  ;(client as unknown as { _sock: { destroy(): void } })._sock.destroy()
  await eventually(() => target.record.records.some(({ type }) => type === 'session-end'))
  t.match(target.record.outcomes[0]?.outcome, { status: 'cancelled' })
  await eventually(() => {
    try {
      process.kill(running, 0)
      return false
    } catch {
      return true
    }
  })
  await eventually(() => target.connections() === 0)
})
