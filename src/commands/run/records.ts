/** The journal, and its shipping where Redis is configured. */
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { Configuration } from '../../config/schema.ts'
import { Journal } from '../../record/journal.ts'
import type { Lag, Shipping } from '../../record/shipping.ts'
import { VERSION } from '../version.ts'

/** After the sessions; with theirs well under the 30 s that Kubernetes gives a pod. */
const SHIPPING_PATIENCE = 10_000

export interface Records {
  readonly journal: Journal
  readonly shipping: Shipping | null
}

/** What the status says of records on their way to Redis. */
export interface ShippingStatus {
  readonly connected: boolean
  /** Why Redis does not take them; empty when it does. */
  readonly error: string
  /** What is durable and not in Redis yet. */
  readonly lag: Lag
}

export function shippingStatus({ shipping }: Records): ShippingStatus | null {
  if (shipping === null) return null
  const { connected, error } = shipping.status
  return { connected, error, lag: shipping.lag }
}

/** Fails where the journal cannot be written: nothing may be forwarded then, so nothing is started. */
export async function openRecords({ record, workload }: Configuration, log: Logger): Promise<Records> {
  const { redis } = record
  const journal = Journal.open({
    ...record.journal,
    sidegate: VERSION,
    name: workload.pod === '' ? hostname() : workload.pod,
    shipping: redis !== undefined,
  })
  journal.onChange(() => {
    const { ready, code, error } = journal.status
    if (ready) log.info('records are written again')
    else log.error({ code, error }, 'records cannot be written: every command is refused')
  })
  if (redis === undefined) return { journal, shipping: null }
  try {
    const shipping = await import('../../record/shipping.ts')
    return { journal, shipping: new shipping.Shipping(journal, { redis, prefix: redis.prefix, sidegate: VERSION }) }
  } catch (error) {
    await journal.close()
    throw error
  }
}

/** What was appended is durable when the journal is closed, so shipping ends after it. */
export async function closeRecords({ journal, shipping }: Records, log: Logger): Promise<void> {
  await journal.close()
  if (shipping === null) return
  const drained = await shipping.drain(SHIPPING_PATIENCE)
  if (!drained) log.warn({ lag: shipping.lag }, 'not everything was shipped: the journal keeps it for the next start')
  await shipping.stop()
}
