import { existsSync } from 'node:fs'
import t from 'tap'
import { ssh, sshClient } from './ssh-clients.ts'
import { makeSshKey, signSshKey } from './ssh-keys.ts'
import { startSshd } from './sshd.ts'

t.test('A test has an sshd of its own, which knows its keys only and leaves nothing behind', async (t) => {
  const server = await startSshd()
  t.teardown(() => server.stop())
  const client = sshClient({ ...server, identity: server.client.file })
  const done = await ssh(client, ['there', 'echo "$HOME"; echo to stderr >&2; exit 3'])
  t.match(done, { code: 3, stderr: 'to stderr\n' })
  t.equal(done.stdout.toString(), `${server.home}\n`)
  t.match(server.log(), 'Accepted publickey')
  const stranger = await makeSshKey(`${client.directory}/stranger`)
  t.match(await ssh(sshClient({ ...server, identity: stranger.file }), ['there', 'true']), {
    code: 255,
    stderr: /Permission denied/,
  })
  const running = ssh(client, ['there', 'echo runs; sleep 60'])
  while (server.descendants().length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await server.stop()
  t.equal((await running).code, 255)
  t.notOk(existsSync(server.directory))
})

t.test('An sshd shows a certificate of its host, and takes certificates of users', async (t) => {
  const server = await startSshd({ hostCertificate: ['there.test'], sftp: 'external' })
  t.teardown(() => server.stop())
  const key = await makeSshKey(`${server.directory}/certified`)
  const certificate = await signSshKey(server.authority.file, key, { principals: [server.user] })
  const client = sshClient(
    { ...server, hostKeys: [], identity: key.file },
    {
      CertificateFile: certificate,
      HostKeyAlias: 'there.test',
      KnownHostsCommand: `/bin/echo @cert-authority there.test ${server.hostAuthority.line}`,
    },
  )
  t.match(await ssh(client, ['there', 'exit 4']), { code: 4, stderr: '' })
  t.match(server.log(), /Accepted publickey for .* CA /)
})
