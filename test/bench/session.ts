/**
 * What a command costs inside the sidecar, without sockets: from the bytes of the agent's messages to those that go upstream, and from the
 * server's answer to what the agent reads. With the starter bundle behind the real combiner, and with the journal or without.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bench, run } from 'mitata'
import { pino } from 'pino'
import { POSTGRES_LIMITS } from '../../src/config/schema.ts'
import { Gate } from '../../src/gate/gate.ts'
import type { RecordPort } from '../../src/gate/ports.ts'
import { context } from '../../src/gate/session.ts'
import { maskMethods } from '../../src/mask/method.ts'
import { MaskKey } from '../../src/mask/key.ts'
import { buildPolicy } from '../../src/policy/authoring/build.ts'
import { combinerDigest } from '../../src/policy/combiner.ts'
import { PolicyEngine } from '../../src/policy/engine.ts'
import { FrameReader } from '../../src/protocols/postgres/framing.ts'
import {
  encodeBind,
  encodeCommandComplete,
  encodeDataRow,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
  encodeReadyForQuery,
  encodeRowDescription,
  encodeSync,
  frontendTable,
} from '../../src/protocols/postgres/messages.ts'
import { AgentSide } from '../../src/protocols/postgres/relay/agent.ts'
import { Obligations } from '../../src/protocols/postgres/relay/obligations.ts'
import { Outgoing } from '../../src/protocols/postgres/relay/outgoing.ts'
import { Relay } from '../../src/protocols/postgres/relay/relay.ts'
import { ServerSide } from '../../src/protocols/postgres/relay/server.ts'
import { analyse } from '../../src/protocols/postgres/sql/analyse.ts'
import { Twins } from '../../src/protocols/postgres/sql/twins.ts'
import { Journal } from '../../src/record/journal.ts'
import { catalogue, LIMITS } from '../protocols/postgres/sql/fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'sidegate-bench-'))
const file = join(folder, 'bundle.tar.gz')
const starter = fileURLToPath(new URL('../../bundles/starter', import.meta.url))
writeFileSync(file, (await buildPolicy(starter, { revision: 'bench', key: null, serial: null })).archive)
const policy = await PolicyEngine.start(
  { bundle: { file, allowUnsigned: true }, mode: 'enforce', budget: 5 },
  { combiners: new Set([combinerDigest()]) },
)
const journal = Journal.open({
  directory: join(folder, 'journal'),
  maxSize: 1024 ** 3,
  segmentSize: 64 * 1024 ** 2,
  durability: 'written',
  sidegate: '0.1.0',
  name: 'bench',
  shipping: false,
})

/** Takes every record and keeps none. */
const nothing: RecordPort = {
  durable: Number.MAX_SAFE_INTEGER,
  sessionStart: () => 1,
  decision: () => 1,
  outcome: () => 1,
  frame: () => 1,
  sessionEnd: () => 1,
  whenDurable: (done) => done(null),
}

const who = context(
  { subject: 'agent', issuer: 'https://issuer.example', groups: ['readers'], claims: {}, chain: [] },
  { namespace: 'shop', pod: 'agent-7f9c', serviceAccount: 'agent', labels: { app: 'agent' } },
  { name: 'orders-db', protocol: 'postgres', host: 'orders.internal', port: 5432, labels: {} },
)

/** A session whose server answers when it is told to. */
function begin(record: RecordPort) {
  const gate = new Gate(policy, record)
  const twins = new Twins()
  const sent = { upstream: 0, agent: 0 }
  const outgoing = new Outgoing(
    gate,
    (bytes) => void (sent.upstream += bytes.length),
    (error) => {
      throw error
    },
  )
  const relay = new Relay({
    gate,
    session: gate.open(who),
    log: pino({ enabled: false }),
    limits: POSTGRES_LIMITS,
    analyses: {
      of(text) {
        const twin = twins.find(text, catalogue.revision)
        if (twin !== undefined) return twin
        const analysis = analyse(text, catalogue, LIMITS)
        twins.learn(text, analysis)
        return analysis
      },
      catalogue: () => catalogue,
      refresh: () => Promise.resolve(),
    },
    obligations: new Obligations(() => catalogue, maskMethods(MaskKey.random())),
    encoding: 'UTF8',
    outgoing,
    toAgent: (bytes) => void (sent.agent += bytes.length),
    answer: () => {},
    notify: () => {},
    end: (because) => {
      throw new Error(because.message)
    },
    cancel: () => Promise.resolve(),
  })
  const agent = new AgentSide(
    relay,
    new FrameReader(frontendTable(1024 ** 2)),
    { pause() {}, resume() {} },
    (error) => {
      throw error
    },
  )
  const server = new ServerSide(relay, new FrameReader(frontendTable(1024 ** 2)), new Map())
  return { agent, server, sent }
}

const PARSE_COMPLETE = Buffer.from([0x31, 0, 0, 0, 4])
const BIND_COMPLETE = Buffer.from([0x32, 0, 0, 0, 4])

const values = { parameterFormats: [], resultFormats: [], portal: '', statement: 'P0' } as const
const aids = Array.from({ length: 1024 }, (_, index) => String(index * 977))
const prepared = aids.map((aid) =>
  Buffer.concat([
    encodeBind({ ...values, parameters: [Buffer.from(aid)] }),
    encodeDescribe('portal', ''),
    encodeExecute(''),
    encodeSync(),
  ]),
)
const simple = aids.map((aid) => encodeQuery(`SELECT total FROM orders WHERE id = ${aid};`))
const field = { name: 'total', table: 20_002, column: 3, type: 23, size: 4, modifier: -1, format: 0 } as const
const rows = [
  encodeRowDescription([field]),
  encodeDataRow([Buffer.from('-1234')]),
  encodeCommandComplete('SELECT 1'),
  encodeReadyForQuery('I'),
]
const answers = { prepared: Buffer.concat([BIND_COMPLETE, ...rows]), simple: Buffer.concat(rows) }

for (const [name, record] of [
  ['no record', nothing],
  ['the journal', journal],
] as const) {
  const { agent, server, sent } = begin(record)
  agent.receive(Buffer.concat([encodeParse('P0', 'SELECT total FROM orders WHERE id = $1;'), encodeSync()]))
  server.receive(Buffer.concat([PARSE_COMPLETE, encodeReadyForQuery('I')]))
  for (const kind of ['prepared', 'simple'] as const) {
    const messages = kind === 'prepared' ? prepared : simple
    let turn = 0
    bench(`${kind}, ${name}`, () => {
      // Both chunks are copied out of the sockets' shared memory, as a conversation does.
      agent.receive(Buffer.from(messages[turn++ & 1023] as Buffer))
      server.receive(Buffer.from(answers[kind]))
    })
  }
  process.once('exit', () => {
    if (sent.upstream === 0 || sent.agent === 0) throw new Error('nothing was forwarded')
  })
}

await run()
await journal.close()
await policy.close()
rmSync(folder, { recursive: true, force: true })
