/** Calls: each function that a name could mean, and what the few do that are statements in disguise. */
import type { Catalogue, FunctionEntry } from '../catalogue.ts'
import { checkPinned, harmlessOnceChecked } from './settings.ts'
import { Refused } from './refused.ts'
import { constant, fieldsOf, qualified, struct, type QualifiedName } from './nodes.ts'
import type { Effect, Facts } from './facts.ts'

/** `null`: any number, where VARIADIC or named notation makes counting unsound. */
export function candidates(
  catalogue: Catalogue,
  called: QualifiedName,
  count: number | null,
): readonly FunctionEntry[] {
  const all = catalogue.functions(called.schema, called.name)
  if (count === null) return all
  return all.filter((entry) => accepts(entry, count))
}

function accepts(entry: FunctionEntry, count: number): boolean {
  const most = entry.arguments.length
  if (entry.variadic) return count >= most - 1 - (entry.defaults ?? most)
  return count <= most && count >= most - (entry.defaults ?? most)
}

/** Builtins that do what a statement of its own would. */
const EFFECTS_OF: ReadonlyMap<string, Effect> = new Map<string, Effect>([
  ['set_config', 'session'],
  ['pg_notify', 'notify'],
  ['lo_import', 'unsafe-io'],
])

/** Reports a call. Answers whether any function of that name is known. */
export function call(
  facts: Facts,
  catalogue: Catalogue,
  called: QualifiedName,
  args: readonly unknown[] | null,
): boolean {
  const found = candidates(catalogue, called, args === null ? null : args.length)
  for (const entry of found) facts.calledEntry(entry)
  if (found.length === 0) facts.called(called.schema, called.name, 'unknown')
  if (called.schema !== null && called.schema !== 'pg_catalog') return found.length > 0
  const effect = EFFECTS_OF.get(called.name)
  if (effect !== undefined) facts.effects.add(effect)
  if (called.name === 'set_config') setConfig(facts, catalogue, args)
  return found.length > 0
}

/** `set_config(name, value, is_local)` is SET, as long as its name can be read. */
function setConfig(facts: Facts, catalogue: Catalogue, args: readonly unknown[] | null): void {
  const [name, value, local] = (args ?? []).map(literal)
  if (typeof name !== 'string' || args?.length !== 3) {
    throw new Refused(
      'command.unsupported',
      'set_config() is only understood with a constant name',
      "write set_config('name', value, is_local), or SET",
    )
  }
  const setting = name.toLowerCase()
  const known = value !== undefined
  const text = known && value !== null ? String(value) : null
  checkPinned(catalogue, setting, text === null ? (known ? null : undefined) : parts(setting, text))
  if (!harmlessOnceChecked(setting)) facts.effects.add('unknown')
  facts.settings.push({ name: setting, value: text, scope: local === true ? 'transaction' : 'session', known })
}

/** A constant, or one cast to `text`, as drivers write it; other casts may change the value. */
function literal(node: unknown): ReturnType<typeof constant> {
  const cast = fieldsOf(node, 'TypeCast')
  if (cast === undefined) return constant(node)
  const type = struct(cast['typeName'])
  const { schema, name } = qualified(type?.['names'])
  const plain = name === 'text' && (schema === null || schema === 'pg_catalog') && type?.['arrayBounds'] === undefined
  return plain ? constant(cast['arg']) : undefined
}

/** The names of a search path that is written as one string; quoted ones are left as they are, and so match nothing. */
function parts(setting: string, value: string): string[] {
  return setting === 'search_path' ? value.split(',').map((part) => part.trim().toLowerCase()) : [value]
}
