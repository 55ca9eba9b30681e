/** How fast a server's stream is split: small DataRows, as runs (pass through) and one by one (masked). */
import { bench, do_not_optimize, run } from 'mitata'
import { FRAME, FrameReader, NONE, RUN } from '../../src/protocols/postgres/framing.ts'
import { decodeBind, decodeDataRow, encodeBind, encodeDataRow } from '../../src/protocols/postgres/messages.ts'
import { BACKEND, backendTable } from '../../src/protocols/postgres/messages/types.ts'

const CHUNK = 65_536
const TOTAL = 64 * CHUNK
const row = encodeDataRow([Buffer.from('12345'), Buffer.from('a name'), null, Buffer.from('2024-01-02')])
const rows = Buffer.concat(Array.from({ length: Math.ceil(TOTAL / row.length) }, () => row))
const chunks = Array.from({ length: 64 }, (_, at) => rows.subarray(at * CHUNK, (at + 1) * CHUNK))

function count(runOf: number): number {
  const reader = new FrameReader(backendTable(4 * 1024 ** 2))
  reader.runOf = runOf
  let frames = 0
  for (const chunk of chunks) {
    reader.feed(chunk)
    for (let kind = reader.next(); kind !== NONE; kind = reader.next()) {
      if (kind === RUN) frames += reader.frames
      else if (kind === FRAME) frames++
    }
  }
  return frames
}

bench(`split 4 MiB of ${row.length}-byte DataRows into runs`, () => do_not_optimize(count(BACKEND.DataRow)))
bench(`split 4 MiB of ${row.length}-byte DataRows one by one`, () => do_not_optimize(count(0)))
bench('decode one DataRow of four values', () => do_not_optimize(decodeDataRow(row, 0, row.length)))

const bind = encodeBind({
  portal: '',
  statement: 'P_0',
  parameterFormats: [0],
  parameters: [Buffer.from('48213')],
  resultFormats: [],
})
bench('decode one Bind of one parameter', () => do_not_optimize(decodeBind(bind, 5, bind.length)))

const result = await run()
for (const { runs } of result.benchmarks) {
  const stats = runs[0]?.stats
  const name = runs[0]?.name ?? ''
  if (stats !== undefined && name.startsWith('split')) {
    process.stdout.write(`${name}: ${Math.round(TOTAL / (stats.p50 / 1e9) / 1e6)} MB/s\n`)
  }
}
