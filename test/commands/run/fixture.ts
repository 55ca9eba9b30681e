/** A sidecar whose protocol speaks lines: each is a command, answered with what the gate says of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { configuration, type Configuration } from '../../../src/config/schema.ts'
import { type Context, context } from '../../../src/gate/session.ts'
import { adopt, type Leg } from '../../../src/net/leg.ts'
import type { Connection } from '../../../src/net/connection.ts'
import type { Protocol, Wiring } from '../../../src/protocols/protocol.ts'
import { shape, VARYING } from '../../policy/fixture.ts'

interface Test {
  teardown(undo: () => void | Promise<void>): void
}

export function folder(t: Test): string {
  const made = mkdtempSync(join(tmpdir(), 'sidegate-run-'))
  t.teardown(() => rmSync(made, { recursive: true, force: true }))
  writeFileSync(join(made, 'token'), 'the-token-of-the-tests\n', { mode: 0o600 })
  writeFileSync(join(made, 'password'), 'upstream-secret\n', { mode: 0o600 })
  return made
}

export function configured(base: string, bundle: string, over: Readonly<Record<string, unknown>> = {}): Configuration {
  return configuration.parse({
    version: 1,
    admin: { listen: '127.0.0.1:0', tokenFile: join(base, 'token') },
    probes: { listen: '127.0.0.1:0' },
    policy: { bundle: { file: bundle, allowUnsigned: true } },
    record: { journal: { directory: join(base, 'journal'), maxSize: '16MiB', segmentSize: '4MiB' } },
    targets: {
      lines: {
        protocol: 'postgres',
        listen: '127.0.0.1:0',
        upstream: { host: '127.0.0.1', port: 9, tls: 'disable' },
        agent: { authenticate: 'none' },
        databases: ['x'],
        credential: { user: 'x', passwordFile: join(base, 'password') },
      },
    },
    ...over,
  })
}

export const QUIET = pino({ level: 'silent' })

/** Stands in for a protocol: what it does is the gate's contract, not any wire format. */
export const LINES: Protocol = {
  name: 'postgres',
  prepare: async (_config, wiring) => ({ serve: (connection) => serve(connection, wiring), close: async () => {} }),
}

function serve(connection: Connection, { gate, identities, workload, identity }: Wiring): Promise<void> {
  const about: Context = context(identities.workload(workload), workload, identity)
  const session = gate.open(about, { client: 'lines' })
  return new Promise((resolve) => {
    const leg: Leg = adopt(
      connection.socket,
      {
        chunk: (bytes) => answer(bytes.toString().trim()),
        end: () => leg.end(),
        drain: () => {},
        close: () => {
          gate.close(session, 'left')
          resolve()
        },
      },
      { inFlight: 65_536 },
    )
    connection.signal.addEventListener('abort', () => leg.end(Buffer.from('bye\n')))

    function answer(text: string): void {
      const commands = [{ shape: shape(text), varying: VARYING }]
      const verdict = gate.rule(session, { commands, bytes: Buffer.from(text), honour: () => null })
      if (verdict instanceof Promise) throw new Error('nothing is held here')
      gate.whenRecorded((error) => {
        if (error !== null) return void leg.write(Buffer.from('not recorded\n'))
        if (verdict.kind === 'refused') return void leg.write(Buffer.from(`refused ${verdict.refusal.code}\n`))
        leg.write(Buffer.from(`permitted ${Buffer.from(verdict.permit.take()).toString()}\n`))
        gate.settle(verdict.permit, 0, { status: 'completed', code: 'OK', rows: 0, bytes: 0, masked: [] })
      })
    }
  })
}

export async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {})
  await once(socket, 'connect')
  return socket
}

export async function say(socket: Socket, word: string): Promise<string> {
  socket.write(`${word}\n`)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return bytes.toString().trim()
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('it never came to be')
}
