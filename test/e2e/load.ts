/** Agents that write rows as fast as they are answered, each row under a name of its own. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  encodeBind,
  encodeExecute,
  encodeParse,
  encodeQuery,
  encodeSync,
} from '../../src/protocols/postgres/messages.ts'
import { refusalIn } from './sidecar.ts'
import type { WireClient } from '../support/wire.ts'

export const TABLE = 'CREATE TABLE written (id text PRIMARY KEY)'

export interface Load {
  /** Names whose INSERT was answered by CommandComplete. */
  readonly confirmed: readonly string[]
  /** Names that were sent. */
  readonly sent: readonly string[]
  /** Refusals that came, with how often. */
  readonly refusals: ReadonlyMap<string, number>
  /** Connections that ended while an answer was owed. */
  interrupted(): number
  /** Lets every agent have its last answer. */
  stop(): Promise<void>
}

/** Sends one message, or one run of messages, and returns the names of the rows that it writes. */
type Step = (client: WireClient, name: (part: number) => string) => string[]

const insert = (name: string) => `INSERT INTO written VALUES ('${name}')`

/** Ways in which a statement reaches the server: alone, several in one message, unnamed and prepared, and pipelined. */
const STEPS: readonly Step[] = [
  (client, name) => {
    client.send(encodeQuery(insert(name(0))))
    return [name(0)]
  },
  (client, name) => {
    client.send(encodeQuery(`${insert(name(0))}; SELECT 1; ${insert(name(1))}`))
    return [name(0), name(1)]
  },
  (client, name) => {
    const names = [name(0), name(1), name(2)]
    const frames = names.flatMap((each) => [
      encodeParse('', insert(each)),
      encodeBind({ portal: '', statement: '', parameterFormats: [], parameters: [], resultFormats: [] }),
      encodeExecute(''),
    ])
    client.send(...frames, encodeSync())
    return names
  },
]

/** `pause`: milliseconds that each agent waits from one answer to its next message. */
export function startLoad(clients: readonly WireClient[], prefix: string, pause = 0): Load {
  const confirmed: string[] = []
  const sent: string[] = []
  const refusals = new Map<string, number>()
  let interrupted = 0
  const stopping = new AbortController()
  const agents = clients.map(async (client, index) => {
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      if (pause > 0) await sleep(pause)
      const step = STEPS[(turn + index) % STEPS.length] as Step
      const names = step(client, (part) => `${prefix}-${index}-${turn}-${part}`)
      sent.push(...names)
      const answers = await client.ready()
      if (answers.at(-1)?.type !== 'Z') return void interrupted++
      const refusal = refusalIn(answers)
      if (refusal === '') confirmed.push(...names)
      else refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1)
    }
  })
  return {
    confirmed,
    sent,
    refusals,
    interrupted: () => interrupted,
    async stop() {
      stopping.abort()
      await Promise.all(agents)
    },
  }
}
