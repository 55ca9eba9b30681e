import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { MaskKey } from '../../src/mask/key.ts'
import { maskMethods, REDACTED, type TextMask } from '../../src/mask/method.ts'

const secret = Buffer.alloc(32, 'k')
const methods = maskMethods(new MaskKey(secret))

function masked(mask: TextMask | null, value: string): string {
  if (mask === null) throw new Error('no text can stand in for the value')
  const source = Buffer.from(`<${value}>`)
  const target = Buffer.alloc(mask.longest + 2, '#')
  const written = mask.write(source, 1, source.length - 1, target, 1)
  if (target[0] !== 0x23 || target.subarray(1 + written).some((byte) => byte !== 0x23))
    throw new Error('it wrote elsewhere')
  return target.toString('utf8', 1, 1 + written)
}

t.test('a redacted value says only that it was masked', (t) => {
  t.equal(masked(methods.text('redact'), '123-45-6789'), REDACTED)
  t.equal(masked(methods.text('redact'), ''), REDACTED)
  t.end()
})

t.test('nothing stands in for a value that is denied or nulled', (t) => {
  t.equal(methods.text('null'), null)
  t.equal(methods.text('deny'), null)
  t.end()
})

t.test('a partial mask shows the last four characters of values that are long enough, and never their length', (t) => {
  const partial = methods.text('partial')
  t.equal(masked(partial, '123-45-6789'), '********6789')
  t.equal(masked(partial, '1234567'), '************')
  t.equal(masked(partial, '12345678'), '********5678')
  t.equal(masked(partial, ''), '************')
  t.equal(masked(partial, 'größe-ä😀ö😀'), '********ä😀ö😀')
  t.end()
})

t.test('a partial mask is always twelve characters, and all but four of them are stars', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 60 }).filter((text) => text.isWellFormed()),
      (text) => {
        const shown = [...masked(methods.text('partial'), text)]
        const real = [...text]
        const tail = real.length < 8 ? '****' : real.slice(-4).join('')
        return shown.length === 12 && shown.join('') === `********${tail}`
      },
    ),
  )
  t.pass('no counterexample')
  t.end()
})

t.test('bytes that are no UTF-8 stay within what a mask may write', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const partial = methods.text('partial')
      if (partial === null) return false
      const target = Buffer.alloc(partial.longest)
      return partial.write(Buffer.from(bytes), 0, bytes.length, target, 0) <= partial.longest
    }),
  )
  t.pass('no counterexample')
  t.end()
})

t.test('equal values hash alike under one key, and nobody without the key can tell which', (t) => {
  const hash = methods.text('hash')
  t.equal(masked(hash, 'a'), createHmac('sha256', secret).update('a').digest('hex').slice(0, 32))
  t.equal(masked(hash, 'a'), masked(hash, 'a'))
  t.not(masked(hash, 'a'), masked(hash, 'b'))
  t.not(masked(hash, 'a'), masked(maskMethods(MaskKey.random()).text('hash'), 'a'))
  t.end()
})

t.test('a key that could be guessed is refused', (t) => {
  t.throws(() => new MaskKey(Buffer.alloc(31)), { code: 'mask.key' })
  t.end()
})

t.test('the marker is found in texts and in bytes', (t) => {
  t.ok(methods.holdsMarker(`update t set a = '${REDACTED}'`))
  t.ok(methods.holdsMarker(Buffer.from(`x${REDACTED}y`)))
  t.notOk(methods.holdsMarker('update t set a = 1'))
  t.notOk(methods.holdsMarker(Buffer.from(REDACTED.slice(1))))
  t.end()
})
