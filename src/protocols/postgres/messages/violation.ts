/** Bytes that do not follow PostgreSQL's protocol. The connection ends: after one of these nothing can be trusted to be a frame. */
export class ProtocolViolation extends Error {
  readonly code = 'protocol.violation'
  /** The message or packet in which it was found, by PostgreSQL's name. */
  readonly where: string

  constructor(where: string, what: string) {
    super(`${where}: ${what}`)
    this.name = 'ProtocolViolation'
    this.where = where
  }
}
