/** One listener for each target, and what its protocol serves behind it. */
import type { Logger } from 'pino'
import type { Configuration, TargetConfig } from '../../config/schema.ts'
import { readSecret } from '../../credentials/secret.ts'
import type { Gate } from '../../gate/gate.ts'
import { certificatePrincipal, keyPrincipal, passwordPrincipal, workloadPrincipal } from '../../identity/principals.ts'
import { MaskKey } from '../../mask/key.ts'
import { maskMethods } from '../../mask/method.ts'
import { Listener, type ListenerCounts } from '../../net/listener.ts'
import type { Identities, Protocol, Target } from '../../protocols/protocol.ts'

export const IDENTITIES: Identities = {
  workload: workloadPrincipal,
  password: passwordPrincipal,
  key: keyPrincipal,
  certificate: certificatePrincipal,
  // Few targets take tokens, and what verifies them takes a while to load.
  tokens: async (demands) => (await import('../../identity/tokens.ts')).createTokenVerifier(demands),
}

export interface ServedTarget {
  readonly name: string
  readonly protocol: string
  readonly port: number
  readonly counts: Readonly<ListenerCounts>
  /** What whoever sets agents up must know. */
  readonly facts: Readonly<Record<string, string>>
}

interface Serving extends ServedTarget {
  readonly listener: Listener
  readonly target: Target
}

export class Targets {
  readonly #serving: Serving[] = []

  get all(): readonly ServedTarget[] {
    return this.#serving
  }

  /** Prepares all targets, and only then listens: what cannot work shows before the first agent connects. */
  static async open(
    { targets, workload, masks: { keyFile } }: Configuration,
    { gate, log, protocols }: { readonly gate: Gate; readonly log: Logger; readonly protocols: readonly Protocol[] },
  ): Promise<Targets> {
    const opened = new Targets()
    const masks = maskMethods(
      keyFile === undefined ? MaskKey.random() : new MaskKey(Buffer.from(await readSecret(keyFile))),
    )
    const prepared: { config: TargetConfig; target: Target; log: Logger }[] = []
    try {
      for (const [name, settings] of Object.entries(targets)) {
        const config = { ...settings, name }
        const own = log.child({ target: name })
        const target = await protocolOf(config, protocols).prepare(config, {
          gate,
          workload,
          identity: identityOf(config),
          log: own,
          identities: IDENTITIES,
          secret: readSecret,
          masks,
        })
        prepared.push({ config, target, log: own })
      }
      for (const { config, target, log: own } of prepared) await opened.#listen(config, target, own)
      return opened
    } catch (error) {
      await opened.close(0)
      await Promise.all(prepared.map(({ target }) => target.close()))
      throw error
    }
  }

  /** No new connections; those that are there go on. */
  stop(): void {
    for (const { listener } of this.#serving) listener.stop()
  }

  /** Ends all sessions, those that do not end by themselves after `patience` milliseconds. */
  async close(patience: number): Promise<void> {
    await Promise.all(this.#serving.map(({ listener }) => listener.close(patience)))
    await Promise.all(this.#serving.map(({ target }) => target.close()))
  }

  async #listen(config: TargetConfig, target: Target, log: Logger): Promise<void> {
    const listener = new Listener({
      ...config.listen,
      connections: config.limits.connections,
      serve: (connection) => target.serve(connection),
      failed: (error) => log.error({ err: error }, 'a connection failed'),
    })
    const port = await listener.listen()
    this.#serving.push({
      name: config.name,
      protocol: config.protocol,
      port,
      counts: listener.counts,
      facts: target.facts ?? {},
      listener,
      target,
    })
    log.info({ listen: `${config.listen.host}:${port}`, ...target.facts }, 'target listens')
  }
}

function protocolOf(config: TargetConfig, protocols: readonly Protocol[]): Protocol {
  const found = protocols.find(({ name }) => name === config.protocol)
  if (found === undefined) throw new Error(`the protocol ${config.protocol} of target ${config.name} is not built in`)
  return found
}

function identityOf({ name, protocol, upstream, labels }: TargetConfig) {
  return Object.freeze({ name, protocol, host: upstream.host, port: upstream.port, labels })
}
