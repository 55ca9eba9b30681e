/** Targets of Sidegate's in this process, wired as `sidegate run` wires them, with the gate's ports in the test's hand. */
import { pino } from 'pino'
import { Targets } from '../../src/commands/run/targets.ts'
import { type Configuration, configuration, type TargetConfig } from '../../src/config/schema.ts'
import { Gate } from '../../src/gate/gate.ts'
import type { ApprovalPort } from '../../src/gate/ports.ts'
import type { Protocol } from '../../src/protocols/protocol.ts'
import { FakePolicy, FakeRecord } from './fakes.ts'

const NAME = 'target'

type Settings = Readonly<Record<string, unknown>>

/** Without an address of its own, the target listens on a port that is free. */
function configurationOf(protocol: string, settings: Settings): Configuration {
  return configuration.parse({
    version: 1,
    workload: { namespace: 'agents', pod: 'agent-0', serviceAccount: 'agent' },
    policy: { bundle: { file: '/nowhere', allowUnsigned: true } },
    record: { journal: { directory: '/nowhere' } },
    targets: { [NAME]: { protocol, listen: '127.0.0.1:0', ...settings } },
  })
}

type ConfigOf<Name> = Extract<TargetConfig, { readonly protocol: Name }>

/** A target's configuration, as a file would give it. */
export function configured<Name extends TargetConfig['protocol']>(
  protocol: Name,
  settings: Settings,
  name = NAME,
): ConfigOf<Name> {
  const target = configurationOf(protocol, settings).targets[NAME]
  return { ...target, name } as ConfigOf<Name>
}

/** What stands in for the gate's ports; each is a new one where it is absent, and nobody approves. */
export interface Ports {
  readonly policy?: FakePolicy
  readonly record?: FakeRecord
  readonly approval?: ApprovalPort
}

export interface ServedTarget {
  readonly port: number
  /** What whoever sets agents up must know. */
  readonly facts: Readonly<Record<string, string>>
  readonly policy: FakePolicy
  readonly record: FakeRecord
  readonly gate: Gate
  readonly log: string[]
  /** Connections that are being served now. */
  connections(): number
  close(patience?: number): Promise<void>
}

export async function serveTarget(protocol: Protocol, settings: Settings, ports: Ports = {}): Promise<ServedTarget> {
  const { policy = new FakePolicy(), record = new FakeRecord(), approval = null } = ports
  const gate = new Gate(policy, record, approval)
  const log: string[] = []
  const targets = await Targets.open(configurationOf(protocol.name, settings), {
    gate,
    log: pino({ level: 'debug' }, { write: (line: string) => void log.push(line) }),
    protocols: [protocol],
  })
  const [served] = targets.all
  if (served === undefined) throw new Error('nothing is served')
  return {
    port: served.port,
    facts: served.facts,
    policy,
    record,
    gate,
    log,
    connections: () => served.counts.active,
    async close(patience = 0) {
      await targets.close(patience)
      // Whatever an agent does, its session ends in order.
      const failed = log.find((line) => line.includes('"a connection failed"'))
      if (failed !== undefined) throw new Error(failed)
    },
  }
}
