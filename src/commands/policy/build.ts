import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Attestation } from '../../policy/attestation.ts'
import { buildPolicy } from '../../policy/authoring/build.ts'
import { AuthoringError } from '../../policy/authoring/findings.ts'
import { signingKey } from '../../policy/authoring/sign.ts'
import { paintFor } from '../terminal.ts'
import { readKey } from './key.ts'

interface Flags {
  readonly output: string
  readonly sign?: string
  readonly keyId: string
  readonly revision: string
  readonly serial?: number
  readonly json?: boolean
}

export async function build(folder: string, flags: Flags): Promise<void> {
  const key = flags.sign === undefined ? null : signingKey(readKey(flags.sign), flags.keyId)
  if (key === null && flags.serial !== undefined) {
    throw new AuthoringError('policy.unsigned', '--serial stands under a signature: give --sign too')
  }
  const { archive, attestation } = await buildPolicy(folder, {
    revision: flags.revision,
    key,
    serial: flags.serial ?? null,
  })
  mkdirSync(dirname(flags.output), { recursive: true })
  // A sidecar that watches the file must never see half of it.
  const partial = `${flags.output}.${process.pid}.partial`
  writeFileSync(partial, archive)
  renameSync(partial, flags.output)
  const built = { output: flags.output, bytes: archive.length, signed: key?.algorithm ?? null, ...attestation }
  process.stdout.write(
    flags.json === true ? `${JSON.stringify(built, null, 2)}\n` : summary(flags, key?.algorithm, attestation),
  )
}

function summary({ output }: Flags, algorithm: string | undefined, { inputPaths, deterministic }: Attestation): string {
  const paint = paintFor(process.stdout)
  const unsigned = `${paint.yellow('not signed')}: it loads only where the configuration says allowUnsigned (see --sign)`
  const reads =
    inputPaths === null ? 'all of the input' : inputPaths.map((path) => path.join('.')).join(', ') || 'nothing'
  const memo = inputPaths !== null && deterministic ? '' : ' (decisions cannot be remembered)'
  return [
    `wrote ${paint.bold(output)}`,
    `  ${algorithm === undefined ? unsigned : `signed with ${algorithm}`}`,
    `  reads ${reads}${memo}`,
    '',
  ].join('\n')
}
