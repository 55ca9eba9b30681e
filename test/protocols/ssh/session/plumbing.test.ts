import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { pino } from 'pino'
import { Gate } from '../../../../src/gate/gate.ts'
import { type Channels } from '../../../../src/protocols/ssh/channels/channels.ts'
import { fields } from '../../../../src/protocols/ssh/channels/messages.ts'
import type { Setting } from '../../../../src/protocols/ssh/channels/program.ts'
import { SessionChannel } from '../../../../src/protocols/ssh/channels/session-channel.ts'
import { Commands } from '../../../../src/protocols/ssh/commands.ts'
import type { Forwarding } from '../../../../src/protocols/ssh/forwards/forwarding.ts'
import { CONTEXT, FakePolicy, FakeRecord } from '../../../support/fakes.ts'
import { configured } from '../../../support/wiring.ts'
import { Peer } from './peer.ts'

const config = configured('ssh', {
  upstream: { host: '127.0.0.1', hostKeys: ['ssh-ed25519 AAAA'] },
  agent: { authenticate: 'none' },
  credential: { user: 'deploy', privateKeyFile: '/nowhere' },
})

/** One exec between two peers. */
function stage(sizes: { readonly window: number; readonly packet: number; readonly ours: number }) {
  const agent = new Peer(sizes)
  const host = new Peer(sizes)
  const record = new FakeRecord()
  const policy = new FakePolicy()
  const gate = new Gate(policy, record)
  const failures: unknown[] = []
  const setting: Setting = {
    gate,
    session: gate.open(CONTEXT),
    log: pino({ level: 'silent' }),
    config,
    user: 'deploy',
    commands: new Commands(1024, true),
    forcedCommand: null,
    forwarding: {} as Forwarding,
    upstream: async () => ({
      client: {} as never,
      software: 'OpenSSH_9',
      channels: { open: async () => host.channel } as unknown as Channels,
    }),
    failed: (error) => void failures.push(error),
  }
  let closed = 0
  const session = new SessionChannel(setting, agent.channel, () => void closed++)
  return { agent, host, record, policy, gate, setting, session, failures, closed: () => closed }
}

const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

/** What the agent is told of an end that the host does not tell. */
const UNKNOWN = 255

const bytes = fc.integer({ min: 1, max: 40 })
const side = fc.constantFrom('agent', 'host')
const op = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('send'), by: side, size: bytes }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('error'), by: fc.constant('host'), size: bytes }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('reads'), by: side, size: bytes }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('slow', 'flows'), by: side, size: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('eof'), by: side, size: fc.constant(0) }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('exit'), by: fc.constant('host'), size: fc.integer({ max: 255, min: 0 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('tick'), by: side, size: fc.constant(0) }) },
)
const ending = fc.constantFrom('host closes', 'agent closes', 'agent closes at once')
const sizes = fc.record({
  window: fc.integer({ min: 0, max: 64 }),
  packet: fc.integer({ min: 1, max: 32 }),
  ours: fc.integer({ min: 1, max: 64 }),
})

t.test('whatever both sides do, and however slowly they read, all of it arrives, in order, and once', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      sizes,
      fc.array(op, { maxLength: 60 }),
      ending,
      fc.nat(60),
      async (measures, ops, end, startAt) => {
        const { agent, host, record, failures, closed } = stage(measures)
        const said = { agent: '', data: '', error: '' }
        let next = 0
        const make = (size: number) => Buffer.from(Array.from({ length: size }, () => 33 + (next++ % 90)))
        let exit: number | null = null
        let started = false
        const start = async () => {
          if (started) return
          started = true
          agent.request('exec', fields('make'), true)
          await settled()
        }
        const ended = { agent: false, host: false }
        for (const [index, { op: what, by, size }] of ops.entries()) {
          if (index === startAt) await start()
          const peer = by === 'agent' ? agent : host
          // The host has nothing to say before there is a command.
          if (by === 'host' && !host.has('exec') && what !== 'slow' && what !== 'flows' && what !== 'reads') continue
          switch (what) {
            case 'send':
              if (by === 'agent') said.agent += agent.send(make(size)).toString('latin1')
              else said.data += host.send(make(size)).toString('latin1')
              break
            case 'error':
              said.error += host.send(make(size), 'error').toString('latin1')
              break
            case 'reads':
              peer.reads(size)
              break
            case 'slow':
              peer.congested = true
              break
            case 'flows':
              peer.flows()
              break
            case 'eof':
              ended[by] = true
              peer.eof()
              break
            case 'exit':
              if (exit === null) host.request('exit-status', fields((exit = size)))
              break
            default:
              await settled()
          }
        }
        await start()
        if (end === 'agent closes at once') agent.close()
        // In the end everybody reads.
        for (let round = 0; round < 3; round++) {
          for (const peer of [agent, host]) {
            peer.flows()
            peer.reads(100_000)
          }
          await settled()
        }
        if (end === 'agent closes at once') {
          assert.ok(host.has('close'), 'the host is told')
          assert.ok(said.agent.startsWith(host.text('data')), 'what it got of the input is its beginning')
          assert.ok(said.data.startsWith(agent.text('data')), 'what the agent got is the beginning')
          host.close()
        } else {
          assert.equal(host.text('data'), said.agent, 'the input is whole')
          assert.equal(agent.text('data'), said.data, 'the output is whole')
          assert.equal(agent.text('error'), said.error, 'the errors are whole')
          assert.equal(host.has('eof'), ended.agent, 'the end of the input is told')
          assert.equal(agent.has('eof'), ended.host, 'the end of the output is told')
          if (end === 'agent closes') {
            agent.close()
            assert.ok(host.has('close'), 'the host is told that the agent has left')
          }
          host.close()
        }
        await settled()
        // An agent that has closed its side is still told how it ended, as sshd does.
        const exits = agent.heard.filter(({ what }) => what === 'exit-status').map(({ bytes: status }) => status)
        assert.deepEqual(exits, [fields(exit ?? UNKNOWN)], 'there is one exit status')
        assert.equal(agent.heard.at(-1)?.what, 'close', 'it is closed in the end')
        agent.close()
        await settled()
        assert.deepEqual([agent.released, host.released, closed()], [1, 1, 1], 'nothing is left behind')
        assert.deepEqual(failures, [], 'nothing failed')
        assert.equal(record.outcomes.length, record.decisions.length, 'every command has one outcome')
      },
    ),
    { numRuns: 300 },
  )
  t.pass('for made-up runs of both sides')
})
