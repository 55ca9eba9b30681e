/** A policy bundle as `opa build -t wasm` writes it and `sidegate policy build` attests it, checked before use. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { BundleFiles } from './archive.ts'
import { type Attestation, ATTESTATION_KEY, attestation, ENTRYPOINT } from './attestation.ts'
import { canonicalJson } from './canonical.ts'
import { BundleError } from './errors.ts'
import { isRecord } from './schema.ts'
import { DATA_FILE, MANIFEST_FILE, SIGNATURES_FILE, type VerificationKey, verifySignature } from './signature.ts'

const MODULE_FILE = 'policy.wasm'
const ROOT_FILES = new Set([SIGNATURES_FILE, MANIFEST_FILE, DATA_FILE, MODULE_FILE])
/** Once parsed it takes about ten times that in the module's memory. */
const MAX_DATA_BYTES = 8 * 1024 ** 2
const MAX_REVISION = 256
/** Data under these would stand among the rules and grant what no rule grants. */
const RULES = ['policy', 'sidegate'] as const

const metadata = z.looseObject({ mode: z.enum(['enforce', 'observe']).optional() })

const manifest = z.strictObject({
  revision: z.string().max(MAX_REVISION).default(''),
  roots: z.array(z.string()).default(['']),
  wasm: z.array(z.strictObject({ entrypoint: z.string(), module: z.string(), annotations: z.unknown().optional() })),
  metadata: metadata.default({}),
  rego_version: z.literal(1),
  file_rego_versions: z.record(z.string(), z.literal(1)).optional(),
})
type Manifest = z.output<typeof manifest>

export interface Bundle {
  /** What its author named it, else its digest. Never empty. */
  readonly revision: string
  readonly wasm: Buffer
  /** JSON text. */
  readonly data: string
  readonly attestation: Attestation
  /** What the bundle says of itself; null when it leaves that to the configuration. */
  readonly mode: 'enforce' | 'observe' | null
  readonly signed: boolean
  readonly serial: number | null
}

export interface Trust {
  /** Null only where the configuration says `allowUnsigned`. */
  readonly key: VerificationKey | null
  /** Digests of the versions of Sidegate's own Rego that this Sidegate works with. */
  readonly combiners: ReadonlySet<string>
}

const malformed = (message: string, cause?: unknown) => new BundleError('bundle.malformed', message, cause)
const foreign = (message: string) => new BundleError('bundle.contract', message)

/** Checks a bundle's signature, form and attestation. */
export async function openBundle(files: BundleFiles, { key, combiners }: Trust): Promise<Bundle> {
  const claims = key === null ? null : await verifySignature(files, key)
  checkNames(files)
  const stated = readManifest(files)
  const wasm = need(files, MODULE_FILE)
  const vouched = checkAttestation(stated, wasm, combiners)
  const data = readData(files, stated.roots)
  return {
    revision: stated.revision === '' ? vouched.wasm : stated.revision,
    wasm,
    data,
    attestation: vouched,
    mode: stated.metadata.mode ?? null,
    signed: claims !== null,
    serial: claims?.serial ?? null,
  }
}

/** Identifies a bundle's files, whatever the archive around them. */
export function digestOf(files: BundleFiles): string {
  const hash = createHash('sha256')
  for (const name of [...files.keys()].sort()) {
    const content = files.get(name) ?? Buffer.alloc(0)
    hash.update(`${name.length}:${name}${content.length}:`).update(content)
  }
  return hash.digest('hex')
}

/** OPA takes meaning from names anywhere in the tree; here each meaning has one name, and nothing else may be there. */
function checkNames(files: BundleFiles): void {
  for (const name of files.keys()) {
    if (!ROOT_FILES.has(name) && !name.endsWith('.rego')) {
      throw malformed(`${name} does not belong into a bundle: ${[...ROOT_FILES].join(', ')} and *.rego do`)
    }
  }
}

function need(files: BundleFiles, name: string): Buffer {
  const content = files.get(name)
  if (content === undefined) throw malformed(`the bundle has no ${name}`)
  return content
}

function readManifest(files: BundleFiles): Manifest {
  const parsed = manifest.safeParse(parseJson(files, MANIFEST_FILE))
  if (!parsed.success) throw malformed(`${MANIFEST_FILE} is not of the form expected: ${z.prettifyError(parsed.error)}`)
  checkRoots(parsed.data.roots)
  const { wasm, roots } = parsed.data
  const entry = wasm.find(({ entrypoint }) => entrypoint === ENTRYPOINT)
  if (entry === undefined) throw foreign(`the bundle has no entrypoint ${ENTRYPOINT}`)
  if (wasm.some(({ module }) => module !== `/${MODULE_FILE}`)) throw malformed(`the module must be /${MODULE_FILE}`)
  if (!roots.some((root) => within(ENTRYPOINT, root))) throw malformed(`${ENTRYPOINT} lies outside the bundle's roots`)
  return parsed.data
}

function checkRoots(roots: readonly string[]): void {
  for (const [index, root] of roots.entries()) {
    if (roots.some((other, at) => at !== index && within(other, root))) throw malformed('roots overlap')
  }
}

/** A path lies within a root that is a whole-segment prefix of it. */
function within(path: string, root: string): boolean {
  const trimmed = root.replace(/^\/|\/$/g, '')
  return trimmed === '' || path === trimmed || path.startsWith(`${trimmed}/`)
}

function checkAttestation(stated: Manifest, wasm: Buffer, combiners: ReadonlySet<string>): Attestation {
  const claimed = stated.metadata[ATTESTATION_KEY]
  if (claimed === undefined) throw foreign('the bundle was not built by `sidegate policy build`: it has no attestation')
  const parsed = attestation.safeParse(claimed)
  if (!parsed.success)
    throw foreign(`the bundle's attestation is of another contract: ${z.prettifyError(parsed.error)}`)
  const actual = `sha256:${createHash('sha256').update(wasm).digest('hex')}`
  if (actual !== parsed.data.wasm) throw foreign(`${MODULE_FILE} is not the one that the attestation is about`)
  if (!combiners.has(parsed.data.combiner)) {
    throw foreign(
      'the bundle was built with another version of the combiner; build it again with this version of sidegate',
    )
  }
  return parsed.data
}

function readData(files: BundleFiles, roots: readonly string[]): string {
  const bytes = files.get(DATA_FILE)
  if (bytes === undefined) return '{}'
  if (bytes.length > MAX_DATA_BYTES) throw malformed(`${DATA_FILE} is larger than ${MAX_DATA_BYTES} bytes`)
  const data = parseJson(files, DATA_FILE)
  if (!isRecord(data)) throw malformed(`${DATA_FILE} is not an object`)
  for (const name of RULES) {
    if (Object.hasOwn(data, name)) throw malformed(`${DATA_FILE} has a key ${name}: data may not stand among the rules`)
  }
  for (const key of Object.keys(data)) checkWithin(data[key], key, roots)
  // The module gets what was checked here, not bytes that it might read differently.
  return canonicalJson(bytes)
}

function checkWithin(value: unknown, path: string, roots: readonly string[]): void {
  if (roots.some((root) => within(path, root))) return
  const above = roots.some((root) => within(root, path))
  if (!above || !isRecord(value)) throw malformed(`${DATA_FILE} has data outside the bundle's roots`)
  for (const key of Object.keys(value)) checkWithin(value[key], `${path}/${key}`, roots)
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parseJson(files: BundleFiles, name: string): unknown {
  try {
    return JSON.parse(decoder.decode(need(files, name)))
  } catch (error) {
    throw error instanceof BundleError ? error : malformed(`${name} is not JSON`, error)
  }
}
