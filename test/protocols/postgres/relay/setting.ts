/** A target before a real server, with the gate's ports and the wire to the server in the test's hand. */
import type { Test } from 'tap'
import type { Decision } from '../../../../src/gate/decision.ts'
import {
  encodeBind,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeSync,
} from '../../../../src/protocols/postgres/messages.ts'
import { ALLOW, deny, FakeApproval, FakePolicy, FakeRecord } from '../../../support/fakes.ts'
import { startTarget } from '../../../support/postgres-target.ts'
import { sharedPostgres } from '../../../support/postgres.ts'
import { type Answer, shown, WireClient } from '../../../support/wire.ts'
import { Tap } from '../../../conformance/tap.ts'

export const server = await sharedPostgres()

/** A database of its own, a target with a tap behind it, and agents that end with the test. */
export async function setting(t: Test, setup = '', config: Readonly<Record<string, unknown>> = {}) {
  const database = await server.createDatabase()
  if (setup !== '') await server.sql(setup, undefined, database)
  const ports = { policy: new FakePolicy(), record: new FakeRecord(), approval: new FakeApproval() }
  const tap = await Tap.before(server.port)
  const target = await startTarget(server, { ...ports, upstreamPort: tap.port, config })
  const clients: WireClient[] = []
  t.teardown(async () => {
    for (const client of clients) client.close()
    await target.close()
    await tap.close()
  })
  return {
    ...ports,
    tap,
    target,
    database,
    sql: (text: string) => server.sql(text, undefined, database),
    async connect(more: readonly [string, string][] = []) {
      const client = await WireClient.connect(target.port, database, 'agent', [...more])
      clients.push(client)
      return client
    },
  }
}

export const limited = (limits: Partial<Decision['limits']>): Decision => ({
  ...ALLOW,
  limits: { ...ALLOW.limits, ...limits },
})

/** A policy that refuses what contains a word. */
export function refusing(word: string): FakePolicy['rule'] {
  return ({ command }) => (command.shape.text.includes(word) ? deny('test.refused') : ALLOW)
}

const NONE = { parameterFormats: [], parameters: [], resultFormats: [] } as const

export const parse = (name: string, text: string): Buffer => encodeParse(name, text)
export const bind = (portal: string, statement = '', values: readonly string[] = []): Buffer =>
  encodeBind({ ...NONE, portal, statement, parameters: values.map((value) => Buffer.from(value)) })
export const describePortal = (portal: string): Buffer => encodeDescribe('portal', portal)
export const execute = (portal = '', rows = 0): Buffer => encodeExecute(portal, rows)
export const sync = (): Buffer => encodeSync()
/** Parse, Bind, Execute without names. */
export const whole = (text: string): Buffer => Buffer.concat([parse('', text), bind(''), execute('')])

/** Sends, and shows what comes up to the next ReadyForQuery. */
export async function ask(client: WireClient, ...frames: Uint8Array[]): Promise<string> {
  client.send(...frames)
  return shown(await client.ready())
}

/** The fields of the first error among the answers. */
export function errorOf(answers: readonly Answer[]): Record<string, string> {
  return Object.fromEntries(answers.find(({ type }) => type === 'E')?.fields ?? [])
}

/** Waits until something holds, and says what did not. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`never: ${what}`)
}
