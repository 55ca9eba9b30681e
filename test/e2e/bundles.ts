/** Bundles that are wrong in one way, made from a good one. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runOpa } from '../../src/policy/authoring/opa.ts'
import { staged } from '../../src/policy/authoring/stage.ts'
import { type BundleFiles, unpack } from '../../src/policy/archive.ts'
import { combinerDigest } from '../../src/policy/combiner.ts'
import { archive, bundleFiles } from '../policy/fixture.ts'
import { buildBundle } from '../support/bundle.ts'

export { archive }

const BUILT = '.built.tar.gz'

/** The files of the bundle that allows everything, under a revision of its own. */
export async function permissive(revision: string): Promise<Map<string, Buffer>> {
  const files = new Map(await unpack(readFileSync(await buildBundle('bundles/permissive'))))
  return manifest(files, (stated) => ({ ...stated, revision }))
}

type Stated = Record<string, unknown> & { readonly metadata: { readonly sidegate: Record<string, unknown> } }

/** The same bundle with another manifest. */
export function manifest(files: BundleFiles, change: (stated: Stated) => object): Map<string, Buffer> {
  const stated = JSON.parse((files.get('.manifest') ?? Buffer.alloc(0)).toString()) as Stated
  return new Map([...files, ['.manifest', Buffer.from(JSON.stringify(change(stated)))]])
}

/** The same bundle whose attestation says something else. */
export const attesting = (files: BundleFiles, claim: object): Map<string, Buffer> =>
  manifest(files, (stated) => ({
    ...stated,
    metadata: { ...stated.metadata, sidegate: { ...stated.metadata.sidegate, ...claim } },
  }))

/** A bundle whose entrypoint is not Sidegate's combiner but this Rego, in package `sidegate`, with any builtin of OPA's. */
export async function handmade(rego: string): Promise<Map<string, Buffer>> {
  const wasm = await staged([{ path: 'sidegate/decision.rego', text: rego }], async (folder) => {
    const args = ['build', '--bundle', '.', '--target', 'wasm', '--entrypoint', 'sidegate/decision', '--output', BUILT]
    const { status, stdout, stderr } = await runOpa(args, folder)
    if (status !== 0) throw new Error(`opa build failed: ${stdout}${stderr}`)
    return (await unpack(readFileSync(join(folder, BUILT)))).get('policy.wasm')
  })
  if (wasm === undefined) throw new Error('opa build left no module')
  return bundleFiles({ wasm, data: {}, attestation: { combiner: combinerDigest(), inputPaths: [['command', 'text']] } })
}

/** A rule of Rego that makes a decision of reasons. */
export const VERDICT = `verdict(reasons) := {
	"effect": "allow",
	"reasons": reasons,
	"masks": [],
	"limits": {"rows": null, "bytes": null, "seconds": null},
	"approvals": [],
	"record": "standard",
}
`
/** Needs what no policy is offered. */
export const HTTP = `package sidegate

decision := verdict([sprintf("%v", [http.send({"method": "get", "url": input.command.text})])])

${VERDICT}`

/** Takes far longer than any budget, whatever it is asked. */
export const SLOW = `package sidegate

decision := verdict([]) if {
	count([x | some x in numbers.range(1, 3000); some y in numbers.range(1, 100); x + y < 0]) == 0
}

${VERDICT}`
