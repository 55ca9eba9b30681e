/** Large results: 200,000 rows of five columns with and without a masked one, and one gigabyte while memory is watched. */
import { connect } from 'node:net'
import { encodeQuery, encodeStartup, PROTOCOL_3_0 } from '../../src/protocols/postgres/messages.ts'
import { benchServer, median, type Path, residentMiB, startRelay, startSidegate, table } from './stage.ts'

const ROUNDS = 7
const ROWS = 200_000
/** A row of one gigabyte's result, and how many of them. */
const WIDE = 10_000
const MANY = 107_374
const SAMPLE_MS = 50

/** Runs a query and throws its result away; resolves with seconds and bytes. A connection of its own. */
async function drain(port: number, text: string): Promise<{ seconds: number; bytes: number }> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  let bytes = 0
  let began = 0
  let tail = Buffer.alloc(0)
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the connection closed before the result ended')))
    socket.on('data', (chunk) => {
      tail = chunk.length >= 6 ? chunk.subarray(-6) : Buffer.concat([tail, chunk]).subarray(-6)
      bytes += chunk.length
      // ReadyForQuery in state idle is the last thing that comes, both times.
      if (tail.toString('latin1') !== 'Z\0\0\0\x05I') return
      if (began !== 0) return resolve()
      began = performance.now()
      bytes = 0
      socket.write(encodeQuery(text))
    })
    socket.write(
      encodeStartup(PROTOCOL_3_0, [
        ['user', 'postgres'],
        ['database', 'bench'],
      ]),
    )
  })
  const seconds = (performance.now() - began) / 1000
  socket.removeAllListeners('close').destroy()
  return { seconds, bytes }
}

const server = await benchServer()
const fill = `insert into customers select g, 'name ' || g, 'someone' || g || '@example.com', '123-45-6789', 'city' from generate_series(1, ${ROWS}) g`
await server.sql(fill, undefined, 'bench')
const direct: Path = { name: 'direct', port: server.port, program: null }
const relay = await startRelay(server.port)
const sidegate = await startSidegate(server.port)
const QUERIES = [
  { name: 'unmasked', text: 'SELECT id, name, city, id, name FROM customers' },
  { name: 'one masked column', text: 'SELECT id, name, city, id, ssn FROM customers' },
] as const
const rows: string[][] = []
for (const { name, text } of QUERIES) {
  const times = new Map([direct, relay, sidegate].map((path) => [path.name, [] as number[]]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const path of [direct, relay, sidegate]) times.get(path.name)?.push((await drain(path.port, text)).seconds)
  }
  const at = (path: Path) => times.get(path.name) ?? []
  const over = (path: Path) =>
    median(at(sidegate).map((value, round) => value / (at(path)[round] ?? Number.NaN))).toFixed(2)
  rows.push([
    name,
    ...[direct, relay, sidegate].map((path) => `${(median(at(path)) * 1000).toFixed(0)} ms`),
    over(direct),
    over(relay),
  ])
}
table([`${ROWS} rows`, 'direct', 'relay', 'Sidegate', 'Sidegate to direct', 'Sidegate to relay'], rows)

const before = residentMiB(sidegate.program.pid)
let peak = before
const sampling = setInterval(() => {
  peak = Math.max(peak, residentMiB(sidegate.program.pid))
}, SAMPLE_MS)
const { seconds, bytes } = await drain(sidegate.port, `SELECT repeat('x', ${WIDE}) FROM generate_series(1, ${MANY})`)
clearInterval(sampling)
table(
  ['one result of', 'took', 'resident before', 'resident at most'],
  [
    [
      `${(bytes / 2 ** 30).toFixed(2)} GiB`,
      `${seconds.toFixed(1)} s`,
      `${before.toFixed(0)} MiB`,
      `${peak.toFixed(0)} MiB`,
    ],
  ],
)
await sidegate.program.stop()
await relay.program?.stop()
await server.stop()
