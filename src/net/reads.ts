/**
 * One static read buffer for every socket of the process.
 *
 * libuv allocates 64 KiB for each read unless it is given memory to read into, which costs 2–3 µs a round trip. Reading
 * and the callback are one uninterrupted turn of the event loop, so all sockets may share the same memory: whoever
 * wants to keep bytes beyond the callback copies them. A dialled socket takes the buffer by Node's documented `onread`;
 * an accepted one has to be taken over by its handle, which is not documented, so {@link testStaticReads} tries it
 * once at start and everything falls back to plain `data` events where it does not behave.
 */
import { type OnReadOpts, Socket } from 'node:net'

/** What the kernel is asked for at once; what libuv would allocate. */
const READ_SIZE = 64 * 1024

const memory = Buffer.allocUnsafeSlow(READ_SIZE)

let works = true

/** Whether sockets read into the shared buffer. */
export function staticReads(): boolean {
  return works
}

/** Turns static reads on or off for sockets that are made from now on. */
export function useStaticReads(on: boolean): void {
  works = on
}

export type Sink = (bytes: Buffer) => void

/** The `onread` option: `sink` sees a view of the shared memory that is valid only during the call. */
export function onread(sink: Sink): OnReadOpts {
  return {
    buffer: memory,
    callback: (length) => {
      sink(memory.subarray(0, length))
      // `false` would stop reading behind the socket's back; pausing is the leg's matter.
      return true
    },
  }
}

/** The corner of net.Socket that a takeover needs. */
interface WithHandle {
  _handle: unknown
}

/**
 * A socket of our own around an accepted one's handle; the accepted one is left empty. It must not have been read from
 * (`pauseOnConnect`). Null where that cannot be done: the accepted socket is then as it was.
 */
export function takeOver(accepted: Socket, sink: Sink, highWaterMark: number): Socket | null {
  const shell = accepted as unknown as WithHandle
  const handle = shell._handle
  if (!works || handle === null || typeof handle !== 'object' || accepted.readableLength > 0) return null
  const options = { handle, onread: onread(sink), allowHalfOpen: true, writableHighWaterMark: highWaterMark }
  shell._handle = null
  // The types of Node know no handle of an accepted connection.
  return new Socket(options as unknown as ConstructorParameters<typeof Socket>[0])
}
