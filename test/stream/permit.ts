/** A permit of the gate's for a stream, with its journal in the test's hand. */
import { Gate, type Permit } from '../../src/gate/gate.ts'
import type { Decision } from '../../src/gate/decision.ts'
import { ALLOW, command, CONTEXT, FakePolicy, FakeRecord } from '../support/fakes.ts'

export interface Permitted {
  readonly gate: Gate
  readonly record: FakeRecord
  readonly permit: Permit
  /** What was recorded of the stream, in its order. */
  frames(): (readonly [kind: string, data: string])[]
}

export async function permitted(decision: Partial<Decision> = {}): Promise<Permitted> {
  const record = new FakeRecord()
  const gate = new Gate(new FakePolicy(() => ({ ...ALLOW, ...decision })), record)
  const asked = { commands: [command('stream')], bytes: Buffer.from('stream'), honour: () => null, revoked: () => {} }
  const verdict = await gate.rule(gate.open(CONTEXT), asked)
  if (verdict.kind === 'refused') throw new Error(verdict.refusal.code)
  const frames = () => record.frames.map(({ kind, data }) => [kind, Buffer.from(data).toString('latin1')] as const)
  return { gate, record, permit: verdict.permit, frames }
}
