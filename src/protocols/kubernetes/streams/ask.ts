import type { Permit } from '../../../gate/gate.ts'
import { openForward } from '../commands.ts'
import { UpstreamError } from '../credential/failure.ts'
import type { Shared } from '../session.ts'
import type { Proof } from '../upstream.ts'
import { type Answered, dialUpgrade, type Switched } from './dial.ts'

const UNAUTHORIZED = 401

/**
 * Sends what a permit holds, with `own` headers of the sidecar's and its proof. The credential may have been rotated between its
 * reading and its use: then it is asked once more. Rejects with an error for `upstreamRefusal`.
 */
export async function askUpstream(
  { upstream, config }: Shared,
  permit: Permit,
  own: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Switched | Answered> {
  const { method, target, headers } = openForward(permit.take())
  const ask = async (proof: Proof) =>
    await dialUpgrade(proof.tls, config.limits, {
      method,
      path: target,
      headers: { ...headers, ...own, ...proof.headers },
      signal,
    })
  const { principal } = permit.session.context
  const proof = await upstream.prove(principal)
  const first = await ask(proof)
  if (first.kind === 'switched' || first.status !== UNAUTHORIZED) return first
  const another = await upstream.proveAgain(principal, proof)
  const answer = another === null ? first : await ask(another)
  if (answer.kind === 'switched' || answer.status !== UNAUTHORIZED) return answer
  // Nothing of the answer is kept: it is about the sidecar, and the agent can do nothing about it.
  throw new UpstreamError('upstream.rejected', 'the API server did not accept the credential of the sidecar')
}
