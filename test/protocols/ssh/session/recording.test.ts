import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { SFTPWrapper } from 'ssh2'
import { ALLOW, deny } from '../../../support/fakes.ts'
import { type RunningSshTarget, startSshTarget } from '../../../support/ssh-target.ts'
import { sharedSshd } from '../../../support/sshd.ts'
import { begun, connectAgent, eventually, exec } from '../client.ts'

t.setTimeout(120_000)
const server = await sharedSshd()
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

function framesOf({ record }: RunningSshTarget, kind: string): string {
  const all = record.frames.filter((frame) => frame.kind === kind)
  return Buffer.concat(all.map(({ data }) => Buffer.from(data))).toString('latin1')
}

t.test('of a command the beginning of its output is recorded, and of all streams length and digest', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const result = await exec(
    client,
    'head -c 100000 /dev/zero | tr "\\0" x; echo no >&2; wc -c >/dev/null; exit 3',
    'secret',
  )
  t.equal(result.stdout.length, 100_000)
  t.equal(framesOf(target, 'output'), 'x'.repeat(64 * 1024))
  t.equal(framesOf(target, 'error'), 'no\n')
  t.equal(framesOf(target, 'input'), '', 'what is typed may be a password')
  t.equal(framesOf(target, 'exit'), '{"status":3}')
  t.same(JSON.parse(framesOf(target, 'marker')), {
    streams: {
      input: { bytes: 6, sha256: sha256('secret') },
      output: { bytes: 100_000, sha256: sha256('x'.repeat(100_000)) },
      error: { bytes: 3, sha256: sha256('no\n') },
    },
  })
  t.match(target.record.outcomes[0]?.outcome, { status: 'failed', code: '3', bytes: 100_003 })
  t.equal(target.record.records.at(-1)?.type, 'outcome', 'the outcome comes after all that was recorded')
  client.end()
})

t.test('at the level full all of every stream is recorded', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  target.policy.rule = () => ({ ...ALLOW, record: 'full' })
  const client = await connectAgent(target)
  await exec(client, 'cat; head -c 200000 /dev/zero | tr "\\0" y', 'typed')
  t.equal(framesOf(target, 'input'), 'typed')
  t.equal(framesOf(target, 'output'), `typed${'y'.repeat(200_000)}`)
  client.end()
})

t.test('with a terminal all that it shows is recorded, with its size and how it ended', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const pty = { term: 'xterm', cols: 90, rows: 30, width: 0, height: 0, modes: {} }
  const line = 'stty size; sleep 1; stty size; head -c 100000 /dev/zero | tr "\\0" z; kill -9 $$'
  const { ended } = begun(
    (done) => client.exec(line, { pty }, done),
    (channel) => channel.once('data', () => channel.setWindow(40, 100, 0, 0)),
  )
  const result = await ended
  t.equal(result.stdout, `30 90\r\n40 100\r\n${'z'.repeat(100_000)}`)
  t.equal(framesOf(target, 'output'), result.stdout)
  t.equal(framesOf(target, 'resize'), '90x30100x40')
  t.equal(framesOf(target, 'exit'), '{"signal":"KILL"}')
  t.equal(result.signal, 'SIGKILL')
  const asked = target.record.decisions.find(({ command }) => command.shape.action === 'pty')
  t.match(asked?.command.shape, { text: 'xterm 90x30', detail: { tty: true, environment: { value: 'xterm' } } })
  client.end()
})

t.test('a terminal that policy does not give is refused, and the command runs without one', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  target.policy.rule = ({ command }) => (command.shape.action === 'pty' ? deny('no.terminals') : ALLOW)
  const client = await connectAgent(target)
  const pty = { term: 'xterm', cols: 90, rows: 30, width: 0, height: 0, modes: {} }
  await t.rejects(begun((done) => client.exec('tty', { pty }, done)).ended, 'the request for it fails')
  t.match(await exec(client, 'tty'), { stdout: 'not a tty\n' })
  client.end()
})

t.test('what can no longer be recorded does not go on', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const result = exec(client, 'echo begun; sleep 0.4; echo unrecorded', null)
  await eventually(() => target.record.frames.length > 0)
  target.record.fail('record.unavailable')
  t.match(await result, { stdout: 'begun\n', code: 126, stderr: /\[record\.unavailable\]/ })
})

t.test('files by sftp are judged one by one, and each is in the transcript with its digest', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const directory = mkdtempSync(join(server.home, 'sftp-'))
  writeFileSync(join(directory, 'down'), 'some content')
  writeFileSync(join(directory, 'hidden'), 'none of it')
  target.policy.rule = ({ command }) =>
    command.shape.detail['path'] === join(directory, 'hidden') ? deny('files.hidden') : ALLOW
  const client = await connectAgent(target)
  const sftp = await new Promise<SFTPWrapper>((resolve, reject) =>
    client.sftp((error, opened) => (error === undefined ? resolve(opened) : reject(error))),
  )
  const read = (path: string) =>
    new Promise<string>((resolve, reject) =>
      sftp.readFile(path, (error, bytes) => (error === undefined ? resolve(bytes.toString()) : reject(error))),
    )
  t.equal(await read(join(directory, 'down')), 'some content')
  await t.rejects(read(join(directory, 'hidden')), /files\.hidden/)
  await new Promise<void>((resolve, reject) =>
    sftp.writeFile(join(directory, 'up'), 'new content', (error) => (error ? reject(error) : resolve())),
  )
  await new Promise<void>((resolve, reject) =>
    sftp.symlink('down', join(directory, 'link'), (error) => (error ? reject(error) : resolve())),
  )
  t.equal(readFileSync(join(directory, 'link'), 'utf8'), 'some content', 'the link and its target are not mistaken')
  t.equal(readFileSync(join(directory, 'up'), 'utf8'), 'new content')
  const frames = () => target.record.frames.filter(({ kind }) => kind === 'transfer')
  await eventually(() => frames().length === 2)
  const [down, up] = frames().map(({ data }) => JSON.parse(data.toString()) as Record<string, unknown>)
  t.match(down, { path: join(directory, 'down'), bytesRead: 12, sha256: sha256('some content') })
  t.match(up, { path: join(directory, 'up'), bytesWritten: 11, sha256: sha256('new content') })
  client.end()
})
