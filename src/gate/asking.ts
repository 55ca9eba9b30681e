/** Asks people for one command, and gives that up when whoever wanted it is gone. */
import { type Refusal, refusal } from './refusal.ts'
import type { ApprovalPort, Grant, Hold } from './ports.ts'

export type Reply = { readonly grant: Grant } | { readonly refusal: Refusal }

/**
 * `withdrawals` are the session's: each gives one question up, and is in it for as long as that waits. Never rejects: a port that fails is
 * one that cannot be asked.
 */
export async function ask(
  approval: ApprovalPort | null,
  question: Hold,
  withdrawals: Set<() => void> | undefined,
): Promise<Reply> {
  const { demands, signal } = question
  if (approval === null) {
    const codes = demands.map((demand) => demand.code).join(', ')
    const message = `this needs an approval (${codes}), and none can be asked for here`
    return { refusal: refusal('approval.unavailable', message) }
  }
  // Whoever asked may leave, and the session may be closed, whether or not the port hears of it.
  if (signal.aborted || withdrawals === undefined) return { refusal: refusal('approval.withdrawn') }
  const leaving = new AbortController()
  const { promise: withdrawn, resolve } = Promise.withResolvers<Reply>()
  const withdraw = () => {
    leaving.abort()
    resolve({ refusal: refusal('approval.withdrawn') })
  }
  withdrawals.add(withdraw)
  signal.addEventListener('abort', withdraw, { once: true })
  try {
    return await Promise.race([approval.ask({ ...question, signal: leaving.signal }), withdrawn])
  } catch {
    return { refusal: refusal('approval.unavailable') }
  } finally {
    withdrawals.delete(withdraw)
    signal.removeEventListener('abort', withdraw)
  }
}
