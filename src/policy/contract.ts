import { readdirSync, readFileSync } from 'node:fs'
import type { Command, Shape } from '../gate/command.ts'
import type { JsonObject } from '../gate/json.ts'
import type { Grant } from '../gate/ports.ts'
import type { Context } from '../gate/session.ts'
import {
  type Check,
  checkMember,
  compileSchema,
  isRecord,
  type ObjectCheck,
  objectCheck,
  type SchemaObject,
} from './schema.ts'

/** The schemas of the input are part of the package, two levels up from here in `src` and in `dist`. */
const SCHEMAS = new URL('../../rego/schemas/', import.meta.url)
const INPUT_SCHEMA = 'input.json'

interface CheckedShape {
  /** What is wrong with it, or null. */
  readonly wrong: string | null
  /** Required keys that the shape leaves to what varies. */
  readonly missing: readonly string[]
}

/**
 * The published schemas of the policy input. A missing key would make conditions undefined, and a condition that is
 * undefined can open what it should close; so nothing is evaluated that does not fit.
 *
 * What is constant is checked once: shapes and contexts are frozen, and identity is meaning.
 */
export class InputContract {
  /** `input.command.detail`, by protocol. */
  readonly details: ReadonlyMap<string, SchemaObject>
  readonly schema: SchemaObject
  /** The keys of each protocol's `detail`, where its schema allows no others. */
  readonly vocabularies: ReadonlyMap<string, ReadonlySet<string>>
  readonly #details: ReadonlyMap<string, ObjectCheck>
  readonly #parts: ReadonlyMap<string, Check>
  readonly #shapes = new WeakMap<Shape, CheckedShape>()
  readonly #contexts = new WeakMap<Context, string>()

  constructor(input: SchemaObject, details: ReadonlyMap<string, SchemaObject>) {
    this.schema = input
    this.details = details
    this.#parts = objectCheck(input).properties
    this.#details = new Map([...details].map(([protocol, schema]) => [protocol, membersOf(protocol, schema)]))
    this.vocabularies = new Map(
      [...this.#details].flatMap(([protocol, { additional, properties }]) =>
        additional === null ? [[protocol, new Set(properties.keys())] as const] : [],
      ),
    )
  }

  static load(directory: URL = SCHEMAS): InputContract {
    const read = (name: string) => JSON.parse(readFileSync(new URL(name, directory), 'utf8')) as SchemaObject
    const names = readdirSync(directory).filter((name) => name.endsWith('.json') && name !== INPUT_SCHEMA)
    return new InputContract(
      read(INPUT_SCHEMA),
      new Map(names.map((name) => [name.slice(0, -'.json'.length), read(name)])),
    )
  }

  /** Null, or what is wrong with a command and where. */
  checkCommand({ shape, varying }: Command): string | null {
    let checked = this.#shapes.get(shape)
    if (checked === undefined) {
      checked = this.#checkShape(shape)
      this.#shapes.set(shape, checked)
    }
    if (checked.wrong !== null) return checked.wrong
    const members = this.#details.get(shape.protocol)
    if (members === undefined) return 'command.protocol: has no schema'
    for (const key of checked.missing) {
      if (!Object.hasOwn(varying, key)) return `command.detail.${key}: missing`
    }
    return checkDetail(members, varying)
  }

  /** Null, or what is wrong with the constant part of a session. */
  checkContext(context: Context): string | null {
    let wrong = this.#contexts.get(context)
    if (wrong === undefined) {
      wrong =
        this.#check('principal', context.principal) ??
        this.#check('workload', context.workload) ??
        this.#check('target', context.target) ??
        ''
      this.#contexts.set(context, wrong)
    }
    return wrong === '' ? null : wrong
  }

  checkSession(session: JsonObject): string | null {
    return this.#check('session', session)
  }

  checkGrant({ by, at }: Grant): string | null {
    return this.#check('approval', { by, at })
  }

  #check(part: string, value: unknown): string | null {
    const wrong = this.#parts.get(part)?.(value, 1) ?? null
    return wrong === null ? null : part + wrong
  }

  #checkShape({ protocol, action, text, detail }: Shape): CheckedShape {
    const wrong = this.#check('command', { protocol, action, text, detail: {} })
    const members = this.#details.get(protocol)
    if (wrong !== null || members === undefined) return { wrong, missing: [] }
    const missing = members.required.filter((key) => !Object.hasOwn(detail, key))
    return { wrong: checkDetail(members, detail), missing }
  }
}

function checkDetail(members: ObjectCheck, detail: JsonObject): string | null {
  for (const key of Object.keys(detail)) {
    const wrong = checkMember(members, key, detail[key], 2)
    if (wrong !== null) return `command.detail${wrong}`
  }
  return null
}

/** A detail is checked in two parts, the constant and the varying one, so its schema must be about members alone. */
function membersOf(protocol: string, schema: SchemaObject): ObjectCheck {
  if (!isRecord(schema) || schema['type'] !== 'object' || schema['anyOf'] !== undefined) {
    throw new TypeError(`the schema of ${protocol} does not describe an object`)
  }
  compileSchema(schema)
  return objectCheck(schema)
}
