/** Shippers of a test's journal. */
import type { Journal } from '../../src/record/journal.ts'
import { Shipper } from '../../src/record/shipper.ts'
import { connectStreams, streamNames } from '../../src/record/streams.ts'
import type { RedisServer } from '../support/redis.ts'

export const PREFIX = 'test'

/** One that has begun. */
export function shipperOf(journal: Journal, server: RedisServer): Shipper {
  const { directory, instance } = journal
  const connect = () => connectStreams({ url: server.url })
  const durable = () => journal.durable
  const streams = streamNames(PREFIX)
  const shipper = new Shipper({ directory, instance, sidegate: '0.0.0', streams, connect, durable })
  shipper.start()
  return shipper
}
