import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { readSecret } from '../../../../src/credentials/secret.ts'
import { RotatedFile, stampOf } from '../../../../src/protocols/kubernetes/credential/file.ts'

/** As long as a change may hide behind another in the same tick of a file system's clock. */
const SETTLED_MS = 2_100

const directory = mkdtempSync(join(tmpdir(), 'sidegate-rotated-'))
t.teardown(() => rmSync(directory, { recursive: true }))

function counted(name: string) {
  const file = join(directory, name)
  const reads = { count: 0 }
  const rotated = new RotatedFile(file, async (named) => {
    reads.count++
    return await readSecret(named)
  })
  return { file, reads, rotated }
}

t.test('a file that does not change is read once it has settled, and then never again', async (t) => {
  const { file, reads, rotated } = counted('still')
  writeFileSync(file, 'one')
  t.equal(await rotated.current(), 'one')
  t.equal(await rotated.current(), 'one')
  t.equal(reads.count, 2, 'a change in the same tick could not be seen')
  await sleep(SETTLED_MS)
  t.equal(await rotated.current(), 'one')
  for (let times = 0; times < 10; times++) t.equal(rotated.current(), 'one', 'at once')
  t.equal(reads.count, 3)
  // Times can be set back by whoever writes; when the inode itself changed cannot.
  writeFileSync(file, 'two')
  utimesSync(file, 0, 0)
  t.equal(await rotated.current(), 'two')
  await sleep(SETTLED_MS)
  await rotated.current()
  writeFileSync(`${file}.new`, 'six')
  renameSync(`${file}.new`, file)
  t.equal(await rotated.current(), 'six')
})

t.test('a file that is gone, or empty, gives nothing: what it held is not remembered', async (t) => {
  const { file, rotated } = counted('gone')
  writeFileSync(file, 'one')
  await rotated.current()
  rmSync(file)
  t.equal(stampOf(file), null)
  await t.rejects(async () => await rotated.current(), { code: 'credential.unreadable' })
  writeFileSync(file, '')
  await t.rejects(async () => await rotated.current(), { code: 'credential.unreadable' })
  writeFileSync(file, 'back')
  t.equal(await rotated.current(), 'back')
})
