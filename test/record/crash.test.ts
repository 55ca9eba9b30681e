import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Program, startProgram } from '../support/process.ts'
import { all, open, temporary, written } from './support.ts'

const WRITER = join(import.meta.dirname, 'writer.ts')

function confirmed(program: Program): number[] {
  const lines = program.stdout().split('\n')
  // The last line may be half a number.
  return lines
    .slice(0, -1)
    .map(Number)
    .filter((position) => !Number.isNaN(position))
}

for (const durability of ['written', 'synced'] as const) {
  t.test(`a process that is killed under load has lost no record that it confirmed (${durability})`, async (t) => {
    const directory = temporary()
    for (let life = 1; life <= 3; life++) {
      const writer = await startProgram(process.execPath, [WRITER, directory, durability])
      await writer.output(/\d+\n/)
      await sleep(100 + 50 * life)
      await writer.stop('SIGKILL')
      const positions = confirmed(writer)
      t.ok(positions.length > 10, `${positions.length} were confirmed`)
      await open(directory).close()
      const stored = new Map((await all(directory)).map(({ record }) => [record.seq, record.type]))
      const missing = positions.filter((position) => stored.get(position) !== 'decision')
      t.same(missing, [])
    }
    const sequence = (await all(directory)).map(({ record }) => record.seq)
    t.same(
      sequence,
      sequence.map((_, index) => index + 1),
    )
  })
}

t.test('a disk that is full refuses every command, and when it has room again the gap is on record', async (t) => {
  const directory = temporary()
  await written(directory, 1)
  // A file may grow no further than this, which the kernel says like a full disk: a part is written, then nothing.
  const limited = ['-c', `ulimit -S -f 64; exec "${process.execPath}" "${WRITER}" "${directory}" written 1`]
  const writer = await startProgram('bash', limited)
  await writer.output(/record\.unavailable\n(?:.*\n)*record\.unavailable\n/, 20_000)
  const before = confirmed(writer)
  t.ok(before.length > 10)

  const lifted = await startProgram('prlimit', ['--pid', String(writer.pid), '--fsize=unlimited'])
  t.equal((await lifted.exited).code, 0)
  await writer.output(/record\.unavailable\n(?:\d+\n){5}/, 10_000)
  await writer.stop('SIGKILL')
  await open(directory).close()
  const records = await all(directory)
  const stored = new Set(records.map(({ record }) => record.seq))
  t.same(
    confirmed(writer).filter((position) => !stored.has(position)),
    [],
  )
  const gap = records.find(({ record }) => record.type === 'gap')?.record
  t.match(gap, { error: 'EFBIG', first: Number, last: Number })
  if (gap?.type !== 'gap') return
  t.ok(gap.first > (before.at(-1) ?? 0) && gap.last >= gap.first)
  for (let position = gap.first; position <= gap.last; position++) t.notOk(stored.has(position))
  t.equal(gap.seq, gap.last + 1)
})
