/** A TCP connection to the host. */
import { connect, type Socket } from 'node:net'

/** Rejects with the socket's own error, or with the reason of the signal. */
export function dial(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    // Keystrokes and their echoes must not wait for each other.
    const socket = connect({ host, port, noDelay: true })
    const failed = (error: Error) => done(() => reject(error))
    const abort = () => {
      socket.destroy()
      const reason: unknown = signal.reason
      done(() => reject(reason instanceof Error ? reason : new Error('given up', { cause: reason })))
    }
    const connected = () => done(() => resolve(socket))
    function done(settle: () => void): void {
      signal.removeEventListener('abort', abort)
      socket.off('connect', connected)
      // The error listener stays until the client has its own: there is no time without one.
      settle()
    }
    socket.on('error', failed)
    socket.once('connect', connected)
    signal.addEventListener('abort', abort, { once: true })
  })
}
