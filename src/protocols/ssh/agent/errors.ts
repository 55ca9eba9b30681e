/** Why a target's side towards its agents cannot be made ready: the message names the key of the configuration and the file. */
export type AgentSideErrorCode = 'ssh.host-key' | 'ssh.known-hosts' | 'ssh.public-key'

export class AgentSideError extends Error {
  override readonly name = 'AgentSideError'
  readonly code: AgentSideErrorCode

  constructor(code: AgentSideErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}
