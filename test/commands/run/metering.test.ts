import t from 'tap'
import { MeteredPolicy, MeteredRecord, OVERFLOW_CODE } from '../../../src/commands/run/meter.ts'
import { Metrics, type Sources } from '../../../src/commands/run/metrics.ts'
import { Gate } from '../../../src/gate/gate.ts'
import { ALLOW, command, CONTEXT, deny, FakePolicy, FakeRecord } from '../../support/fakes.ts'

function setUp() {
  const policy = new FakePolicy()
  const record = new MeteredRecord(new FakeRecord())
  const timed: number[] = []
  const gate = new Gate(new MeteredPolicy(policy, (seconds) => timed.push(seconds)), record)
  const session = gate.open(CONTEXT)
  const rule = (text: string) =>
    gate.rule(session, { commands: [command(text)], bytes: new Uint8Array(), honour: () => null })
  const counts = () => [...record.decisions()].map(({ effect, code, count }) => [effect, code, count])
  return { policy, record, timed, gate, session, rule, counts }
}

function sources(overrides: Partial<Sources> = {}): Sources {
  const journal = {
    position: 10,
    durable: 7,
    shipped: 4,
    bytes: 1_000,
    maxSize: 2_000,
    writes: 3,
    lost: 1,
    ready: true,
  }
  const bundle = { active_revision: 'r1', mode: 'enforce', signed: true, code: null, evaluation_errors: 2 }
  return {
    decisions: () => [{ target: 'db', effect: 'deny', code: 'sql.unbounded-write', count: 5 }],
    sessions: () => [[{ name: 'db', protocol: 'postgres' }, 2]],
    listeners: () => [
      [
        { name: 'db', protocol: 'postgres' },
        { accepted: 9, refused: 4, active: 2, waiting: 1 },
      ],
    ],
    journal: () => journal,
    bundle: () => bundle,
    shipping: () => ({ connected: false, lag: { records: 3, bytes: 900, seconds: 1.5 } }),
    ready: () => true,
    ...overrides,
  }
}

t.test('every decision is counted by what became of it and by its code', async (t) => {
  const { policy, rule, counts } = setUp()
  for (let i = 0; i < 3; i++) void rule('SELECT 1')
  policy.rule = () => deny('sql.unbounded-write')
  for (let i = 0; i < 2; i++) void rule('DELETE FROM t')
  policy.mode = 'observe'
  void rule('DELETE FROM t')
  t.same(counts(), [
    ['allow', 'test.allowed', 3],
    ['deny', 'sql.unbounded-write', 2],
    ['observe', 'sql.unbounded-write', 1],
  ])
})

t.test('codes beyond a thousand are counted together, so that a policy cannot fill the memory', async (t) => {
  const { policy, rule, counts } = setUp()
  for (let i = 0; i < 1_005; i++) {
    policy.rule = () => deny(`code.${i}`)
    void rule('x')
  }
  t.equal(counts().length, 1_001)
  t.same(counts().at(-1), ['deny', OVERFLOW_CODE, 5])
})

t.test('sessions that run are counted, and one that could not be recorded is not', async (t) => {
  const { record, gate, session } = setUp()
  t.same([...record.sessions()], [['target', 1]])
  const other = gate.open(CONTEXT)
  gate.close(other, 'left')
  gate.close(session, 'left')
  t.same([...record.sessions()], [['target', 0]])
  const failing = new FakeRecord()
  failing.fail('record.unavailable')
  const metered = new MeteredRecord(failing)
  t.throws(() => new Gate(new FakePolicy(() => ALLOW), metered).open(CONTEXT))
  t.same([...metered.sessions()], [])
})

t.test('one decision in eight is timed', async (t) => {
  const { rule, timed } = setUp()
  for (let i = 0; i < 80; i++) void rule('SELECT 1')
  t.equal(timed.length, 10)
  t.ok(timed.every((seconds) => seconds >= 0 && seconds < 1))
})

t.test('a scrape shows every source, and the next one shows it anew without adding up', async (t) => {
  const metrics = new Metrics(sources())
  metrics.timed(0.000_015)
  await metrics.text()
  const text = await metrics.text()
  for (const line of [
    'sidegate_decisions_total{target="db",effect="deny",code="sql.unbounded-write"} 5',
    'sidegate_sessions{target="db",protocol="postgres"} 2',
    'sidegate_connections{target="db",protocol="postgres",state="active"} 2',
    'sidegate_connections{target="db",protocol="postgres",state="waiting"} 1',
    'sidegate_connections_total{target="db",protocol="postgres",result="refused"} 4',
    'sidegate_journal_lag_records 3',
    'sidegate_journal_bytes 1000',
    'sidegate_journal_lost_total 1',
    'sidegate_redis_lag_records 3',
    'sidegate_redis_lag_bytes 900',
    'sidegate_redis_lag_seconds 1.5',
    'sidegate_redis_up 0',
    'sidegate_bundle_info{revision="r1",mode="enforce",signed="true"} 1',
    'sidegate_policy_errors_total 2',
    'sidegate_ready 1',
    'sidegate_decision_seconds_bucket{le="0.00002"} 1',
    'sidegate_decision_seconds_bucket{le="0.00001"} 0',
  ]) {
    t.ok(text.split('\n').includes(line), line)
  }
  t.match(text, /process_resident_memory_bytes \d+/)
})

t.test('without Redis no metric pretends that there is one', async (t) => {
  t.notMatch(await new Metrics(sources({ shipping: () => null })).text(), /redis/)
})

t.test('labels that look like the format itself are escaped', async (t) => {
  const decisions = () => [{ target: 'db', effect: 'deny' as const, code: 'a"} 1\nfake 1', count: 1 }]
  const text = await new Metrics(sources({ decisions })).text()
  t.ok(text.includes('code="a\\"} 1\\nfake 1"} 1'))
})
