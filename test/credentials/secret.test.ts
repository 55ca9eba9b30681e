import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readSecret } from '../../src/credentials/secret.ts'
import { removeAtExit } from '../support/process.ts'

const directory = mkdtempSync(join(tmpdir(), 'sidegate-secrets-'))
removeAtExit(directory)
const path = join(directory, 'secret')

t.test('a secret is its file’s text without the last line end, read anew each time', async (t) => {
  for (const [text, secret] of [
    ['s3cret', 's3cret'],
    ['s3cret\n', 's3cret'],
    ['s3cret\r\n', 's3cret'],
    [' two \n\n', ' two \n'],
    ['\ufeffbom', '\ufeffbom'],
  ] as const) {
    writeFileSync(path, text)
    t.equal(await readSecret(path), secret)
  }
})

t.test(
  'a secret that is missing, empty, too long, not UTF-8 or cut by a NUL is refused without being quoted',
  async (t) => {
    await t.rejects(readSecret(join(directory, 'none')), { code: 'credential.unreadable' })
    await t.rejects(readSecret(directory), { code: 'credential.unreadable' })
    for (const bytes of [
      Buffer.from('\n'),
      Buffer.alloc(65_537, 'a'),
      Buffer.from([0xff, 0x41]),
      Buffer.from('hush\0hush'),
    ]) {
      writeFileSync(path, bytes)
      const error = await readSecret(path).catch((problem: unknown) => problem)
      t.match(error, { code: 'credential.unreadable' })
      t.notMatch((error as Error).message, /hush/)
    }
  },
)

t.test('a device that never ends is not read to its end', async (t) => {
  await t.rejects(readSecret('/dev/zero'), { code: 'credential.unreadable', message: /longer/ })
})
