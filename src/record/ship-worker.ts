/** The thread that ships, so that the 12 to 15 µs that an entry costs are never spent on the path of a command. */
import { parentPort, workerData } from 'node:worker_threads'
import { Shipper, type ShipperStatus } from './shipper.ts'
import { connectStreams, type RedisSettings, streamNames } from './streams.ts'

export interface ShipWork {
  readonly directory: string
  readonly instance: string
  readonly sidegate: string
  readonly prefix: string
  readonly redis: RedisSettings
  /** One 64-bit number: the journal's durable position. */
  readonly durable: SharedArrayBuffer
}

export interface ShipMessage {
  readonly kind: 'status'
  readonly status: ShipperStatus
}

/** How often the main thread hears of progress. */
const REPORT_MS = 100

const { directory, instance, sidegate, prefix, redis, durable } = workerData as ShipWork
const position = new BigInt64Array(durable)
const shipper = new Shipper({
  directory,
  instance,
  sidegate,
  streams: streamNames(prefix),
  connect: () => connectStreams(redis),
  durable: () => Number(Atomics.load(position, 0)),
})
const report = (): void => send({ kind: 'status', status: shipper.status })
const reporting = setInterval(report, REPORT_MS)
shipper.start()

parentPort?.once('message', () => void stop())

async function stop(): Promise<void> {
  await shipper.stop()
  clearInterval(reporting)
  report()
  parentPort?.close()
}

function send(message: ShipMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port is not a window
  parentPort?.postMessage(message)
}
