/**
 * Checks values against JSON Schemas, of which it knows just the keywords that `rego/schemas` uses: any other keyword
 * is an error when the schema is read, so that no constraint is ever silently left out.
 *
 * What a schema does not constrain is still held to be JSON that the evaluation can take: finite numbers, well-formed
 * strings (a lone surrogate aborts the evaluation), and not too deep.
 */

/** Null, or what is wrong and where; never any of the value itself, which can be the agent's. */
export type Check = (value: unknown, depth: number) => string | null

/** Far beyond honest input; the module parses with recursion. */
export const MAX_DEPTH = 100

export interface SchemaObject {
  readonly [keyword: string]: unknown
}

/** A schema for objects, taken apart. */
export interface ObjectCheck {
  readonly properties: ReadonlyMap<string, Check>
  readonly required: readonly string[]
  /** For keys that `properties` does not name; null when there may be none. */
  readonly additional: Check | null
}

const ANNOTATIONS = new Set(['$schema', '$id', 'title', 'description', 'examples'])
const KEYWORDS = new Set(['type', 'properties', 'required', 'additionalProperties', 'items', 'enum', 'const', 'anyOf'])

const TYPES: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['null', (value: unknown) => value === null],
  ['boolean', (value: unknown) => typeof value === 'boolean'],
  ['string', (value: unknown) => typeof value === 'string'],
  ['number', (value: unknown) => typeof value === 'number'],
  ['integer', (value: unknown) => Number.isSafeInteger(value)],
  ['array', (value: unknown) => Array.isArray(value)],
  ['object', isRecord],
])

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function compileSchema(schema: unknown): Check {
  if (schema === true) return anyJson
  if (!isRecord(schema)) throw new TypeError('a schema is an object')
  for (const keyword of Object.keys(schema)) {
    if (!KEYWORDS.has(keyword) && !ANNOTATIONS.has(keyword)) throw new TypeError(`unknown schema keyword ${keyword}`)
  }
  const checks = [typeCheck(schema), vocabularyCheck(schema), anyOfCheck(schema)].filter((check) => check !== null)
  const members = objectCheck(schema)
  const items = schema['items'] === undefined ? anyJson : compileSchema(schema['items'])
  return (value, depth) => {
    if (depth > MAX_DEPTH) return ': too deep'
    for (const check of checks) {
      const wrong = check(value, depth)
      if (wrong !== null) return wrong
    }
    if (Array.isArray(value)) return checkItems(items, value, depth)
    return isRecord(value) ? checkMembers(members, value, depth) : checkScalar(value)
  }
}

const anyJson: Check = (value, depth) => {
  if (depth > MAX_DEPTH) return ': too deep'
  if (Array.isArray(value)) return checkItems(anyJson, value, depth)
  return isRecord(value) ? checkMembers(ANY_OBJECT, value, depth) : checkScalar(value)
}

const ANY_OBJECT: ObjectCheck = { properties: new Map(), required: [], additional: anyJson }

export function objectCheck(schema: SchemaObject): ObjectCheck {
  const { properties = {}, required = [], additionalProperties = true } = schema
  if (!isRecord(properties) || !isStrings(required)) throw new TypeError('properties and required are malformed')
  return {
    properties: new Map(Object.entries(properties).map(([key, member]) => [key, compileSchema(member)])),
    required,
    additional: additionalProperties === false ? null : compileSchema(additionalProperties),
  }
}

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

function typeCheck({ type }: SchemaObject): Check | null {
  if (type === undefined) return null
  const names = isStrings(type) ? type : typeof type === 'string' ? [type] : ['(malformed)']
  const tests = names.map((name) => TYPES.get(name))
  if (tests.includes(undefined)) throw new TypeError(`unknown schema type among ${names.join(', ')}`)
  return (value) => (tests.some((test) => test?.(value)) ? null : `: not of type ${names.join(' or ')}`)
}

function vocabularyCheck(schema: SchemaObject): Check | null {
  const words = schema['enum'] ?? (schema['const'] === undefined ? undefined : [schema['const']])
  if (words === undefined) return null
  if (!Array.isArray(words) || words.some((word) => typeof word === 'object' && word !== null)) {
    throw new TypeError('enum and const are of scalars')
  }
  const known = new Set<unknown>(words)
  return (value) => (known.has(value) ? null : ': not a word of its vocabulary')
}

function anyOfCheck({ anyOf }: SchemaObject): Check | null {
  if (anyOf === undefined) return null
  if (!Array.isArray(anyOf)) throw new TypeError('anyOf is an array')
  const branches = anyOf.map(compileSchema)
  return (value, depth) => (branches.some((branch) => branch(value, depth) === null) ? null : ': fits no alternative')
}

function checkScalar(value: unknown): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? null : ': not well-formed Unicode'
  if (typeof value === 'number') return Number.isFinite(value) ? null : ': not a JSON number'
  return value === null || typeof value === 'boolean' ? null : ': not a JSON value'
}

function checkItems(check: Check, items: readonly unknown[], depth: number): string | null {
  for (let index = 0; index < items.length; index++) {
    const wrong = check(items[index], depth + 1)
    if (wrong !== null) return `[${index}]${wrong}`
  }
  return null
}

function checkMembers(members: ObjectCheck, value: Readonly<Record<string, unknown>>, depth: number): string | null {
  for (const key of members.required) {
    if (!Object.hasOwn(value, key)) return `.${key}: missing`
  }
  for (const key of Object.keys(value)) {
    const wrong = checkMember(members, key, value[key], depth)
    if (wrong !== null) return wrong
  }
  return null
}

export function checkMember(members: ObjectCheck, key: string, value: unknown, depth: number): string | null {
  const known = members.properties.get(key)
  if (known !== undefined) {
    const wrong = known(value, depth + 1)
    return wrong === null ? null : `.${key}${wrong}`
  }
  if (members.additional === null) return ': has a key that is not in the schema'
  if (!key.isWellFormed()) return ': has a key that is not well-formed Unicode'
  const wrong = members.additional(value, depth + 1)
  return wrong === null ? null : `.*${wrong}`
}
