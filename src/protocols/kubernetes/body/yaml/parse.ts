/** YAML whose meaning is one JSON value, whoever reads it: nothing of it but JSON's own types, written so that all agree. */
import { type Document, isAlias, isScalar, type Node, parseDocument, visit } from 'yaml'
import type { Json } from '../../../../gate/json.ts'
import { tooLarge, unparsable } from '../refused.ts'

/** The parser takes a microsecond for each byte, and everybody waits. What is large is sent as JSON. */
const BYTES = 128 * 1024

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const TIMESTAMP = 'tag:yaml.org,2002:timestamp'

/** Throws at aliases, merge keys, tags, repeated keys, more than one document, and what YAML 1.1 and 1.2 read differently. */
export function parseYaml(bytes: Uint8Array): Json {
  if (bytes.length > BYTES) throw tooLarge(`the YAML is larger than ${BYTES} bytes, and is no JSON`)
  const text = decode(bytes)
  // The API server reads 1.1, of which `yes` and `0777` are the known traps.
  const newer = read(text, '1.2')
  const older = read(text, '1.1')
  if (JSON.stringify(newer) !== JSON.stringify(older)) {
    throw unparsable(
      'the YAML has values that its versions read differently',
      'quote strings such as yes, send plain numbers',
    )
  }
  return newer
}

function decode(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes)
  } catch {
    throw unparsable('the body is not UTF-8', 'send well-formed YAML')
  }
}

function read(text: string, version: '1.1' | '1.2'): Json {
  try {
    const document = parseDocument(text, {
      version,
      schema: version === '1.2' ? 'core' : 'yaml-1.1',
      customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || tag.tag !== TIMESTAMP),
      merge: false,
      // Its own check compares each with each.
      uniqueKeys: false,
      intAsBigInt: true,
      strict: true,
      prettyErrors: false,
      // What is silent says nothing of a second document.
      logLevel: 'error',
    })
    check(document)
    return plain(document.toJS({ maxAliasCount: 0 }))
  } catch (error) {
    // Its parser recurses; what is nested that deeply is over the limit of all bodies.
    if (error instanceof RangeError) throw unparsable('the YAML is nested too deeply', 'send a flatter one')
    throw error
  }
}

function check(document: Document.Parsed): void {
  if (document.errors.length > 0 || document.warnings.length > 0) {
    throw unparsable('the body is not YAML that is understood here', 'send one plain document, or JSON')
  }
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) throw unparsable('the YAML has an alias', 'write what it stands for')
      if ((node as Node & { tag?: string }).tag !== undefined) throw unparsable('the YAML has a tag', 'leave it out')
    },
    Map: (_, { items }) => {
      const keys = new Set(items.map(({ key }) => (isScalar(key) ? key.value : key)))
      if (keys.size < items.length) throw unparsable('a key is there twice in one map', 'send each key once')
    },
    Pair: (_, { key }) => {
      if (!isScalar(key) || typeof key.value !== 'string')
        throw unparsable('a key of the YAML is no string', 'quote it')
      if (key.value === '<<') throw unparsable('the YAML has a merge key', 'write what it stands for')
    },
  })
}

function plain(value: unknown): Json {
  if (typeof value === 'bigint') {
    if (BigInt(Number(value)) === value) return Number(value)
    throw unparsable(`the integer ${value} cannot be judged exactly`, 'send one below 2^53')
  }
  if (typeof value === 'number' && !Number.isFinite(value))
    throw unparsable('a number is none that JSON has', 'send a finite one')
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value
  if (Array.isArray(value)) return value.map(plain)
  if (Object.getPrototypeOf(value) !== Object.prototype) throw unparsable('the YAML has what JSON has not', 'send JSON')
  const entries = Object.entries(value as Record<string, unknown>)
  return Object.fromEntries(entries.map(([key, member]) => [key, plain(member)]))
}
