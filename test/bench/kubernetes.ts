/** The Kubernetes API through the gate, against direct, a bare relay on undici, and http-proxy-3: ratios within one run. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type KubernetesServer, startKubernetes } from '../support/kubernetes.ts'
import { get, load, open } from './kubernetes-load.ts'
import { direct, processorMicroseconds, startGate, startRelay, type Way } from './kubernetes-stage.ts'
import { median, residentMiB, table } from './stage.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 5)
const WARM_MS = 1_500
const GET_MS = 2_000
const LIST_MS = 3_000
const WATCHES = 1_000
/** Watches that are set up at once. */
const AT_ONCE = 50
const EVENTS = 20
const SETTLE_MS = 2_000
/** What makes 20 MB. */
const OBJECTS = 1_000
const OBJECT_BYTES = 20_000

const chosen = process.argv.slice(2)
const wanted = (part: string) => chosen.length === 0 || chosen.includes(part)

const POLICY = {
  bench: `package policy.bench

allow contains {"code": "bench.reads", "protocol": "kubernetes"} if input.command.action in {"get", "list", "watch"}

deny contains {"code": "bench.kube-system", "message": "not there", "remedy": "use another namespace"} if {
	input.command.detail.namespace == "kube-system"
}

mask contains {"path": "data.*", "with": "redact"} if input.command.detail.resource == "secrets"
`,
}

const server = await startKubernetes()
await server.namespace('bench')
const ways: Way[] = [
  direct(server),
  await startRelay('undici', server),
  await startRelay('http-proxy-3', server),
  await startGate(server, 'Sidegate', POLICY),
]
const [, bare, , gate] = ways as [Way, Way, Way, Way]

interface Measured {
  readonly perSecond: number[]
  readonly p50: number[]
  /** Processor time of the process between, per request. */
  readonly cost: number[]
}

/** Every way in each round, so that what else the machine does falls on all of them. */
async function compare(paths: (way: Way) => string, connections: number, ms: number, among: readonly Way[]) {
  const all = new Map<Way, Measured>(among.map((way) => [way, { perSecond: [], p50: [], cost: [] }]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [way, { perSecond, p50, cost }] of all) {
      const pid = way.program?.pid
      const before = pid === undefined ? 0 : processorMicroseconds(pid)
      const done = await load(way, get(paths(way), server.tokens.admin), connections, ms)
      perSecond.push(done.perSecond)
      p50.push(done.latencies[Math.floor(done.latencies.length / 2)] ?? Number.NaN)
      if (pid !== undefined) cost.push((processorMicroseconds(pid) - before) / done.latencies.length)
    }
  }
  return all
}

/** Of paired rounds. */
const ratio = (of: readonly number[], to: readonly number[]): string =>
  median(of.map((value, round) => value / (to[round] ?? Number.NaN))).toFixed(2)

function rowsOf(all: ReadonlyMap<Way, Measured>, plain: Measured, relay: Measured): string[][] {
  return [...all].map(([{ name }, { perSecond, p50, cost }]) => [
    name,
    median(perSecond).toFixed(median(perSecond) < 100 ? 2 : 0),
    ratio(perSecond, plain.perSecond),
    ratio(perSecond, relay.perSecond),
    `${median(p50).toFixed(2)} ms`,
    `${median(p50.map((value, round) => value - (plain.p50[round] ?? Number.NaN))).toFixed(2)} ms`,
    cost.length === 0 ? '' : `${median(cost).toFixed(0)} µs`,
  ])
}

const HEAD = ['way', 'per second', '× direct', '× bare relay', 'p50', 'added p50', 'processor each']

function of(all: ReadonlyMap<Way, Measured>, way: Way): Measured {
  return all.get(way) as Measured
}

async function gets(): Promise<void> {
  await server.call('POST', '/api/v1/namespaces/bench/configmaps', { metadata: { name: 'small' }, data: { a: 'b' } })
  for (const connections of [1, 8]) {
    console.log(`### a small get, ${connections} connection${connections === 1 ? '' : 's'}, kept alive\n`)
    const all = await compare(() => '/api/v1/namespaces/bench/configmaps/small', connections, GET_MS, ways)
    table(HEAD, rowsOf(all, of(all, ways[0] as Way), of(all, bare)))
  }
}

/** As large as was said, of 1,000 objects. */
async function fill(kind: 'configmaps' | 'secrets', to: KubernetesServer): Promise<void> {
  const value = 'x'.repeat(OBJECT_BYTES * (kind === 'secrets' ? 0.75 : 1))
  const data = { value: kind === 'secrets' ? Buffer.from(value).toString('base64') : value }
  for (let from = 0; from < OBJECTS; from += AT_ONCE) {
    const names = Array.from({ length: AT_ONCE }, (_, index) => `large-${from + index}`)
    await Promise.all(
      names.map((name) => to.call('POST', `/api/v1/namespaces/lists/${kind}`, { metadata: { name }, data })),
    )
  }
}

async function lists(): Promise<void> {
  await server.namespace('lists')
  for (const kind of ['configmaps', 'secrets'] as const) {
    await fill(kind, server)
    const among = [ways[0] as Way, bare, gate]
    console.log(`### a list of ${(OBJECTS * OBJECT_BYTES) / 1e6} MB, ${kind === 'secrets' ? 'masked' : 'as it is'}\n`)
    const all = await compare(() => `/api/v1/namespaces/lists/${kind}`, 1, LIST_MS, among)
    table(HEAD, rowsOf(all, of(all, ways[0] as Way), of(all, bare)))
  }
}

/** Opens them, changes an object some times, and waits until every watcher has heard of each change. */
async function watchAll(way: Way): Promise<string[]> {
  const { pid } = way.program as { pid: number }
  const before = residentMiB(pid)
  let events = 0
  const request = get('/api/v1/namespaces/watched/configmaps?watch=true&resourceVersion=0', server.tokens.admin)
  const begun = performance.now()
  const sockets = []
  while (sockets.length < WATCHES) {
    const some = await Promise.all(Array.from({ length: AT_ONCE }, () => open(way)))
    for (const socket of some) {
      socket.write(request)
      socket.on('data', (chunk: Buffer) => (events += chunk.toString('latin1').split('"MODIFIED"').length - 1))
    }
    await Promise.all(some.map((socket) => once(socket, 'data')))
    sockets.push(...some)
  }
  const setUp = performance.now() - begun
  await sleep(SETTLE_MS)
  const open_ = residentMiB(pid)
  const changed = performance.now()
  for (let change = 0; change < EVENTS; change++) {
    await server.call(
      'PATCH',
      '/api/v1/namespaces/watched/configmaps/one',
      { data: { at: `${way.name} ${change}` } },
      {
        headers: { 'content-type': 'application/merge-patch+json' },
      },
    )
  }
  for (const expected = WATCHES * EVENTS; ;) {
    if (events === expected) break
    if (performance.now() - changed > 60_000) throw new Error(`${events} of ${WATCHES * EVENTS} events came`)
    await sleep(20)
  }
  const told = performance.now() - changed
  await sleep(SETTLE_MS)
  const after = residentMiB(pid)
  for (const socket of sockets) socket.destroy()
  await sleep(SETTLE_MS)
  const mib = (value: number) => `${value.toFixed(0)} MiB`
  const each = `${(((after - before) * 1024) / WATCHES).toFixed(0)} KiB`
  const rate = ((WATCHES * EVENTS) / told) * 1000
  return [way.name, mib(before), mib(open_), mib(after), each, `${(setUp / 1000).toFixed(1)} s`, rate.toFixed(0)]
}

async function watches(): Promise<void> {
  await server.namespace('watched')
  await server.call('POST', '/api/v1/namespaces/watched/configmaps', { metadata: { name: 'one' }, data: { at: '' } })
  console.log(`### ${WATCHES} watches, each of which is told of ${EVENTS} changes\n`)
  const rows = [await watchAll(bare), await watchAll(gate)]
  table(['way', 'before', 'open', 'after', 'a watch', 'set up', 'events per second'], rows)
}

try {
  // What is compiled and connected at first is no part of what is measured.
  for (const way of ways) await load(way, get('/api/v1/namespaces/bench', server.tokens.admin), 8, WARM_MS)
  if (wanted('gets')) await gets()
  if (wanted('lists')) await lists()
  if (wanted('watches')) await watches()
} finally {
  for (const { program } of ways) await program?.stop()
  await server.stop()
}
process.exit(0)
