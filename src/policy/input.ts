import type { Shape } from '../gate/command.ts'
import { CONTRACT_VERSION } from '../gate/input.ts'
import type { JsonObject } from '../gate/json.ts'
import type { Question } from '../gate/ports.ts'

interface Prefix {
  /** The keys of the varying part that it leaves out. */
  readonly keys: readonly string[]
  /** From the input's first byte up to where the varying members belong. */
  readonly json: string
}

/**
 * Writes the policy input as JSON, the same value that `inputOf` gives, from parts that are serialised once: the
 * shape's with each shape, the context's with each session.
 */
export class InputWriter {
  readonly #prefixes = new WeakMap<Shape, Prefix>()

  write({ session, command, sequence, grant }: Question): string {
    const { shape, varying } = command
    const { commands, rows, bytes, denied } = session.usage
    let prefix = this.#prefixes.get(shape)
    if (prefix === undefined || !sameKeys(prefix.keys, varying)) {
      prefix = prefixOf(shape, varying)
      this.#prefixes.set(shape, prefix)
    }
    const own = prefix.keys.length === 0 ? '' : JSON.stringify(varying).slice(1, -1)
    const approval = grant === null ? 'null' : JSON.stringify({ by: grant.by, at: grant.at })
    return (
      `${prefix.json}${own}}},${session.context.json.slice(1, -1)},"session":{"id":"${session.id}","sequence":${sequence},` +
      `"usage":{"commands":${commands},"rows":${rows},"bytes":${bytes},"denied":${denied}}},"approval":${approval}}`
    )
  }
}

function sameKeys(keys: readonly string[], varying: JsonObject): boolean {
  let count = 0
  for (const key in varying) {
    if (keys[count++] !== key) return false
  }
  return count === keys.length
}

function prefixOf(shape: Shape, varying: JsonObject): Prefix {
  const keys = Object.keys(varying)
  const constant = Object.fromEntries(Object.entries(shape.detail).filter(([key]) => !Object.hasOwn(varying, key)))
  const { protocol, action, text } = shape
  const members = JSON.stringify(constant).slice(1, -1)
  const head = JSON.stringify({ protocol, action, text }).slice(0, -1)
  const comma = members !== '' && keys.length > 0 ? ',' : ''
  return { keys, json: `{"version":${CONTRACT_VERSION},"command":${head},"detail":{${members}${comma}` }
}
