import t from 'tap'
import { FILE_KEYS } from '../../src/config/files.ts'
import { configuration } from '../../src/config/schema.ts'
import { keysOf } from './keys.ts'

/** What such keys are called everywhere in the schema. */
const NAMES_A_FILE = /(File|\.file|\.directory|\.ca|\.cert|\.key|\.knownHosts)$/

t.test('every key that names a file is looked into before the sidecar starts', async (t) => {
  const named = new Set(keysOf(configuration).filter((key) => NAMES_A_FILE.test(key)))
  t.same([...named].sort(), FILE_KEYS.map(([key]) => key).sort())
})
