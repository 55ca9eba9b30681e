/** `sidegate policy build`: a checked policy, compiled to WebAssembly with the combiner, attested, and signed. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { pack } from 'tar-stream'
import { CONTRACT_VERSION } from '../../gate/input.ts'
import { type BundleFiles, unpack } from '../archive.ts'
import { type Attestation, ATTESTATION_KEY, ENTRYPOINT } from '../attestation.ts'
import { openBundle } from '../bundle.ts'
import { canonicalJson } from '../canonical.ts'
import { combinerDigest, combinerSources, type Source } from '../combiner.ts'
import { DATA_FILE, MANIFEST_FILE, verificationKey } from '../signature.ts'
import { checkSources } from './check.ts'
import { AuthoringError } from './findings.ts'
import { runOpa } from './opa.ts'
import { readsOf } from './plan.ts'
import { sign, type SigningKey } from './sign.ts'
import { CAPABILITIES, readSources } from './sources.ts'
import { staged } from './stage.ts'

const MODULE_FILE = 'policy.wasm'
/** Where OPA leaves its own bundle within the stage; hidden, so that it is no part of what it reads. */
const OUTPUT = '.built.tar.gz'

export interface BuildOptions {
  /** What the bundle calls itself; empty: its digest will do. */
  readonly revision: string
  readonly key: SigningKey | null
  readonly serial: number | null
}

export interface Built {
  /** The gzipped tar. The same sources give the same bytes, unless they are signed: signatures are random. */
  readonly archive: Buffer
  readonly attestation: Attestation
}

export async function buildPolicy(folder: string, { revision, key, serial }: BuildOptions): Promise<Built> {
  const sources = readSources(folder)
  const findings = await checkSources(sources)
  if (findings.length > 0) throw new AuthoringError('policy.invalid', 'the policy has mistakes', findings)
  const inputs = [...combinerSources(), ...sources.rules, ...sources.data]
  const { wasm, data, attestation } = await compile(inputs)
  const manifest = {
    metadata: { [ATTESTATION_KEY]: attestation },
    rego_version: 1,
    revision,
    roots: [''],
    wasm: [{ entrypoint: ENTRYPOINT, module: `/${MODULE_FILE}` }],
  }
  const files: BundleFiles = new Map([
    [DATA_FILE, Buffer.from(canonicalJson(data))],
    [MODULE_FILE, wasm],
    // All sources, so that OPA by itself can load the bundle, and an auditor can read what was compiled.
    ...[...combinerSources(), ...sources.rules].map(({ path, text }): [string, Buffer] => [path, Buffer.from(text)]),
    [MANIFEST_FILE, Buffer.from(canonicalJson(Buffer.from(JSON.stringify(manifest))))],
  ])
  const signed = key === null ? files : await sign(files, key, serial)
  await proveLoadable(signed, key)
  return { archive: await packArchive(signed), attestation }
}

async function compile(sources: readonly Source[]) {
  return staged(sources, async (folder) => {
    const built = await opaBuild(folder, 'wasm', ENTRYPOINT)
    const planned = await opaBuild(folder, 'plan', ENTRYPOINT)
    const wasm = need(built, MODULE_FILE)
    const { inputPaths, builtins } = readsOf(need(planned, 'plan.json').toString('utf8'))
    const changing = nondeterministic()
    const attestation: Attestation = {
      contract: CONTRACT_VERSION,
      combiner: combinerDigest(),
      wasm: `sha256:${createHash('sha256').update(wasm).digest('hex')}`,
      inputPaths: inputPaths === null ? null : inputPaths.map((path) => [...path]),
      deterministic: !builtins.some((name) => changing.has(name)),
    }
    return { wasm, data: built.get(DATA_FILE) ?? Buffer.from('{}'), attestation }
  })
}

/** Compiles what is staged, for these entrypoints and no others. */
export async function opaBuild(
  folder: string,
  target: 'wasm' | 'plan',
  ...entrypoints: readonly string[]
): Promise<BundleFiles> {
  const entries = entrypoints.flatMap((entrypoint) => ['--entrypoint', entrypoint])
  const args = [
    'build',
    '--bundle',
    '.',
    '--target',
    target,
    ...entries,
    '--capabilities',
    CAPABILITIES,
    '--output',
    OUTPUT,
  ]
  const { status, stdout, stderr } = await runOpa(args, folder)
  if (status !== 0) throw new AuthoringError('opa.failed', `opa build failed: ${stderr}${stdout}`.trim())
  return unpack(await readFile(join(folder, OUTPUT)))
}

/** What is built must be what the sidecar loads. */
async function proveLoadable(files: BundleFiles, signing: SigningKey | null): Promise<void> {
  const key = signing === null ? null : verificationKey(signing.publicKey)
  await openBundle(files, { key, combiners: new Set([combinerDigest()]) })
}

async function packArchive(files: BundleFiles): Promise<Buffer> {
  const archive = pack()
  for (const [name, content] of files) {
    archive.entry({ name: `/${name}`, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 }, content)
  }
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return promisify(gzip)(Buffer.concat(chunks), { level: 9 })
}

function need(files: BundleFiles, name: string): Buffer {
  const content = files.get(name)
  if (content === undefined) throw new AuthoringError('opa.failed', `opa build left no ${name}`)
  return content
}

function nondeterministic(): ReadonlySet<string> {
  const { builtins } = JSON.parse(readFileSync(CAPABILITIES, 'utf8')) as {
    readonly builtins: readonly { readonly name: string; readonly nondeterministic?: boolean }[]
  }
  return new Set(builtins.filter((each) => each.nondeterministic === true).map((each) => each.name))
}
