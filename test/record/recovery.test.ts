import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { parseBlock, SEGMENT_HEADER } from '../../src/record/block.ts'
import { recover } from '../../src/record/recovery.ts'
import { all, open, temporary, written } from './support.ts'

/** Where each block of a segment ends. */
function ends(path: string): number[] {
  const bytes = readFileSync(path)
  const found = [SEGMENT_HEADER]
  for (let at = SEGMENT_HEADER; at < bytes.length;) {
    const parsed = parseBlock(bytes, at)
    if (parsed.kind !== 'block') throw new Error(parsed.kind)
    at += parsed.block.bytes.length
    found.push(at)
  }
  return found
}

function copyOf(directory: string): { copy: string; last: string } {
  const copy = temporary()
  cpSync(directory, copy, { recursive: true })
  const last = readdirSync(copy).findLast((name) => name.endsWith('.segment')) as string
  return { copy, last: join(copy, last) }
}

t.test('a journal cut at any byte keeps every whole block before the cut, and says what was torn', async (t) => {
  const directory = temporary()
  await written(directory, 1)
  const whole = (await all(directory)).length
  const { copy, last } = copyOf(directory)
  const bytes = readFileSync(last)
  const borders = ends(last)
  for (let length = bytes.length; length >= 0; length--) {
    writeFileSync(last, bytes.subarray(0, length))
    const recovered = recover(copy)
    const kept = borders.filter((end) => end <= length).length - 1
    if (length < SEGMENT_HEADER) {
      assert.equal(recovered, null, `at ${length}`)
      continue
    }
    assert.equal(recovered?.current.size, borders[kept], `at ${length}`)
    assert.equal(recovered?.torn.length, borders[kept] === length ? 0 : 1, `at ${length}`)
    assert.equal(recovered?.torn[0]?.bytes ?? 0, length - (borders[kept] ?? 0))
    assert.equal(readFileSync(last).length, borders[kept])
  }
  t.equal(whole, 4)
})

t.test('a changed bit is cut off at the very end, and refused anywhere before', async (t) => {
  const directory = temporary()
  await written(directory, 4)
  const { copy, last } = copyOf(directory)
  const bytes = readFileSync(last)
  const border = ends(last).at(-2) as number
  fc.assert(
    fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
      const changed = Buffer.from(bytes)
      changed.writeUInt8((changed[bit >> 3] as number) ^ (1 << (bit & 7)), bit >> 3)
      writeFileSync(last, changed)
      if (bit >> 3 >= border) {
        assert.equal(recover(copy)?.current.size, border)
        return
      }
      assert.throws(() => recover(copy), { code: 'record.corrupt' })
      assert(readFileSync(last).equals(changed), 'evidence is not touched')
    }),
    { numRuns: 400 },
  )
  t.throws(
    () => {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(0, SEGMENT_HEADER)
      writeFileSync(last, changed)
      open(copy)
    },
    { code: 'record.corrupt', message: new RegExp(`${last}, at byte ${SEGMENT_HEADER}: .*start with an empty one`) },
    'the error names file, offset and what to do',
  )
})

t.test('a torn end is cut, and the cut is on record', async (t) => {
  const directory = temporary()
  await written(directory, 4)
  const { copy, last } = copyOf(directory)
  const [offset, size] = ends(last).slice(-2) as [number, number]
  truncateSync(last, size - 1)
  const journal = open(copy)
  await journal.close()
  const records = await all(copy)
  const cut = records.find(({ record }) => record.type === 'cut')?.record
  t.match(cut, {
    file: '0000000000000001.segment',
    offset,
    bytes: Number,
    sha256: /^[0-9a-f]{64}$/,
  })
})

t.test('zeros that a lost power left at the end are cut', async (t) => {
  const directory = temporary()
  await written(directory, 4)
  const before = (await all(directory)).length
  const { copy, last } = copyOf(directory)
  writeFileSync(last, Buffer.concat([readFileSync(last), Buffer.alloc(4096)]))
  await open(copy).close()
  t.equal((await all(copy)).length, before + 3)
})

t.test('a segment that was only begun is removed, whatever is in it', async (t) => {
  for (const begun of [Buffer.alloc(0), Buffer.alloc(100), Buffer.alloc(SEGMENT_HEADER)]) {
    const directory = temporary()
    await written(directory, 4)
    const before = await all(directory)
    writeFileSync(join(directory, `${String(before.length + 1).padStart(16, '0')}.segment`), begun)
    await open(directory).close()
    const after = await all(directory)
    t.equal(after.length, before.length + 3)
    t.equal(after[before.length + 1]?.record.type, 'cut')
  }
})

t.test('blocks that were exchanged, repeated or left out are refused although each is whole', async (t) => {
  const directory = temporary()
  await written(directory, 4)
  const { copy, last } = copyOf(directory)
  const bytes = readFileSync(last)
  const borders = ends(last)
  const block = (index: number) => bytes.subarray(borders[index], borders[index + 1])
  const header = bytes.subarray(0, SEGMENT_HEADER)
  const forgeries = {
    exchanged: [block(0), block(2), block(1), block(3)],
    repeated: [block(0), block(1), block(1), block(2)],
    'left out': [block(0), block(2), block(3)],
  }
  for (const [name, blocks] of Object.entries(forgeries)) {
    writeFileSync(last, Buffer.concat([header, ...blocks]))
    t.throws(() => recover(copy), { code: 'record.corrupt' }, name)
    await t.rejects(all(copy), { code: 'record.corrupt' }, `${name}, as a reader sees it`)
  }
})

t.test('damage in an older segment is found by whoever reads it', async (t) => {
  const directory = temporary()
  await written(directory, 200, { maxSize: 1024 ** 2, segmentSize: 16 * 1024 })
  const segments = readdirSync(directory).filter((name) => name.endsWith('.segment'))
  t.ok(segments.length > 3)
  const second = join(directory, segments[1] as string)
  const bytes = readFileSync(second)
  bytes.writeUInt8((bytes[1_000] as number) ^ 1, 1_000)
  writeFileSync(second, bytes)
  await t.rejects(all(directory), { code: 'record.corrupt', message: new RegExp(segments[1] as string) })
})
