/** An SSH target as an operator sets it up, and the kill switch as an operator uses it. */
import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { SessionStatus } from '../../src/commands/run/sessions.ts'
import type { StoredRecord } from '../../src/record/records.ts'
import { ssh, sshClient } from '../support/ssh-clients.ts'
import { startSshd } from '../support/sshd.ts'
import { operated } from './operated.ts'
import { until } from './sidecar.ts'

t.setTimeout(90_000)

t.test(
  'an SSH target is checked, run, listed, and its running and idle sessions are ended by an operator',
  async (t) => {
    const server = await startSshd()
    t.teardown(() => server.stop())
    chmodSync(server.client.file, 0o600)
    const target = `  host:
    protocol: ssh
    upstream: { host: ${server.host}, port: ${server.port}, knownHostsFile: hosts }
    agent: { authenticate: none, knownHosts: line }
    credential: { user: "${server.user}", privateKeyFile: "${server.client.file}" }`
    const hosts = server.hostKeys.map((key) => `[${server.host}]:${server.port} ${key}\n`).join('')
    const { base, port, sidegate, start, records } = await operated(t, target, { hosts })
    const checked = await sidegate('run', '--check')
    t.equal(checked.code, 0, checked.stderr)
    t.match(
      checked.stdout,
      `hosts, 3 lines, of which for [${server.host}]:${server.port}: 3 keys, 0 authorities, 0 revoked`,
    )
    t.match(checked.stdout, /credential +login \S+, the key in \S+, ssh-ed25519 SHA256:/)

    const program = await start()
    t.match((await sidegate('status')).stdout, `known_hosts  ${readFileSync(join(base, 'line'), 'utf8').trim()}`)
    // The agent knows the sidecar by the line alone.
    const address = { host: '127.0.0.1', port, user: 'agent', hostKeys: [] }
    const client = sshClient(address, { UserKnownHostsFile: join(base, 'line') })
    const list = async () => JSON.parse((await sidegate('sessions', 'list', '--json')).stdout) as SessionStatus[]

    const running = ssh(client, ['there', 'echo begun; sleep 4711'])
    await until(async () => (await list()).some(({ usage }) => usage.commands === 1))
    const sleeps = () => server.descendants().some((pid) => commandOf(pid) === 'sleep 4711')
    await until(sleeps)
    const idle = ssh(client, ['-N', 'there'])
    await until(async () => (await list()).length === 2)
    const third = ssh(client, ['there', 'cat'], { input: 'goes on\n' })
    const sessions = await list()
    t.match(sessions[0], { target: 'host', protocol: 'ssh', usage: { commands: 1 }, ending: false })
    for (const [index, reason] of ['a job that hangs', 'nobody is there'].entries()) {
      const { code, stderr } = await sidegate('sessions', 'end', sessions[index]?.id ?? '', '--reason', reason)
      t.equal(code, 0, stderr)
    }
    const ended = await running
    t.match(ended.stderr, /^sidegate: an operator ended the session \[session\.ended\]/m)
    t.equal(ended.stdout.toString(), 'begun\n', 'what had come before is there')
    t.equal(ended.code, 126)
    t.equal((await idle).code, 255, 'its connection is closed')
    t.match(await third, { code: 0, stdout: Buffer.from('goes on\n') })
    await until(() => !sleeps())
    t.match((await sidegate('sessions', 'list')).stdout, 'no session is open')

    await program.stop('SIGTERM')
    const stored = await records()
    const reason = (id: string | undefined) =>
      stored.flatMap((record) => (record.type === 'session-end' && record.session === id ? [record.reason] : []))
    t.same(reason(sessions[0]?.id), ['session.ended: a job that hangs'])
    t.same(reason(sessions[1]?.id), ['session.ended: nobody is there'])
    const settled = (type: StoredRecord['type']) => stored.filter((record) => record.type === type).length
    t.equal(settled('outcome'), settled('decision'), 'every permit is settled')
  },
)

/** Empty for a process that is gone. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()
  } catch {
    return ''
  }
}
