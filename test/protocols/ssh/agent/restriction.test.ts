/** What a certificate restricts holds for everything that is asked for under it, before a real host. */
import { join } from 'node:path'
import t from 'tap'
import { runClient, ssh, sshClient } from '../../../support/ssh-clients.ts'
import { makeSshKey, signSshKey } from '../../../support/ssh-keys.ts'
import { startSshTarget } from '../../../support/ssh-target.ts'
import { sharedSshd } from '../../../support/sshd.ts'
import { scratch } from './gate.ts'

const directory = scratch()
const file = (name: string) => join(directory, name)

const authority = await makeSshKey(file('ca'))
const target = await startSshTarget(await sharedSshd(), {
  config: { agent: { authenticate: 'certificate', authorities: [authority.line] } },
})
t.teardown(() => target.close())
const { record } = target

async function clientWith(name: string, options: readonly string[]) {
  const key = await makeSshKey(file(name))
  const certificate = await signSshKey(authority.file, key, { principals: ['agent'], options })
  return sshClient({ ...target.address, user: 'agent', identity: key.file }, { CertificateFile: certificate })
}

const refused = () =>
  record.decisions
    .filter(({ refusal }) => refusal?.code === 'identity.restricted')
    .map(({ command }) => command.shape.action)

t.test('a forced command runs in the place of whatever is asked for, and of nothing else', async (t) => {
  const client = await clientWith('forced', ['force-command=echo forced'])
  for (const args of [['there', 'echo asked'], ['there'], ['-s', 'there', 'whatever']]) {
    const { stdout, stderr, code } = await ssh(client, args)
    t.equal(stdout.toString(), 'forced\n', `${args.join(' ')}: ${stderr}`)
    t.equal(code, 0)
  }
  const { code } = await runClient('sftp', ['-F', client.config, '-b', '/dev/null', 'there'])
  t.not(code, 0, 'what is forced is no sftp server')
  t.strictSame(refused(), [])
  const texts = new Set(record.decisions.map(({ command }) => command.shape.text))
  t.strictSame([...texts], ['echo forced'], 'and it is what policy is asked about')
})

t.test('what the certificate has no permit for is refused and recorded, and the rest goes on', async (t) => {
  const client = await clientWith('cleared', ['clear'])
  const plain = await ssh(client, ['there', 'echo in'])
  t.equal(plain.stdout.toString(), 'in\n', plain.stderr)
  const terminal = await ssh(client, ['-tt', 'there', 'test -t 0 && echo terminal || echo none'])
  t.match(terminal.stderr, 'PTY allocation request failed')
  const forward = await ssh(client, ['-o', 'LogLevel=INFO', '-W', '127.0.0.1:9', 'there'])
  t.match(forward.stderr, 'identity.restricted')
  const listening = await ssh(client, ['-o', 'ExitOnForwardFailure=yes', '-R', '0:127.0.0.1:9', 'there', 'true'])
  t.not(listening.code, 0)
  await ssh(client, ['-A', 'there', 'true'], { env: { SSH_AUTH_SOCK: '/nowhere' } })
  t.strictSame(new Set(refused()), new Set(['pty', 'forward', 'remote-forward']))
})

t.test('what the certificate permits is for policy to say', async (t) => {
  const client = await clientWith('permitted', ['clear', 'permit-pty', 'permit-port-forwarding'])
  const before = refused().length
  const terminal = await ssh(client, ['-tt', 'there', 'test -t 0 && echo terminal || echo none'])
  t.match(terminal.stdout.toString(), 'terminal')
  t.equal(refused().length, before)
})
