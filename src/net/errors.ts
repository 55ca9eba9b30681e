/** What goes wrong below any protocol. The message is for the operator; what the agent is told is the protocol's matter. */
export type NetErrorCode = 'net.unreachable' | 'net.timeout' | 'net.aborted' | 'net.listen' | 'net.handler'

export class NetError extends Error {
  readonly code: NetErrorCode

  constructor(code: NetErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'NetError'
    this.code = code
  }
}
