/** What tools/protobuf found out about the messages of the API: `descriptors.json`, read once, when first needed. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Catalogue {
  /** Names of messages, by `GROUP/VERSION/KIND`; of the core group, `VERSION/KIND`. */
  readonly kinds: Readonly<Record<string, string>>
  /** Fields, each as `NUMBER JSON TYPE OMISSION`. */
  readonly messages: Readonly<Record<string, readonly string[]>>
}

export interface Field {
  readonly number: number
  /** Its key; null for what is inlined. */
  readonly key: string | null
  readonly type: string
  /** What Go's encoding/json leaves out. */
  readonly omission: 'always' | 'empty' | 'zero'
}

let loaded:
  | { readonly kinds: ReadonlyMap<string, string>; readonly messages: ReadonlyMap<string, readonly string[]> }
  | undefined

function catalogue() {
  if (loaded !== undefined) return loaded
  const text = readFileSync(join(import.meta.dirname, 'descriptors.json'), 'utf8')
  const { kinds, messages } = JSON.parse(text) as Catalogue
  return (loaded = { kinds: new Map(Object.entries(kinds)), messages: new Map(Object.entries(messages)) })
}

/** The message of a kind. */
export function messageOf(apiVersion: string, kind: string): string | undefined {
  return catalogue().kinds.get(`${apiVersion}/${kind}`)
}

export function fieldsOf(message: string): readonly Field[] {
  const fields = catalogue().messages.get(message)
  if (fields === undefined) throw new Error(`no message is ${message}`)
  return fields.map(parseField)
}

export function parseField(field: string): Field {
  const [number, key, type, omission] = field.split(' ') as [string, string, string, Field['omission']]
  return { number: Number(number), key: key === '.' ? null : key, type, omission }
}
