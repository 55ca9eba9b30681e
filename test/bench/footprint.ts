/** Time from start to ready, and resident memory: idle, and with 500 sessions that have each run a statement. */
import { WireClient } from '../support/wire.ts'
import { benchServer, median, residentMiB, startSidegate, table } from './stage.ts'

const STARTS = 7
const SESSIONS = 500
/** Sessions that are set up at once. */
const AT_ONCE = 20
const SETTLE_MS = 1_000

const server = await benchServer()
const starts: number[] = []
for (let start = 0; start < STARTS; start++) {
  const { ready, program } = await startSidegate(server.port)
  starts.push(ready)
  await program.stop()
}
const { port, program } = await startSidegate(server.port)
const settled = () => new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
await settled()
const idle = residentMiB(program.pid)
const clients: WireClient[] = []
while (clients.length < SESSIONS) {
  const some = Array.from({ length: Math.min(AT_ONCE, SESSIONS - clients.length) }, async () => {
    const client = await WireClient.connect(port, 'bench', 'postgres')
    await client.query('SELECT id, name FROM customers WHERE id = 1')
    return client
  })
  clients.push(...(await Promise.all(some)))
}
await settled()
const busy = residentMiB(program.pid)
table(
  ['time to ready', 'resident idle', `resident with ${SESSIONS} sessions`, 'a session'],
  [
    [
      `${(median(starts) / 1000).toFixed(2)} s`,
      `${idle.toFixed(0)} MiB`,
      `${busy.toFixed(0)} MiB`,
      `${(((busy - idle) * 1024) / SESSIONS).toFixed(0)} KiB`,
    ],
  ],
)
for (const client of clients) client.close()
await program.stop()
await server.stop()
