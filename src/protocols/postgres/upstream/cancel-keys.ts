/** The keys by which agents cancel: ours, never the target's, so that an agent can cancel its own sessions alone. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { BackendKeyData } from '../messages/backend.ts'
import { PROTOCOL_3_2 } from '../messages/startup.ts'

/** Protocol 3.0 has room for 4 bytes; since 3.2 PostgreSQL itself sends 32. */
const SECRET_3_0 = 4
const SECRET_3_2 = 32

interface Entry {
  readonly secret: Buffer
  readonly cancel: () => void
}

export class CancelKeys {
  /** Process ids are the target's, and two targets (or a restarted one) may give the same twice. */
  readonly #entries = new Map<number, Set<Entry>>()

  /**
   * A key for a session, valid from now on: the agent may use it as soon as it has it. The process id stays the target's
   * own, because tools compare it with pg_backend_pid().
   */
  register(processId: number, protocol: number, cancel: () => void): { key: BackendKeyData; unregister: () => void } {
    const secret = randomBytes(protocol >= PROTOCOL_3_2 ? SECRET_3_2 : SECRET_3_0)
    const entry: Entry = { secret, cancel }
    const entries = this.#entries.get(processId) ?? new Set()
    this.#entries.set(processId, entries.add(entry))
    const unregister = () => {
      entries.delete(entry)
      if (entries.size === 0 && this.#entries.get(processId) === entries) this.#entries.delete(processId)
    }
    return { key: { processId, secret }, unregister }
  }

  /** Cancels the session that the whole key names. False when there is none; the agent is told neither. */
  cancel({ processId, secret }: BackendKeyData): boolean {
    let found: Entry | null = null
    for (const entry of this.#entries.get(processId) ?? []) {
      const same = entry.secret.length === secret.length && timingSafeEqual(entry.secret, secret)
      if (same) found = entry
    }
    found?.cancel()
    return found !== null
  }
}
