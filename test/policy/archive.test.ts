import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { readBundle, unpack } from '../../src/policy/archive.ts'
import { BundleError } from '../../src/policy/errors.ts'
import { archive, folder, tar, type TarEntry } from './fixture.ts'

const files = new Map([
  ['.manifest', Buffer.from('{}')],
  ['policy.wasm', Buffer.alloc(70_000, 7)],
  ['a/b/c.rego', Buffer.from('package c')],
])

t.test('an archive gives its files by their names, with or without the one slash that opa writes', async (t) => {
  t.strictSame(await unpack(await archive(files)), files)
  t.strictSame(await unpack(await tar([...files].map(([name, content]) => ({ name, content })))), files)
})

t.test('an archive with anything but regular files under plain names is refused', async (t) => {
  const content = Buffer.from('x')
  const wrong: readonly (readonly [string, readonly TarEntry[]])[] = [
    ['a symbolic link', [{ name: 'a', type: 'symlink' }]],
    ['a hard link', [{ name: 'a', type: 'link' }]],
    ['a directory', [{ name: 'a', type: 'directory' }]],
    ['a way out', [{ name: '../a', content }]],
    ['a way out within', [{ name: 'a/../../b', content }]],
    ['two slashes', [{ name: '//a', content }]],
    ['a name as tar writes it', [{ name: './a', content }]],
    ['a backslash', [{ name: 'a\\b', content }]],
    ['a control character', [{ name: 'a\nb', content }]],
    [
      'the same file twice',
      [
        { name: 'a', content },
        { name: 'a', content },
      ],
    ],
    [
      'the same file twice, by two names',
      [
        { name: 'a', content },
        { name: '/a', content },
      ],
    ],
  ]
  for (const [name, entries] of wrong) {
    await t.rejects(tar(entries).then(unpack), { code: 'bundle.malformed' }, name)
  }
})

t.test('an archive that is cut short, damaged or a bomb is refused', async (t) => {
  const whole = await archive(files)
  const plain = gunzipSync(whole)
  await t.rejects(unpack(whole.subarray(0, whole.length - 20)), { code: 'bundle.malformed' })
  await t.rejects(unpack(Buffer.from('not gzip')), { code: 'bundle.malformed' })
  await t.rejects(unpack(Buffer.alloc(0)), { code: 'bundle.malformed' })
  await t.rejects(unpack(gzipSync(plain.subarray(0, 3_000))), { code: 'bundle.malformed' })
  await t.rejects(unpack(gzipSync(Buffer.from(plain).fill(0x41, 100, 200))), { code: 'bundle.malformed' })
  await t.rejects(unpack(gzipSync(Buffer.alloc(200 * 1024 ** 2))), { code: 'bundle.malformed' })
})

t.test('whatever bytes an archive is made of, it is read whole or refused with a code', async (t) => {
  const whole = gunzipSync(await archive(files))
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, byte) => {
      const damaged = Buffer.from(whole)
      damaged[at] = byte
      try {
        const read = await unpack(gzipSync(damaged, { level: 0 }))
        return [...read.values()].every((content) => content.length <= 70_000)
      } catch (error) {
        return error instanceof BundleError
      }
    }),
    { numRuns: 200 },
  )
  t.pass('no counterexample')
})

t.test('a directory is read like an archive, and links in it are refused', async (t) => {
  const path = folder(t)
  mkdirSync(join(path, 'a/b'), { recursive: true })
  for (const [name, content] of files) writeFileSync(join(path, name), content)
  const read = await readBundle(path)
  t.equal(read.size, files.size)
  for (const [name, content] of files) t.strictSame(read.get(name), content)
  symlinkSync('/etc/passwd', join(path, 'data.json'))
  await t.rejects(readBundle(path), { code: 'bundle.malformed', message: /data\.json/ })
})

t.test('a mounted ConfigMap is read through the one link that the kubelet swaps', async (t) => {
  const path = folder(t)
  for (const version of ['..1', '..2']) {
    mkdirSync(join(path, version))
    writeFileSync(join(path, version, '.manifest'), version)
    symlinkSync(version, join(path, `${version}.link`))
  }
  symlinkSync('..data/.manifest', join(path, '.manifest'))
  for (const version of ['..1', '..2']) {
    renameSync(join(path, `${version}.link`), join(path, '..data'))
    t.strictSame(await readBundle(path), new Map([['.manifest', Buffer.from(version)]]))
  }
})

t.test('a bundle that is not there says so with its path', async (t) => {
  await t.rejects(readBundle('/nowhere/bundle.tar.gz'), { code: 'bundle.unreadable', message: /nowhere/ })
})
