/** paramiko, asyncssh and PuTTY's programs, past the gate and through it. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runClient, type SshClient } from '../../support/ssh-clients.ts'
import { alike, look, sha256 } from './both.ts'
import { startGated } from './gated.ts'

const gated = await startGated(t)
const SCRIPT_MS = 40_000

for (const library of ['paramiko', 'asyncssh']) {
  t.test(`a script with ${library} sees the same: commands, files, channels at once, renewed keys`, async (t) => {
    const found = await alike(t, gated.clients(), library, async ({ address, directory }) => {
      const place = join(directory, 'place')
      mkdirSync(place)
      const { host, port, user, identity = '-' } = address
      const script = join(import.meta.dirname, `with_${library}.py`)
      const args = [script, host, String(port), user, identity, join(directory, 'known_hosts'), place]
      const ended = await runClient('/usr/bin/python3', ['-W', 'ignore', ...args], { ms: SCRIPT_MS })
      t.equal(ended.code, 0, ended.stderr)
      return JSON.parse(ended.stdout.toString() || 'null') as { commands: { status: unknown } } | null
    })
    t.match(found?.commands.status, ['out\n', 'err\n', 17])
  })
}

/** PuTTY has no `known_hosts`: it is told the fingerprint. And it has a format of its own for keys. */
function putty(program: 'plink' | 'psftp' | 'pscp', { address }: SshClient, args: readonly string[], input?: Buffer) {
  const { host, port, user, hostKeys, identity } = address
  const blob = Buffer.from(hostKeys[0]?.split(' ')[1] ?? '', 'base64')
  const fingerprint = `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
  const there = `${user}@${host}`
  const whole = [
    '-batch',
    '-P',
    String(port),
    '-hostkey',
    fingerprint,
    ...(identity === undefined ? [] : ['-i', `${identity}.ppk`]),
    ...(program === 'pscp' ? [] : [there]),
    ...args.map((arg) => arg.replace(/^there:/, `${there}:`)),
  ]
  return runClient(program, whole, { env: { HOME: gated.server.directory }, input: input ?? null })
}

t.test("PuTTY's programs run commands and copy files", async (t) => {
  const { identity = '' } = gated.direct
  const made = await runClient('puttygen', [identity, '-o', `${identity}.ppk`, '-O', 'private'])
  t.equal(made.code, 0, made.stderr)
  const data = randomBytes(2 * 1024 ** 2)
  await alike(t, gated.clients(), 'putty', async (client) => {
    const [here, there] = [join(client.directory, 'here'), join(client.directory, 'there')]
    mkdirSync(there)
    writeFileSync(here, data)
    const batch = join(client.directory, 'batch')
    writeFileSync(
      batch,
      `cd ${there}\nput ${here} put\nmkdir made\nmv put made/moved\nls made\nget made/moved ${here}2\nrm absent\nquit\n`,
    )
    const shown = [
      await putty('plink', client, ['echo out; echo err >&2; exit 17']),
      await putty('plink', client, ['cat'], data),
      await putty('plink', client, ['-T', 'kill -TERM $$']),
      await putty('pscp', client, ['-sftp', here, `there:${there}/by-sftp`]),
      await putty('pscp', client, ['-scp', here, `there:${there}/by-scp`]),
      await putty('pscp', client, ['-scp', `there:${there}/by-scp`, `${here}3`]),
      await putty('psftp', client, ['-b', batch]),
    ].map(look)
    t.match(shown[0], { code: 17, stdout: 'out\n', stderr: 'err\n' })
    const copies = [`${here}2`, `${here}3`, `${there}/by-sftp`, `${there}/by-scp`, `${there}/made/moved`]
    t.same(
      copies.filter((file) => sha256(readFileSync(file)) !== sha256(data)),
      [],
    )
    // Progress and times are never the same twice.
    return shown.map(({ code, stdout }, index) => ({ code, stdout: index < 3 ? stdout : '' }))
  })
})

t.test('the records of all this are whole', async (t) => {
  await gated.check(t)
})
