/** What every protocol must keep, design section 4. A protocol supplies only how its agent speaks. */
import t, { type Test } from 'tap'
import type { Decision } from '../../src/gate/decision.ts'
import type { ApprovalPort } from '../../src/gate/ports.ts'
import { ALLOW, approve, deny, FakeApproval, FakePolicy, FakeRecord } from '../support/fakes.ts'

/** What an agent was told of one command. */
export type Told =
  | { readonly kind: 'done'; readonly output: string }
  /** The stable code of the refusal, and all that the agent can read of it. */
  | { readonly kind: 'refused'; readonly code: string; readonly text: string }
  | { readonly kind: 'ended' }

/** One agent's session. */
export interface Agent {
  /** Sends commands at one go, without waiting between them; what was told of each, in order. */
  run(...commands: string[]): Promise<readonly Told[]>
  /** The same with each byte sent by itself. */
  runSplit(command: string): Promise<Told>
  /** Sends, and does not wait for the answer. */
  send(command: string): Promise<void>
  /** Sends what the protocol does not know. Resolves when that is answered. */
  sendUnknown(marker: string): Promise<Told>
  /** Goes away without a word. */
  leave(): void
}

export interface Ports {
  readonly policy: FakePolicy
  readonly record: FakeRecord
  readonly approval: ApprovalPort
}

export interface Running {
  connect(): Promise<Agent>
  /** Whether these bytes were sent upstream. */
  reached(marker: string): boolean
  /** Runs a command by the protocol's everyday client, and gives what its user reads. */
  native(command: string): Promise<string>
  close(): Promise<void>
}

export interface Subject {
  readonly protocol: string
  start(ports: Ports): Promise<Running>
  /** A command that carries the marker to the target, and outputs it. */
  command(marker: string): string
  /** A command whose output shows `secret`, unless the masks hold. */
  readonly masked: {
    readonly command: string
    readonly secret: string
    readonly masks: Decision['masks']
    /** What becomes of it: `kept` unless the protocol has no way of keeping masks, and so refuses what they are asked of. */
    readonly fate?: 'kept' | 'refused'
  }
  /** Commands of one session wait for each other, unless the protocol runs them beside each other. */
  readonly order?: 'kept' | 'independent'
}

/** Long enough for what should not happen to happen. */
const A_WHILE_MS = 150

const aWhile = () => new Promise<void>((resolve) => setTimeout(resolve, A_WHILE_MS))

export function conforms(subject: Subject): void {
  const { protocol } = subject

  async function running(t: Test) {
    const ports = { policy: new FakePolicy(), record: new FakeRecord(), approval: new FakeApproval() }
    const target = await subject.start(ports)
    t.teardown(() => target.close())
    return { ...ports, target }
  }

  t.test(`${protocol}: a refused command never reaches the target`, async (t) => {
    const { policy, record, target } = await running(t)
    policy.rule = refusing('refused_marker')
    const agent = await target.connect()
    const [first, refused, last] = await agent.run(
      subject.command('first_marker'),
      subject.command('refused_marker'),
      subject.command('last_marker'),
    )
    t.equal(first?.kind, 'done')
    t.match(refused, { kind: 'refused', code: 'test.refused' })
    t.equal(last?.kind, 'done', 'the session goes on')
    t.notOk(target.reached('refused_marker'))
    t.ok(target.reached('last_marker'))
    const recorded = record.decisions.filter(({ command }) => command.shape.text.includes('refused_marker'))
    t.ok(recorded.length > 0 && recorded.every(({ refusal }) => refusal?.code === 'test.refused'), 'it is on record')
  })

  t.test(`${protocol}: nothing is forwarded before its record is durable`, async (t) => {
    const { record, target } = await running(t)
    const agent = await target.connect()
    record.automatic = false
    const told = agent.run(subject.command('recorded_marker'))
    while (record.decisions.length === 0) await aWhile()
    await aWhile()
    t.notOk(target.reached('recorded_marker'), 'the decision is appended and not yet durable')
    record.automatic = true
    record.flush()
    t.match(await told, [{ kind: 'done' }])
    t.ok(target.reached('recorded_marker'))
  })

  t.test(`${protocol}: a journal that fails refuses, and a journal that fails late forwards nothing`, async (t) => {
    const { record, target } = await running(t)
    const agent = await target.connect()
    const other = await target.connect()
    record.fail('record.unavailable')
    const [told] = await agent.run(subject.command('unrecorded_marker'))
    t.not(told?.kind, 'done')
    t.notOk(target.reached('unrecorded_marker'))

    record.failure = null
    record.automatic = false
    const late = other.run(subject.command('late_marker'))
    while (!record.decisions.some(({ command }) => command.shape.text.includes('late_marker'))) await aWhile()
    record.fail('record.unavailable')
    record.flush()
    t.not((await late)[0]?.kind, 'done')
    t.notOk(target.reached('late_marker'))
    record.failure = null
    record.automatic = true
  })

  t.test(`${protocol}: a masked value never reaches the agent`, async (t) => {
    const { policy, target } = await running(t)
    const { command, secret, masks, fate = 'kept' } = subject.masked
    const bare = await (await target.connect()).run(command)
    t.ok(JSON.stringify(bare).includes(secret), 'it is there without the mask')
    policy.rule = ({ command: { shape } }) => (shape.text.includes(command) ? { ...ALLOW, masks } : ALLOW)
    const told = await (await target.connect()).run(command)
    if (fate === 'kept') t.equal(told[0]?.kind, 'done')
    else t.match(told, [{ kind: 'refused', code: 'obligation.unsupported' }], 'what cannot be masked is not shown')
    t.notOk(JSON.stringify(told).includes(secret))
  })

  t.test(`${protocol}: commands may come byte by byte`, async (t) => {
    const { policy, target } = await running(t)
    policy.rule = refusing('refused_marker')
    const agent = await target.connect()
    t.match(await agent.runSplit(subject.command('split_marker')), { kind: 'done' })
    t.match(await agent.runSplit(subject.command('refused_marker')), { kind: 'refused' })
    t.notOk(target.reached('refused_marker'))
  })

  t.test(`${protocol}: pipelined commands are answered in their order`, async (t) => {
    const { policy, target } = await running(t)
    policy.rule = refusing('refused_marker')
    const agent = await target.connect()
    const markers = Array.from({ length: 30 }, (_, index) => (index % 5 === 3 ? 'refused_marker' : `ordered_${index}_`))
    const told = await agent.run(...markers.map((marker) => subject.command(marker)))
    t.equal(told.length, markers.length)
    for (const [index, marker] of markers.entries()) {
      const answer = told[index]
      if (marker === 'refused_marker') t.equal(answer?.kind, 'refused')
      else t.ok(answer?.kind === 'done' && answer.output.includes(marker), `${marker} has its own answer`)
    }
  })

  t.test(
    `${protocol}: what waits for people runs when they grant it, and those behind it wait or need not`,
    async (t) => {
      const { policy, approval, target } = await running(t)
      policy.rule = holding('held_marker')
      const agent = await target.connect()
      const told = agent.run(subject.command('held_marker'), subject.command('behind_marker'))
      const hold = await held(approval)
      await aWhile()
      t.notOk(target.reached('held_marker'))
      if (subject.order !== 'independent') t.notOk(target.reached('behind_marker'), 'order is kept')
      else t.ok(await comes(() => target.reached('behind_marker')), 'what is independent does not wait')
      hold.settle({ grant: { by: ['someone'], at: new Date().toISOString(), codes: ['test.held'] } })
      t.match(await told, [{ kind: 'done' }, { kind: 'done' }])
      t.ok(target.reached('held_marker'))
    },
  )

  t.test(`${protocol}: an agent that leaves while its command waits takes it back`, async (t) => {
    const { policy, approval, target } = await running(t)
    policy.rule = holding('held_marker')
    const agent = await target.connect()
    await agent.send(subject.command('held_marker'))
    const hold = await held(approval)
    t.notOk(hold.signal.aborted)
    agent.leave()
    for (let turn = 0; turn < 20 && !hold.signal.aborted; turn++) await aWhile()
    t.ok(hold.signal.aborted, 'the request for approval is withdrawn')
    hold.settle({ grant: { by: ['someone'], at: new Date().toISOString(), codes: ['test.held'] } })
    await aWhile()
    t.notOk(target.reached('held_marker'), 'a grant that comes late runs nothing')
  })

  t.test(`${protocol}: what the protocol does not know is refused`, async (t) => {
    const { target } = await running(t)
    const agent = await target.connect()
    const told = await agent.sendUnknown('unknown_marker')
    t.not(told.kind, 'done')
    t.notOk(target.reached('unknown_marker'))
  })

  t.test(`${protocol}: the everyday client shows its user why a command was refused`, async (t) => {
    const { policy, target } = await running(t)
    policy.rule = refusing('refused_marker')
    const shown = await target.native(subject.command('refused_marker'))
    t.match(shown, 'refused by test.refused')
    t.match(shown, 'test.refused')
    t.match(shown, 'do otherwise', 'and what to do instead')
  })
}

/** Waits for what should happen, as long as something may take on a busy machine. */
async function comes(condition: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < 40 && !condition(); turn++) await aWhile()
  return condition()
}

function refusing(marker: string): FakePolicy['rule'] {
  return ({ command }) => (command.shape.text.includes(marker) ? deny('test.refused') : ALLOW)
}

function holding(marker: string): FakePolicy['rule'] {
  return ({ command }) => (command.shape.text.includes(marker) ? approve('test.held') : ALLOW)
}

async function held(approval: FakeApproval) {
  for (let turn = 0; turn < 40; turn++) {
    const [hold] = approval.holds
    if (hold !== undefined) return hold
    await aWhile()
  }
  throw new Error('nobody was asked')
}
