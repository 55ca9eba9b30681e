/** What was sent cannot be inspected, or may not be shown at all: nothing more of it may pass. */
export class Unmaskable extends Error {
  override readonly name = 'Unmaskable'
  readonly code = 'obligation.unsupported'
}
