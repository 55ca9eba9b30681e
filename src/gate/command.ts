import type { JsonObject } from './json.ts'

/**
 * What does not change between two executions of the same text against the same catalogue.
 *
 * Protocols cache shapes, so **identity is meaning**: the same object always says the same thing, and whatever is
 * derived from it (the policy input's bytes, a memoised decision, a record's encoded part) may be kept in a `WeakMap`
 * by it. A shape and all that it holds is frozen.
 */
export interface Shape {
  /** The protocol's name, as in `input.command.protocol`. */
  readonly protocol: string
  /** The one word for what it does: the most powerful thing anywhere in it, in the protocol's own vocabulary. */
  readonly action: string
  /** The command as the agent wrote it, well-formed Unicode. */
  readonly text: string
  /**
   * What records keep in place of `text` where that holds a secret (a password being set); absent where it holds none.
   * `detail` must never hold one.
   */
  readonly recorded?: string
  /** The protocol's facts (`input.command.detail`), as its JSON Schema in `rego/schemas` describes them. */
  readonly detail: JsonObject
}

/** One thing that the agent asks for: the unit of decision. */
export interface Command {
  readonly shape: Shape
  /** Keys of `detail` that differ from one execution to the next: parameters, transaction state, phase. */
  readonly varying: JsonObject
}
