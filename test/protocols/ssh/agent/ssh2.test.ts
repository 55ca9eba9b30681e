/** What was read in ssh2, so that another version is read again before it is used. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import t from 'tap'
import { checkSsh2 } from '../../../../src/protocols/ssh/agent/ssh2/inside.ts'

const load = createRequire(import.meta.url)

/** SHA-256 of the files whose inside is used on the agent's leg. */
const READ = {
  'ssh2/lib/server.js': '128b58ee54cf97a5ae17e18836ff4472de4a5e4e591f2862a5c9ec7f148befe5',
  'ssh2/lib/Channel.js': '53e92988a025009b192b72be110bd240b5653f88dbdec93e515e3e401e7f94aa',
  'ssh2/lib/protocol/Protocol.js': 'c1104b49087de7a91cd3ffaac8807c05eebf49f61effd084d0b0caf29fde6af4',
  'ssh2/lib/protocol/handlers.js': 'b15f990134a4f69b7492d0b875d80d8c28228907045619b01ec30871ac711df9',
  'ssh2/lib/protocol/handlers.misc.js': '8927c504c3c338187f36f0304a3452d6396ec9fc907af3db2be46a5f175c36a1',
  'ssh2/lib/protocol/kex.js': '054ba4b81801596350f0e2e939746d2966297cffd4303b342c25b2fd5d295755',
  'ssh2/lib/protocol/utils.js': '402b39e75ede9e3dc99af5e8af008602546f35aa1472bd4232c06f606987f053',
} as const

t.test('the inside of ssh2 is as it was when it was read', async (t) => {
  for (const [file, hash] of Object.entries(READ)) {
    const found = createHash('sha256')
      .update(readFileSync(load.resolve(file)))
      .digest('hex')
    t.equal(found, hash, `${file} is another: read it again, and what src/protocols/ssh/agent/ssh2 makes of it`)
  }
})

t.test('another version of ssh2 is refused', async (t) => {
  t.doesNotThrow(() => checkSsh2())
  t.throws(() => checkSsh2({ version: '1.18.0' }), { code: 'ssh.library' })
})
