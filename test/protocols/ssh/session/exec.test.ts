import t from 'tap'
import { readFileSync } from 'node:fs'
import { sshClient, ssh as runSsh } from '../../../support/ssh-clients.ts'
import { sharedSshd } from '../../../support/sshd.ts'
import { connectAgent, exec, startSshTarget } from '../target.ts'

const server = await sharedSshd()

t.test('a command runs upstream, with its output, its errors and its exit status', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const result = await exec(client, 'echo out; echo err >&2; cat; exit 7', 'typed')
  t.strictSame(result, { stdout: 'out\ntyped', stderr: 'err\n', code: 7, signal: undefined })
  client.end()
})

t.test('OpenSSH itself runs a command, with its input closed', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const hostKeys = [readFileSync(target.knownHosts, 'utf8').trim().split(' ').slice(1).join(' ')]
  const client = sshClient({ host: '127.0.0.1', port: target.port, user: 'agent', hostKeys })
  const ended = await runSsh(client, ['there', 'echo hello; exit 3'])
  t.match({ ...ended, stdout: ended.stdout.toString() }, { code: 3, stdout: 'hello\n', stderr: '' })
})
