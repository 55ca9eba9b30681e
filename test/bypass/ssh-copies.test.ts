/** Ways of reading and writing where the starter policy does not allow it, by what file copies leave behind on the host. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startGated } from '../e2e/ssh/gated.ts'
import { movedStarter } from '../e2e/ssh/starter.ts'
import { runClient, sshClient } from '../support/ssh-clients.ts'
import { RawSsh } from '../support/ssh-raw.ts'

const { policy, srv } = await movedStarter(t)
const gated = await startGated(t, { policy })
const client = sshClient(gated.agent)

/** Neither readable nor writable by the policy; the login could do both. */
const outside = mkdtempSync(join(tmpdir(), 'sidegate-outside-'))
t.teardown(() => rmSync(outside, { recursive: true, force: true }))
writeFileSync(join(outside, 'secret'), 'of the host\n')
const here = join(client.directory, 'here')
mkdirSync(here)
symlinkSync(outside, join(here, 'link'))
symlinkSync(join(outside, 'secret'), join(here, 'read'))
writeFileSync(join(here, 'new'), 'of the agent\n')

const rsync = async (...args: string[]) => await runClient('rsync', ['-e', client.command, ...args])

function isLink(name: string): boolean {
  return lstatSync(join(srv, 'agent', name), { throwIfNoEntry: false })?.isSymbolicLink() === true
}

t.test('no link comes to the host by a copy, through which later commands would leave their paths', async (t) => {
  const agent = await RawSsh.connect(gated.agent.port, { authHandler: ['none'] })
  t.teardown(() => agent.destroy())
  for (const options of [['-a'], ['-rl'], ['-r', '--links'], ['-a', '--safe-links'], ['-aR']]) {
    const { code, stderr } = await rsync(...options, `${here}/`, `there:${srv}/agent/`)
    t.not(code, 0, options.join(' '))
    t.match(stderr, /\[files\.copy\]\n.*--no-links/, options.join(' '))
    for (const name of ['link', 'read']) t.notOk(isLink(name), `${options.join(' ')}: ${name}`)
    const { stdout } = await agent.exec(`cat ${srv}/agent/read`)
    t.equal(stdout, '', options.join(' '))
    await rsync('-r', join(here, 'new'), `there:${srv}/agent/link/`)
    t.notOk(existsSync(join(outside, 'new')), options.join(' '))
    rmSync(join(srv, 'agent'), { recursive: true, force: true })
    mkdirSync(join(srv, 'agent'))
  }
})

t.test('a copy without links comes through, and so do links that lead nowhere', async (t) => {
  for (const options of [['-a', '--no-links'], ['-r'], ['-a', '-M--munge-links']]) {
    const { code } = await rsync(...options, `${here}/`, `there:${srv}/agent/`)
    t.equal(code, 0, options.join(' '))
    t.equal(readFileSync(join(srv, 'agent/new'), 'utf8'), 'of the agent\n')
    const agent = await RawSsh.connect(gated.agent.port, { authHandler: ['none'] })
    const { stdout } = await agent.exec(`cat ${srv}/agent/read`)
    t.equal(stdout, '', options.join(' '))
    agent.destroy()
    rmSync(join(srv, 'agent'), { recursive: true, force: true })
    mkdirSync(join(srv, 'agent'))
  }
})

t.test('the records of all this are whole', async (t) => {
  await gated.check(t)
})
