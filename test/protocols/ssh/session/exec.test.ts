import t from 'tap'
import { sshClient, ssh as runSsh } from '../../../support/ssh-clients.ts'
import { startSshTarget } from '../../../support/ssh-target.ts'
import { sharedSshd } from '../../../support/sshd.ts'
import { connectAgent, exec } from '../client.ts'

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
  const client = sshClient(target.address)
  const ended = await runSsh(client, ['there', 'echo hello; exit 3'])
  t.match({ ...ended, stdout: ended.stdout.toString() }, { code: 3, stdout: 'hello\n', stderr: '' })
})
