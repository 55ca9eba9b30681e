/** An agent that reads a redacted value and writes it back would destroy the real one. */
import type { Refusal } from '../../../gate/refusal.ts'
import type { MaskMethods } from '../../../mask/method.ts'
import type { Statement } from '../statement.ts'
import { unsupported } from './refusing.ts'

/** Refuses a write that carries the redaction marker, in its text or in a parameter's bytes. Null: it carries none. */
export function refuseMarker(
  statement: Statement,
  parameters: readonly (Uint8Array | null)[],
  methods: MaskMethods,
): Refusal | null {
  if (statement.readsOnly) return null
  const carries =
    methods.holdsMarker(statement.shape.text) ||
    parameters.some((value) => value !== null && methods.holdsMarker(value))
  return carries
    ? unsupported(
        `the statement writes ${methods.marker}, which stands for a value that was masked`,
        'write only what was not masked',
      )
    : null
}
