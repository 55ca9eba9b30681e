import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startSidecar } from '../../../src/commands/run/sidecar.ts'
import { createLog } from '../../../src/commands/run/log.ts'
import { printStatus } from '../../../src/commands/status.ts'
import { PLAIN } from '../../../src/commands/terminal.ts'
import { buildBundle } from '../../support/bundle.ts'
import { makeSshKey } from '../../support/ssh-keys.ts'
import { configured, folder } from './fixture.ts'

t.test('the line by which agents know an SSH target is in its file, in the log and in the status', async (t) => {
  const base = folder(t)
  const [host, own, login] = await Promise.all(['host', 'own', 'login'].map((name) => makeSshKey(join(base, name))))
  const knownHosts = join(base, 'known_hosts')
  const targets = {
    'build-host': {
      protocol: 'ssh',
      listen: '127.0.0.1:0',
      upstream: { host: 'build.internal', hostKeys: [host?.line] },
      agent: { authenticate: 'none', hostKeyFile: own?.file, knownHosts },
      credential: { user: 'deploy', privateKeyFile: login?.file },
    },
  }
  let logged = ''
  const log = createLog('info', { write: (line: string) => void (logged += line) })
  const sidecar = await startSidecar(configured(base, await buildBundle('bundles/permissive'), { targets }), { log })
  t.teardown(() => sidecar.close())
  const [type, key] = own?.line.split(' ') ?? []
  const line = `* ${type} ${key}`
  t.equal(readFileSync(knownHosts, 'utf8'), `${line}\n`)
  t.match(sidecar.status().targets, [{ name: 'build-host', protocol: 'ssh', facts: { known_hosts: line } }])
  t.match(printStatus(sidecar.status(), PLAIN), `\n  known_hosts  ${line}\n`)
  t.match(logged, JSON.stringify({ known_hosts: line }).slice(1, -1))
})
