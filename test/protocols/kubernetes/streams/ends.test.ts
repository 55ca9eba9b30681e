/** However a stream ends, and whatever happens at once: it is settled once, and nothing of it is left. */
import fc from 'fast-check'
import t from 'tap'
import { OPCODE } from '../../../../src/protocols/kubernetes/streams/frames.ts'
import { ALLOW, deny } from '../../../support/fakes.ts'
import { startKubernetesTarget } from '../../../support/kubernetes-target.ts'
import { EXEC, type Peer, startFakeApiServer, until, upgrade } from './wire.ts'

t.setTimeout(120_000)

const server = await startFakeApiServer()
const target = await startKubernetesTarget(server)
t.teardown(async () => {
  await target.close()
  server.close()
})

const GOODBYE = Buffer.from([3, 232])
/** Bits that only extensions use, whoever sends it. */
const NONSENSE = Buffer.from([0xf2, 0x80, 0, 0, 0, 0])
const STATUS =
  '{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"9"}]}}'

/** What may happen to a stream, at either end or from the side. */
const EVENTS: Readonly<Record<string, (agent: Peer, upstream: Peer) => void>> = {
  input: (agent) => agent.send(0, 'input'),
  inputEnds: (agent) => agent.send(255, Buffer.of(0)),
  resize: (agent) => agent.send(4, '{"Width":80,"Height":24}'),
  output: (_, upstream) => upstream.send(1, 'output'),
  status: (_, upstream) => upstream.send(3, STATUS),
  ping: (agent) => agent.frame(OPCODE.PING, Buffer.from('?')),
  agentCloses: (agent) => agent.frame(OPCODE.CLOSE, GOODBYE),
  agentEnds: (agent) => void agent.socket.end(),
  agentVanishes: (agent) => void agent.socket.destroy(),
  agentErrs: (agent) => void agent.socket.write(NONSENSE),
  upstreamCloses: (_, upstream) => upstream.frame(OPCODE.CLOSE, GOODBYE),
  upstreamEnds: (_, upstream) => void upstream.socket.end(),
  upstreamVanishes: (_, upstream) => void upstream.socket.destroy(),
  upstreamErrs: (_, upstream) => void upstream.socket.write(NONSENSE),
  revoked: () => target.policy.change(() => deny('test.denied')),
  killed: () => target.gate.sessions.forEach(({ id }) => target.gate.end(id, 'enough')),
}
const ENDINGS = Object.keys(EVENTS).filter(
  (name) => /(Closes|Ends|Vanishes|Errs|revoked|killed)$/.test(name) && name !== 'inputEnds',
)

const PATHS = {
  exec: [EXEC, 'v5.channel.k8s.io'],
  terminal: [`${EXEC}&tty=true`, 'v5.channel.k8s.io'],
  tunnel: ['/api/v1/namespaces/shop/pods/web/portforward', 'SPDY/3.1+portforward.k8s.io'],
} as const

t.test('a stream is settled once, whatever happens at its ends and in which order', async (t) => {
  const names = fc.constantFrom(...Object.keys(EVENTS))
  const scene = fc.record({
    kind: fc.constantFrom(...(Object.keys(PATHS) as (keyof typeof PATHS)[])),
    events: fc.array(fc.tuple(names, fc.boolean()), { maxLength: 6 }),
    ending: fc.constantFrom(...ENDINGS),
  })
  await fc.assert(
    fc.asyncProperty(scene, async ({ kind, events, ending }) => {
      target.policy.change(() => ALLOW)
      target.record.records.length = 0
      server.peers.length = 0
      const [path, protocol] = PATHS[kind]
      const { peer } = await upgrade(target, path, { 'Sec-WebSocket-Protocol': protocol })
      const agent = peer as Peer
      await until('the API server is asked', () => server.peers.length === 1)
      const upstream = server.peers[0] as Peer
      for (const [name, pause] of [...events, [ending, false] as const]) {
        EVENTS[name]?.(agent, upstream)
        if (pause) await new Promise((resolve) => setTimeout(resolve, 2))
      }
      // A side that has ended or erred waits for the other's end, as clients and servers do.
      await until('both sides have ended', () => {
        for (const side of [agent, upstream]) if (side.ended) side.socket.end()
        return agent.ended && upstream.ended
      })
      await until('the session is over', () => target.gate.sessions.length === 0)
      t.equal(target.record.outcomes.length, 1)
      t.equal(target.record.records.at(-1)?.type, 'session-end')
      const last = target.record.records.findIndex(({ type }) => type === 'outcome')
      t.notOk(
        target.record.records.slice(last).some(({ type }) => type === 'frame'),
        'nothing is recorded after its end',
      )
    }),
    { numRuns: 150 },
  )
})
