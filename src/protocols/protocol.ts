import type { Logger } from 'pino'
import type { TargetConfig } from '../config/schema.ts'
import type { Gate } from '../gate/gate.ts'
import type { Principal, TargetIdentity, Workload } from '../gate/principal.ts'
import type { MaskMethods } from '../mask/method.ts'
import type { Connection } from '../net/connection.ts'

/** What a target demands of the tokens that agents present. */
export interface TokenDemands {
  readonly issuer: string
  readonly audience: string
  /** A JSON Web Key Set: a file, or an address. */
  readonly keys: { readonly file: string } | { readonly url: string }
  readonly algorithms: readonly string[]
}

export interface TokenVerifier {
  /** Fails with an error whose `code` is `identity.missing`, `identity.invalid` or `identity.expired` and whose message an agent may read. */
  verify(token: string): Promise<Principal>
}

/** What an OpenSSH certificate says of who presented it and proved to hold its key. */
export interface Certified {
  /** The login name that it was presented for, one of its principals. */
  readonly user: string
  readonly keyId: string
  /** In decimal: it may be larger than a number can hold. */
  readonly serial: string
  readonly principals: readonly string[]
  /** Of the certified key, and of the authority that signed, as `SHA256:…`. */
  readonly fingerprint: string
  readonly authority: string
}

/** Who acts, by the way in which it was proven. */
export interface Identities {
  /** Nobody proved anything but to stand beside the sidecar. */
  workload(workload: Workload): Principal
  /** The agent's own password was right. */
  password(user: string): Principal
  /** The agent holds the private half of a key that is configured for the user. */
  key(user: string, fingerprint: string): Principal
  certificate(certified: Certified): Principal
  /** Fails with a coded error when the keys cannot be read. */
  tokens(demands: TokenDemands): Promise<TokenVerifier>
}

/** What `commands/run.ts` wires up for a protocol; nothing else reaches it. */
export interface Wiring {
  readonly gate: Gate
  readonly workload: Workload
  readonly identity: TargetIdentity
  readonly log: Logger
  readonly identities: Identities
  /** Reads a secret's file, at each use, so that a rotated secret holds at once. Fails with the code `credential.unreadable`. */
  readonly secret: (file: string) => Promise<string>
  /** What masks make of values, under the deployment's key. */
  readonly masks: MaskMethods
}

/** One configured target, ready to serve. */
export interface Target {
  /** What whoever sets agents up must know, for the log and `sidegate status`: the line for their `known_hosts`. Never a secret. */
  readonly facts?: Readonly<Record<string, string>>
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
