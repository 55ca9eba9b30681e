import type { Logger } from 'pino'
import type { TargetConfig } from '../config/schema.ts'
import type { Gate } from '../gate/gate.ts'
import type { TargetIdentity, Workload } from '../gate/principal.ts'
import type { Connection } from '../net/connection.ts'

/** What `commands/run.ts` wires up for a protocol; nothing else reaches it. */
export interface Wiring {
  readonly gate: Gate
  readonly workload: Workload
  readonly identity: TargetIdentity
  readonly log: Logger
}

/** One configured target, ready to serve. */
export interface Target {
  /** Serves one accepted connection from its first byte to its last. Never rejects: what goes wrong is logged and ends it. */
  serve(connection: Connection): Promise<void>
  /** Stops what the target keeps of its own (catalogue connections, workers). Sessions end by their connections. */
  close(): Promise<void>
}

/** A protocol: one folder, one line in index.ts. */
export interface Protocol<Config extends TargetConfig = TargetConfig> {
  readonly name: Config['protocol']
  /** Prepares a target; throws a coded error when its files or settings cannot work. */
  prepare(config: Config, wiring: Wiring): Promise<Target>
}
