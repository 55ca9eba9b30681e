import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  BLOCK_HEADER,
  blockDigest,
  blockHash,
  digestOf,
  findBlock,
  genesis,
  hashOf,
  linesOf,
  parseBlock,
  parseSegmentHeader,
  sealBlock,
  segmentHeader,
} from '../../src/record/block.ts'

const position = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const lines = fc.array(fc.json({ noUnicodeString: false }), { minLength: 1, maxLength: 5 })

function block(of: readonly string[], first: number, previous: string): Buffer {
  const slab = Buffer.alloc(64 * 1024)
  const end = BLOCK_HEADER + slab.write(of.map((line) => `${line}\n`).join(''), BLOCK_HEADER)
  sealBlock(slab, end, first, of.length, digestOf(previous))
  return Buffer.from(slab.subarray(0, end))
}

t.test('a block is read back as it was written, whatever follows it', (t) => {
  fc.assert(
    fc.property(lines, position, digest, fc.uint8Array({ maxLength: 80 }), (of, first, previous, after) => {
      const bytes = block(of, first, previous)
      const parsed = parseBlock(Buffer.concat([bytes, after]), 0)
      if (parsed.kind !== 'block') throw new Error(parsed.kind)
      assert.deepEqual([parsed.block.first, parsed.block.count, parsed.block.previous], [first, of.length, previous])
      assert.deepEqual(linesOf(parsed.block).map(String), of)
      assert(parsed.block.bytes.equals(bytes))
    }),
  )
  t.pass()
  t.end()
})

t.test('a hash is the same in each of its forms', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.equal(hashOf(blockDigest(bytes)), blockHash(bytes))
      assert.equal(digestOf(blockHash(bytes)), blockDigest(bytes))
    }),
  )
  t.pass()
  t.end()
})

t.test('a block that ends early is incomplete at every byte', (t) => {
  const bytes = block(['{"a":1}', '{"b":"ü"}'], 7, genesis('x'))
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(parseBlock(bytes.subarray(0, length), 0).kind, 'incomplete', `${length} bytes`)
  }
  t.pass()
  t.end()
})

t.test('a block with any bit changed is never read as it was', (t) => {
  const bytes = block(['{"a":1}', '{"b":2}'], 7, genesis('x'))
  const hash = blockHash(bytes)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes)
    changed.writeUInt8((changed[bit >> 3] as number) ^ (1 << (bit & 7)), bit >> 3)
    const { kind } = parseBlock(changed, 0)
    assert(kind !== 'block' && blockHash(changed) !== hash, `bit ${bit} went unnoticed`)
  }
  t.pass()
  t.end()
})

t.test('whole blocks are found behind damage, and agents cannot plant one in their text', (t) => {
  const real = block(['{"a":1}'], 7, genesis('x'))
  t.equal(findBlock(Buffer.concat([Buffer.from('SGB1 rubbish SGB1'), real]), 0), 17)
  const planted = JSON.stringify({ text: block(['{"evil":1}'], 8, genesis('x')).toString('latin1') })
  t.equal(findBlock(block([planted], 7, genesis('x')), 1), -1)
  t.end()
})

t.test('a segment header is read back as it was written, and refused with any bit changed', (t) => {
  const header = {
    instance: 'orders-0-1a2b3c4d',
    first: 2 ** 40 + 5,
    createdAt: 1_700_000_000_000,
    previous: genesis('y'),
  }
  const bytes = segmentHeader(header)
  t.same(parseSegmentHeader(bytes), header)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes)
    changed.writeUInt8((changed[bit >> 3] as number) ^ (1 << (bit & 7)), bit >> 3)
    assert.equal(parseSegmentHeader(changed), null, `bit ${bit} went unnoticed`)
  }
  t.end()
})
