import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { type Recorded, Recording } from '../../src/stream/recording.ts'
import { permitted } from './permit.ts'

/** What is shown of a program that has no terminal. */
const BEGINNING = 64 * 1024

function digestOf(bytes: Buffer) {
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

type Name = 'input' | 'output' | 'error'
const pieces = fc.array(
  fc.record({
    name: fc.constantFrom<Name>('input', 'output', 'error'),
    // Sizes at which the beginning ends inside of a piece, at its edge, and behind it.
    bytes: fc
      .tuple(fc.constantFrom(0, 1, 100, BEGINNING - 1, BEGINNING, BEGINNING + 1), fc.nat(255))
      .map(([length, fill]) => Buffer.alloc(length, fill)),
  }),
  { maxLength: 8 },
)

t.test('Of every stream as much is recorded as was asked for, and length and digest of all of it', async (t) => {
  const most = { everything: Infinity, beginning: BEGINNING, nothing: 0 } as const
  await fc.assert(
    fc.asyncProperty(pieces, fc.constantFrom<Recorded>('everything', 'beginning', 'nothing'), async (all, recorded) => {
      const { gate, permit, frames } = await permitted()
      const recording = new Recording(gate, permit, recorded)
      for (const { name, bytes } of all) recording.bytes(name, bytes)
      recording.ended(null)
      const whole = (name: Name) => Buffer.concat(all.filter((one) => one.name === name).map(({ bytes }) => bytes))
      const shown = (name: Name) =>
        frames()
          .filter(([kind]) => kind === name)
          .map(([, data]) => data)
          .join('')
      t.equal(shown('input'), '', 'what the agent sends may be a password')
      const named = ['input', 'output', 'error'] as const
      for (const name of ['output', 'error'] as const) {
        t.ok(shown(name) === whole(name).subarray(0, most[recorded]).toString('latin1'), `${recorded} of ${name}`)
      }
      const seen = named.filter((name) => all.some((one) => one.name === name))
      const streams = Object.fromEntries(seen.map((name) => [name, digestOf(whole(name))]))
      const marker = frames().find(([kind]) => kind === 'marker')
      t.same(marker === undefined ? {} : JSON.parse(marker[1]), seen.length === 0 ? {} : { streams })
      t.equal(recording.sent, whole('output').length + whole('error').length)
    }),
    { numRuns: 100 },
  )
})

t.test('At the level full everything is recorded, what the agent sends too', async (t) => {
  for (const recorded of ['everything', 'beginning', 'nothing'] as const) {
    const { gate, permit, frames } = await permitted({ record: 'full' })
    const recording = new Recording(gate, permit, recorded)
    const long = 'x'.repeat(BEGINNING + 1)
    recording.bytes('input', Buffer.from(long))
    recording.bytes('output', Buffer.from(long))
    t.ok(frames()[0]?.[1] === long && frames()[1]?.[1] === long, recorded)
  }
})

t.test('A terminal whose size nobody says has the usual one in its recording, before what it shows', async (t) => {
  const { gate, permit, frames } = await permitted()
  const recording = new Recording(gate, permit, 'everything', { unsized: true })
  recording.bytes('input', Buffer.from('ls\n'))
  recording.bytes('output', Buffer.alloc(0))
  t.same(frames(), [], 'nothing was shown yet')
  recording.bytes('output', Buffer.from('$ '))
  recording.resized(97, 31)
  recording.bytes('error', Buffer.from('no'))
  t.same(frames(), [
    ['resize', '80x24'],
    ['output', '$ '],
    ['resize', '97x31'],
    ['error', 'no'],
  ])
})

t.test('A terminal whose size is said in time has that one alone, and what is no terminal has none', async (t) => {
  const terminal = await permitted()
  const recording = new Recording(terminal.gate, terminal.permit, 'everything', { unsized: true })
  recording.resized(97, 31)
  recording.bytes('output', Buffer.from('$ '))
  t.same(terminal.frames(), [
    ['resize', '97x31'],
    ['output', '$ '],
  ])
  const program = await permitted()
  new Recording(program.gate, program.permit, 'everything').bytes('output', Buffer.from('out'))
  t.same(program.frames(), [['output', 'out']])
})

t.test('Signals, marks and the end are recorded in their order, and nothing after the end', async (t) => {
  const { gate, permit, frames } = await permitted()
  const recording = new Recording(gate, permit, 'beginning')
  recording.marked('opaque')
  recording.signalled('TERM')
  recording.ended({ signal: 'TERM' })
  recording.bytes('output', Buffer.from('late'))
  recording.resized(1, 1)
  recording.ended({ status: 0 })
  t.same(frames(), [
    ['marker', 'opaque'],
    ['signal', 'TERM'],
    ['exit', '{"signal":"TERM"}'],
  ])
})

t.test('What the journal does not take is an error, so that the stream ends', async (t) => {
  const { gate, permit, record } = await permitted()
  const recording = new Recording(gate, permit, 'beginning')
  record.fail('record.spool-full')
  t.throws(() => recording.bytes('output', Buffer.from('lost')), { code: 'record.spool-full' })
  t.throws(() => recording.resized(1, 1), { code: 'record.spool-full' })
  t.throws(() => recording.signalled('INT'), { code: 'record.spool-full' })
  t.throws(() => recording.ended({ status: 0 }), { code: 'record.spool-full' })
})
