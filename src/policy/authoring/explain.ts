/** `sidegate policy explain`: what a bundle says of one recorded input, in the engine that the sidecar runs. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Decision } from '../../gate/decision.ts'
import { readBundle } from '../archive.ts'
import { ENTRYPOINT } from '../attestation.ts'
import { HOST_BUILTINS } from '../builtins.ts'
import { openBundle } from '../bundle.ts'
import { combinerDigest } from '../combiner.ts'
import { decisionOf } from '../decision.ts'
import { compileSchema, isRecord } from '../schema.ts'
import { verificationKey } from '../signature.ts'
import { WebAssembly } from '../webassembly.ts'
import { Instance } from '../wasm.ts'
import { AuthoringError } from './findings.ts'
import { SCHEMAS } from './sources.ts'

export interface Explanation {
  readonly revision: string
  readonly decision: Decision
}

/** `key` is the signer's public key in PEM; null takes the bundle unverified. */
export async function explainInput(bundleFile: string, inputFile: string, key: string | null): Promise<Explanation> {
  const trust = { key: key === null ? null : verificationKey(key), combiners: new Set([combinerDigest()]) }
  const { wasm, data, revision } = await openBundle(await readBundle(bundleFile), trust)
  const input = readInput(inputFile)
  const module = await WebAssembly.compile(wasm)
  const instance = new Instance({ module, entrypoint: ENTRYPOINT, builtins: HOST_BUILTINS, data })
  const decision = decisionOf(instance.evaluate(input))
  if (decision === null) throw new AuthoringError('policy.invalid-decision', 'the bundle gave no decision')
  return { revision, decision }
}

/** The input must be one that the sidecar would ask with: a missing key can open what it should close. */
function readInput(file: string): string {
  let input: unknown
  try {
    input = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    const why = gone ? 'does not exist' : `is not a JSON file: ${(error as Error).message}`
    throw new AuthoringError('policy.input', `${file} ${why}`, [], error)
  }
  const wrong = check('input', input) ?? checkDetail(input)
  if (wrong !== null) throw new AuthoringError('policy.input', `${file} is not a policy input: ${wrong}`)
  return JSON.stringify(input)
}

function checkDetail(input: unknown): string | null {
  const command = isRecord(input) ? input['command'] : undefined
  if (!isRecord(command) || typeof command['protocol'] !== 'string') return 'command.protocol is missing'
  const { protocol } = command
  if (!/^[a-z]+$/.test(protocol) || protocol === 'input') return `there is no protocol ${protocol}`
  const wrong = check(protocol, command['detail'])
  return wrong === null ? null : `command.detail${wrong}`
}

function check(schema: string, value: unknown): string | null {
  const text = readFileSync(join(SCHEMAS, `${schema}.json`), 'utf8')
  return compileSchema(JSON.parse(text))(value, 0)
}
