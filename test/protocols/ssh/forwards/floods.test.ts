import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Channel, Client, ClientChannel, Connection } from 'ssh2'
import t from 'tap'
import { ALLOW, approve, FakeApproval, FakePolicy } from '../../../support/fakes.ts'
import { collect, failure, stage, until } from './stage.ts'

const forward = (agent: Client): Promise<ClientChannel> =>
  promisify(agent.forwardOut.bind(agent))('', 0, '10.0.0.1', 80)

/** Counts of what ssh2 itself keeps. */
function kept(leg: Client | Connection): number {
  return (leg as unknown as { readonly _chanMgr: { readonly _count: number } })._chanMgr._count
}

t.test('ten thousand channels, closed in every order, leave nothing behind', async (t) => {
  const all = 10_000
  const together = 50
  let count = 0
  const upstream = (connection: Connection) =>
    connection.on('tcpip', (accept, reject) => {
      const turnOf = count++ % 5
      if (turnOf === 0) return reject()
      const channel = accept()
      channel.on('error', () => {})
      channel.resume()
      if (turnOf === 1) channel.end('bye')
      if (turnOf === 2) channel.close()
      if (turnOf === 3) channel.on('end', () => channel.end())
      if (turnOf === 4) {
        channel.write('and on')
        channel.on('end', () => channel.close())
      }
    })
  const s = await stage(t, { channels: together, upstream })
  const opened = async (number: number) => {
    const channel = await forward(s.agent).catch(() => null)
    if (channel === null) return
    channel.on('error', () => {})
    const closed = new Promise((resolve) => channel.once('close', resolve))
    channel.once('end', () => channel.close())
    channel.resume()
    if (number % 3 === 0) channel.end('x')
    if (number % 3 === 1) channel.close()
    if (number % 3 === 2) await turn().then(() => channel.destroy())
    await closed
  }
  let next = 0
  const worker = async () => {
    while (next < all) {
      const number = next++
      await Promise.race([
        opened(number),
        new Promise((_, reject) => setTimeout(() => reject(new Error(`channel ${number} hangs`)), 20_000).unref()),
      ])
    }
  }
  await Promise.all(Array.from({ length: together - 5 }, worker))
  t.equal(count, all, 'all were asked for upstream')
  await until(() => s.forwarding.size === 0 && s.agentChannels.size === 0, 'all is settled')
  await until(() => s.upstreamChannels.size === 0 && kept(s.server) + kept(s.upstreamClient) === 0, 'no number is left')
  t.equal(s.record.decisions.length, all)
  t.equal(s.record.outcomes.length, all)
})

t.test(
  'opens beyond the channels that may be open are refused with reason 4, also while others are held',
  async (t) => {
    const approval = new FakeApproval()
    const s = await stage(t, {
      policy: new FakePolicy(({ grant }) => (grant === null ? approve('ask') : ALLOW)),
      approval,
      channels: 4,
      upstream: (connection) => connection.on('tcpip', (accept) => accept().end('here')),
    })
    const held = Array.from({ length: 4 }, () => forward(s.agent))
    const beyond = await Promise.all(Array.from({ length: 20 }, () => failure(forward(s.agent))))
    t.ok(beyond.every(({ reason, message }) => reason === 4 && message.includes('session.limit')))
    t.equal(approval.holds.length, 4)
    for (const hold of approval.holds)
      hold.settle({ grant: { by: ['ann'], at: '2026-01-01T00:00:00Z', codes: ['ask'] } })
    for (const channel of await Promise.all(held)) {
      t.equal((await collect(channel)).toString(), 'here')
      channel.end()
    }
    await until(() => s.agentChannels.size === 0, 'closed')
    s.policy.rule = () => ALLOW
    t.equal((await collect(await forward(s.agent))).toString(), 'here')
  },
)

t.test('a side that does not read holds the other back, and nothing piles up in between', async (t) => {
  const inFlight = 64 * 1024
  const sent = { agent: 0, upstream: 0 }
  const chunk = Buffer.alloc(32 * 1024)
  const pour = (channel: Channel, side: keyof typeof sent): void => {
    channel.write(chunk, () => {
      sent[side] += chunk.length
      pour(channel, side)
    })
  }
  const s = await stage(t, {
    inFlight,
    upstream: (connection) =>
      connection.on('tcpip', (accept) => {
        const channel = accept()
        channel.pause()
        pour(channel, 'upstream')
      }),
  })
  const channel = await forward(s.agent)
  channel.pause()
  pour(channel, 'agent')
  let last = -1
  await until(() => {
    const now = sent.agent + sent.upstream
    const still = now === last
    last = now
    return still && now > 0
  }, 'all is still')
  // What ssh2's own ends take before they stop is 2 MiB and its buffers'; Sidegate adds a window.
  t.ok(sent.agent <= 2 * 2 * 1024 ** 2 + 2 * inFlight, `${sent.agent} bytes from the agent`)
  t.ok(sent.upstream <= 2 * 2 * 1024 ** 2 + 2 * inFlight, `${sent.upstream} bytes from upstream`)
  t.equal(s.violations.length, 0)
  channel.close()
  channel.resume()
  await until(() => s.agentChannels.size === 0, 'closed')
})

t.test('what agents leave behind in a destination that does not read counts until it is gone', async (t) => {
  const upstream = (connection: Connection) => connection.on('tcpip', (accept) => void accept().pause())
  const s = await stage(t, { channels: 3, inFlight: 8 * 1024 ** 2, upstream })
  for (let number = 0; number < 3; number++) {
    const channel = await forward(s.agent)
    // More than the other side takes without reading.
    channel.write(Buffer.alloc(5 * 1024 ** 2), () => channel.close())
    channel.resume()
    await once(channel, 'close')
  }
  t.equal(s.agentChannels.size, 0)
  t.equal(s.forwarding.size, 3)
  t.match(await failure(forward(s.agent)), { reason: 4, message: /session\.limit/ })
  s.agent.end()
  await until(() => s.forwarding.size === 0 && s.upstreamChannels.size === 0, 'the end of the connection frees all')
})
