/** The journal, and its shipping where Redis is configured. */
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { Configuration } from '../../config/schema.ts'
import { Journal } from '../../record/journal.ts'
import { VERSION } from '../version.ts'

/** Records on their way to Redis. */
export interface Shipping {
  status(): ShippingStatus
  /** Ships what it can within `patience` milliseconds, and stops. */
  close(patience: number): Promise<void>
}

export interface ShippingStatus {
  readonly connected: boolean
  /** Durable records that are not in Redis yet. */
  readonly lag: number
  /** Why Redis does not take them; empty when it does. */
  readonly error: string
}

export interface Records {
  readonly journal: Journal
  readonly shipping: Shipping | null
}

/** Fails where the journal cannot be written: nothing may be forwarded then, so nothing is started. */
export async function openRecords({ record, workload }: Configuration, log: Logger): Promise<Records> {
  const journal = Journal.open({
    ...record.journal,
    sidegate: VERSION,
    name: workload.pod === '' ? hostname() : workload.pod,
    shipping: record.redis !== undefined,
  })
  journal.onChange(() => {
    const { ready, code, error } = journal.status
    if (ready) log.info('records are written again')
    else log.error({ code, error }, 'records cannot be written: every command is refused')
  })
  return { journal, shipping: null }
}

/** After the sessions; with theirs well under the 30 s that Kubernetes gives a pod. */
const SHIPPING_PATIENCE = 10_000

/** What was appended is durable when the journal is closed, so shipping ends after it. */
export async function closeRecords({ journal, shipping }: Records): Promise<void> {
  await journal.close()
  await shipping?.close(SHIPPING_PATIENCE)
}
