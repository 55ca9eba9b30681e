/** Bytes that do not follow SFTP version 3. The channel ends: after one of these nothing can be trusted to be a packet. */
export class ProtocolViolation extends Error {
  readonly code = 'protocol.violation'
  /** The packet in which it was found, by the draft's name. */
  readonly where: string

  constructor(where: string, what: string) {
    super(`${where}: ${what}`)
    this.name = 'ProtocolViolation'
    this.where = where
  }
}
