import type { Duplex } from 'node:stream'

/**
 * An agent's connection between its request to become another protocol's and the answer. What comes now is too early, since
 * nobody could say yet what it is; that the agent leaves must be heard, since people may be asked for it meanwhile.
 */
export class Waiting {
  readonly #socket: Duplex
  readonly #left: () => void

  constructor(socket: Duplex, left: () => void) {
    this.#socket = socket
    this.#left = left
    socket.on('data', this.#early).on('end', left).on('close', left).on('error', left)
    socket.resume()
  }

  /** Somebody else reads from it now. */
  release(): void {
    this.#socket.pause()
    this.#socket.off('data', this.#early).off('end', this.#left).off('close', this.#left).off('error', this.#left)
    this.#socket.on('error', () => {})
  }

  readonly #early = (): void => {
    this.#socket.destroy()
  }
}
