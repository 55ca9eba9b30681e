/** Bundles and questions for the tests of policy/. */
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { CompactSign } from 'jose'
import { pack } from 'tar-stream'
import type { Command, Shape } from '../../src/gate/command.ts'
import type { JsonObject } from '../../src/gate/json.ts'
import type { Grant, Question } from '../../src/gate/ports.ts'
import { type Context, context, Session } from '../../src/gate/session.ts'
import type { BundleFiles } from '../../src/policy/archive.ts'
import { canonicalJson } from '../../src/policy/canonical.ts'

export const fixture = (name: string) => new URL(`fixtures/${name}`, import.meta.url)

/** Compiled by `opa build` from fixtures/rego: what it says follows from the command's text, the parameters and data. */
export const WASM = gunzipSync(readFileSync(fixture('policy.wasm.gz')))

export const COMBINER = `sha256:${'c'.repeat(64)}`
export const COMBINERS: ReadonlySet<string> = new Set([COMBINER])

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex')

/** Of the fixture's `sidegate/decision`. */
export const INPUT_PATHS = [
  ['command', 'action'],
  ['command', 'text'],
  ['command', 'detail', 'parameters'],
  ['command', 'detail', 'transaction'],
  ['principal', 'subject'],
]

export interface BundleOptions {
  readonly revision?: string
  readonly data?: JsonObject
  readonly wasm?: Buffer
  readonly attestation?: JsonObject
  readonly manifest?: JsonObject
  readonly metadata?: JsonObject
}

export function bundleFiles(options: BundleOptions = {}): Map<string, Buffer> {
  const wasm = options.wasm ?? WASM
  const manifest = {
    revision: options.revision ?? 'r1',
    roots: [''],
    wasm: [{ entrypoint: 'sidegate/decision', module: '/policy.wasm' }],
    rego_version: 1,
    metadata: {
      sidegate: {
        contract: 1,
        combiner: COMBINER,
        wasm: `sha256:${sha256(wasm)}`,
        inputPaths: INPUT_PATHS,
        deterministic: true,
        ...options.attestation,
      },
      ...options.metadata,
    },
    ...options.manifest,
  }
  return new Map([
    ['data.json', Buffer.from(JSON.stringify(options.data ?? { settings: { allowed: 'reads', rounds: 0 } }))],
    ['.manifest', Buffer.from(JSON.stringify(manifest))],
    ['policy.wasm', wasm],
    ['rules/reads.rego', Buffer.from('package policy.reads\n')],
  ])
}

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicPem: string
}

export function keyPair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { privateKey, publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}

/** Signs as `opa sign` does; `claims` add to the payload or replace parts of it. */
export async function sign(
  files: BundleFiles,
  { privateKey }: KeyPair,
  claims: JsonObject = {},
): Promise<Map<string, Buffer>> {
  const listed = [...files].map(([name, content]) => {
    const structured = name === 'data.json' || name === '.manifest'
    return { name, hash: sha256(structured ? canonicalJson(content) : content), algorithm: 'SHA-256' }
  })
  const payload = new TextEncoder().encode(JSON.stringify({ files: listed, ...claims }))
  const token = await new CompactSign(payload).setProtectedHeader({ alg: 'ES256' }).sign(privateKey)
  return new Map([...files, ['.signatures.json', Buffer.from(JSON.stringify({ signatures: [token] }))]])
}

export interface TarEntry {
  readonly name: string
  readonly content?: Buffer
  readonly type?: 'file' | 'symlink' | 'directory' | 'link'
}

export async function tar(entries: Iterable<TarEntry>): Promise<Buffer> {
  const archive = pack()
  for (const { name, content = Buffer.alloc(0), type = 'file' } of entries) {
    archive.entry({ name, type, ...(type === 'file' ? {} : { linkname: 'policy.wasm' }) }, content)
  }
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return gzipSync(Buffer.concat(chunks), { level: 1 })
}

/** As `opa build` names its files. */
export function archive(files: BundleFiles): Promise<Buffer> {
  return tar([...files].map(([name, content]) => ({ name: `/${name}`, content })))
}

/** A folder that is gone when the test is over. */
export function folder(t: { teardown(clean: () => void): unknown }): string {
  const path = mkdtempSync(join(tmpdir(), 'sidegate-policy-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export const DETAIL: JsonObject = {
  effects: ['select'],
  relations: [
    {
      schema: 'public',
      name: 'orders',
      access: 'read',
      columns: ['id', 'total'],
      system: null,
      kind: 'table',
      behind: [],
    },
    {
      schema: 'public',
      name: 'customers',
      access: 'read',
      columns: ['id', 'name'],
      system: null,
      kind: 'table',
      behind: [],
    },
  ],
  functions: [{ schema: 'pg_catalog', name: 'count', class: 'pure' }],
  where: null,
  limit: null,
  settings: [],
  role: null,
  statement: { index: 1, of: 1 },
  readsOnly: true,
}

export const VARYING: JsonObject = { parameters: [], transaction: 'idle', phase: 'execute' }

export const parameter = (value: string | number | null): JsonObject => ({ type: 'text', value, known: true })

export function shape(text: string, detail: JsonObject = DETAIL): Shape {
  return Object.freeze({ protocol: 'postgres', action: 'select', text, detail })
}

export function subject(name = 'alice'): Context {
  return context(
    { subject: name, issuer: 'https://issuer.example', groups: ['readers'], claims: { sub: name }, chain: [] },
    { namespace: 'shop', pod: 'agent-1', serviceAccount: 'agent', labels: { app: 'agent' } },
    { name: 'orders-db', protocol: 'postgres', host: 'orders.internal', port: 5432, labels: { env: 'test' } },
  )
}

export function question(
  text: string | Shape,
  {
    varying = VARYING,
    who = subject(),
    grant = null,
  }: { varying?: JsonObject; who?: Context; grant?: Grant | null } = {},
): Question {
  const command: Command = { shape: typeof text === 'string' ? shape(text) : text, varying }
  return { session: new Session(who, {}), command, sequence: 1, grant }
}
