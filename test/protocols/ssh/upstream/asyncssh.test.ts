import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import t from 'tap'
import { startProgram } from '../../../support/process.ts'
import { makeSshKey, signSshKey } from '../../../support/ssh-keys.ts'
import { connect, directory, end, file, refusalOf, run, targetOf } from './dialing.ts'

const [key, hostAuthority, authority] = await Promise.all([
  makeSshKey(join(directory, 'asyncssh-host'), { type: 'ecdsa', bits: 384 }),
  makeSshKey(join(directory, 'asyncssh-host-authority'), { type: 'rsa' }),
  makeSshKey(join(directory, 'asyncssh-authority'), { type: 'ecdsa' }),
])
const certificate = await signSshKey(hostAuthority.file, key, { kind: 'host', principals: ['127.0.0.1'] })
const script = fileURLToPath(new URL('asyncssh_host.py', import.meta.url))
const program = await startProgram('/usr/bin/python3', [
  '-W',
  'ignore',
  script,
  key.file,
  certificate,
  `${authority.file}.pub`,
])
t.teardown(() => program.stop())
await program.output(/^\d+\n/, 20_000)

const upstream = { host: '127.0.0.1', port: Number(program.stdout()), hostAuthorities: [hostAuthority.line] }

t.test('A host that is not OpenSSH proves itself by a certificate, and takes ours', async (t) => {
  const credential = { user: 'deploy', certificate: { authorityFile: authority.file } }
  const leg = await connect(targetOf({ upstream, credential }))
  t.match(leg, { software: /^AsyncSSH_/, host: { by: 'authority' } })
  t.equal(await run(leg, 'this'), 'this for deploy')
  await end(leg)
})

t.test('A host that is not OpenSSH takes a password', async (t) => {
  const leg = await connect(targetOf({ upstream, credential: { user: 'deploy', passwordFile: file('open sesame') } }))
  t.equal(await run(leg, 'this'), 'this for deploy')
  await end(leg)
  const wrong = targetOf({ upstream, credential: { user: 'deploy', passwordFile: file('open barley') } })
  t.match(await refusalOf(connect(wrong)), { code: 'upstream.rejected' })
})
