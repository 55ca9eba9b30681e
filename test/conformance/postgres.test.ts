import pg from 'pg'
import { encodeQuery } from '../../src/protocols/postgres/messages.ts'
import { startTarget } from '../support/postgres-target.ts'
import { sharedPostgres } from '../support/postgres.ts'
import { type Answer, WireClient } from '../support/wire.ts'
import { type Agent, conforms, type Told } from './suite.ts'
import { Tap } from './tap.ts'

const SECRET = 'the-secret-of-a-customer'

const server = await sharedPostgres()
const database = await server.createDatabase()
await server.sql(
  `CREATE TABLE customers (id int, secret text); INSERT INTO customers VALUES (1, '${SECRET}')`,
  undefined,
  database,
)

function told(answers: readonly Answer[]): Told {
  const error = answers.find(({ type }) => type === 'E')?.fields
  if (answers.at(-1)?.type !== 'Z') return { kind: 'ended' }
  if (error === undefined) return { kind: 'done', output: answers.map(({ values }) => values?.join() ?? '').join('\n') }
  return { kind: 'refused', code: error.get('D') ?? '', text: [...error.values()].join('\n') }
}

function agent(client: WireClient): Agent {
  return {
    async run(...commands) {
      client.send(...commands.map((command) => encodeQuery(command)))
      const all: Told[] = []
      for (const _ of commands) all.push(told(await client.ready()))
      return all
    },
    async runSplit(command) {
      for (const byte of encodeQuery(command)) {
        client.send(Buffer.of(byte))
        await new Promise(setImmediate)
      }
      return told(await client.ready())
    },
    async send(command) {
      client.send(encodeQuery(command))
    },
    async sendUnknown(marker) {
      const body = Buffer.from(`${marker}\0`)
      const length = Buffer.alloc(4)
      length.writeInt32BE(body.length + 4)
      client.send(Buffer.from('w'), length, body)
      return told(await client.ready())
    },
    leave: () => client.close(),
  }
}

conforms({
  protocol: 'postgres',
  command: (marker) => `SELECT '${marker}' AS marker`,
  masked: {
    command: 'SELECT secret FROM customers',
    secret: SECRET,
    masks: [{ column: 'public.customers.secret', detector: null, path: null, with: 'redact', policy: 'policy.test' }],
  },
  async start(ports) {
    const tap = await Tap.before(server.port)
    const target = await startTarget(server, { ...ports, upstreamPort: tap.port })
    const clients: WireClient[] = []
    return {
      async connect() {
        const client = await WireClient.connect(target.port, database)
        clients.push(client)
        return agent(client)
      },
      reached: (marker) => tap.passed(marker),
      async native(command) {
        const client = new pg.Client({ host: '127.0.0.1', port: target.port, user: 'agent', database })
        await client.connect()
        try {
          await client.query(command)
          return ''
        } catch (error) {
          if (!(error instanceof pg.DatabaseError)) throw error
          return [error.message, error.detail, error.hint].join('\n')
        } finally {
          await client.end()
        }
      },
      async close() {
        for (const client of clients) client.close()
        await target.close()
        await tap.close()
      },
    }
  },
})
