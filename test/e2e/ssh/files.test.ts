/** scp, sftp, rsync and git, past the gate and through it: what they copy, what they print, what is on the host after. */
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  lstatSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Ended, runClient, type SshClient } from '../../support/ssh-clients.ts'
import { alike, brief, look } from './both.ts'
import { startGated } from './gated.ts'

const MiB = 1024 ** 2
const gated = await startGated(t)

/** Everything below a directory: names, modes, content. */
function tree(directory: string, below = ''): string[] {
  return readdirSync(join(directory, below), { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(below, entry.name)
      const whole = join(directory, path)
      if (entry.isSymbolicLink()) return [`${path} -> ${readlinkSync(whole)}`]
      const mode = (lstatSync(whole).mode & 0o7777).toString(8)
      return entry.isDirectory()
        ? [`${path}/ ${mode}`, ...tree(directory, path)]
        : [`${path} ${mode} ${brief(readFileSync(whole))}`]
    })
}

/** Files of all kinds to be copied. */
function fill(directory: string, content: Buffer): void {
  mkdirSync(join(directory, 'deep/deeper'), { recursive: true })
  mkdirSync(join(directory, 'empty'))
  writeFileSync(join(directory, 'large'), content)
  writeFileSync(join(directory, 'nothing'), '')
  writeFileSync(join(directory, 'program'), '#!/bin/sh\n')
  chmodSync(join(directory, 'program'), 0o750)
  utimesSync(join(directory, 'program'), 1_000_000_000, 1_000_000_000)
  writeFileSync(join(directory, 'deep/name with spaces, "quotes" and ünïcödé'), 'one')
  writeFileSync(join(directory, 'deep/deeper/file'), 'two')
  writeFileSync(join(directory, 'deep/deeper/-dash'), 'three')
  symlinkSync('deeper/file', join(directory, 'deep/link'))
}

/** A place on the host and one beside the client, both the client's own. */
function places({ directory }: SshClient, name: string): { there: string; here: string } {
  const [there, here] = [join(directory, name, 'there'), join(directory, name, 'here')]
  for (const path of [there, here]) mkdirSync(path, { recursive: true })
  return { there, here }
}

/** What a program said, wherever it ran. */
function said(ended: Ended, { directory }: SshClient): ReturnType<typeof look> {
  const { stdout, stderr, ...rest } = ended
  const anywhere = (text: string) => text.replaceAll(directory, '/PLACE')
  return look({ ...rest, stdout: Buffer.from(anywhere(stdout.toString())), stderr: anywhere(stderr) })
}

for (const [mode, flags] of Object.entries({ 'its own protocol (-O)': ['-O'], sftp: [] })) {
  t.test(`scp copies files and directories both ways by ${mode}`, async (t) => {
    const content = randomBytes(3 * MiB)
    await alike(t, gated.clients(), mode, async (client) => {
      const { there, here } = places(client, `scp${flags.join('')}`)
      fill(join(here, 'from'), content)
      const scp = (...args: string[]) => runClient('scp', [...flags, '-F', client.config, ...args])
      const up = await scp('-rp', join(here, 'from'), `there:${there}/up`)
      const down = await scp('-r', `there:${there}/up`, join(here, 'down'))
      const one = await scp(`there:${there}/up/deep/deeper/file`, join(here, 'one'))
      const absent = await scp(`there:${there}/absent`, here)
      const denied = await scp(join(here, 'one'), `there:${there}/no/such/directory`)
      t.equal(up.code, 0, up.stderr)
      t.equal(down.code, 0, down.stderr)
      t.not(absent.code, 0)
      return {
        said: [up, down, one, absent, denied].map((ended) => said(ended, client)),
        there: tree(there),
        here: tree(here),
      }
    })
  })
}

t.test('scp copies from the host to the host, and by way of the client', async (t) => {
  await alike(t, gated.clients(), 'third party', async (client) => {
    const { there } = places(client, 'third')
    writeFileSync(join(there, 'a'), 'content')
    const ended = await runClient('scp', ['-3', '-F', client.config, `there:${there}/a`, `there:${there}/b`])
    return { said: said(ended, client), there: tree(there) }
  })
})

const BATCH = `pwd
mkdir made
put large
put -p program made/program
put -r deep
ls -1
ls -ln made
cd made
rename program renamed
ln -s renamed link
ln renamed hard
chmod 640 renamed
ls -1
get renamed fetched
-get absent
-rm absent
-rmdir ../deep
cd ..
get -r deep got
-mkdir made
rm made/link
rm made/hard
rm made/renamed
rmdir made
put partial upper
reput large upper
reget large partial
!echo local
version
ls -1 .
bye
`

t.test('a batch of sftp does what it does past the gate', async (t) => {
  const content = randomBytes(2 * MiB)
  await alike(t, gated.clients(), 'sftp', async (client) => {
    const { there, here } = places(client, 'sftp')
    fill(here, content)
    writeFileSync(join(here, 'partial'), content.subarray(0, MiB))
    const batch = join(client.directory, 'batch')
    writeFileSync(batch, `cd ${there}\n${BATCH}`)
    const ended = await runClient('sftp', ['-q', '-F', client.config, '-b', batch, 'there'], { cwd: here })
    t.equal(ended.code, 0, ended.stderr)
    return { said: said(ended, client), there: tree(there), here: tree(here) }
  })
})

t.test('sftp tells how full the disk is', async (t) => {
  const [, through] = gated.clients()
  const { there } = places(through, 'df')
  const batch = join(through.directory, 'df-batch')
  writeFileSync(batch, `df ${there}\n`)
  const ended = await runClient('sftp', ['-q', '-F', through.config, '-b', batch, 'there'])
  t.match(ended, { code: 0, stderr: '' })
  t.match(ended.stdout.toString(), /Size +Used +Avail/)
})

/** A gigabyte takes its time: `make test-slow` gives it. */
const SLOW = process.env['SIDEGATE_SLOW'] !== undefined

t.test('large files go up and down by sftp, through renewed keys too', async (t) => {
  const content = randomBytes((SLOW ? 1000 : 50) * MiB)
  const [, through] = gated.clients({ RekeyLimit: SLOW ? '100M' : '10M' })
  const { there, here } = places(through, 'large')
  writeFileSync(join(here, 'large'), content)
  const batch = join(through.directory, 'large-batch')
  writeFileSync(batch, `put ${here}/large ${there}/large\nget ${there}/large ${here}/back\n`)
  const ended = await runClient('sftp', ['-q', '-F', through.config, '-b', batch, 'there'], { ms: 120_000 })
  t.match(ended, { code: 0, stderr: '' })
  t.ok(readFileSync(join(there, 'large')).equals(content), 'the upload is whole')
  t.ok(readFileSync(join(here, 'back')).equals(content), 'the download is whole')
})

t.test('rsync brings a tree up to date, both ways, and deletes what is gone', async (t) => {
  const content = randomBytes(2 * MiB)
  await alike(t, gated.clients(), 'rsync', async (client) => {
    const { there, here } = places(client, 'rsync')
    fill(here, content)
    const rsync = (...args: string[]) => runClient('rsync', ['-e', client.command, ...args])
    const up = await rsync('-a', '--delete', `${here}/`, `there:${there}/`)
    const first = tree(there)
    content.copy(content, 1000, 0, 500)
    writeFileSync(join(here, 'large'), content)
    writeFileSync(join(there, 'extra'), 'to be deleted')
    const again = await rsync('-az', '--delete', '--checksum', `${here}/`, `there:${there}/`)
    const second = tree(there)
    const down = await rsync('-a', '--delete', `there:${there}/`, `${here}/`)
    const absent = await rsync('-a', `there:${there}/absent`, `${here}/`)
    for (const ended of [up, again, down]) t.equal(ended.code, 0, ended.stderr)
    t.notOk(second.some((line) => line.startsWith('extra')))
    return { said: [up, again, down, absent].map((ended) => said(ended, client)), first, second, here: tree(here) }
  })
})

/** Commits are the same whoever makes them, and whenever. */
const GIT_ENV = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'agent',
  GIT_AUTHOR_EMAIL: 'agent@example.com',
  GIT_COMMITTER_NAME: 'agent',
  GIT_COMMITTER_EMAIL: 'agent@example.com',
  GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z',
  GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z',
}

t.test('git clones, pushes and fetches', async (t) => {
  const content = randomBytes(MiB)
  await alike(t, gated.clients(), 'git', async (client) => {
    const { there, here } = places(client, 'git')
    const env = { ...GIT_ENV, GIT_SSH_COMMAND: client.command, GIT_SSH_VARIANT: 'ssh' }
    const said: unknown[] = []
    const git = async (...args: string[]) => {
      const ended = await runClient('git', args, { cwd: here, env })
      t.equal(ended.code, 0, `${args.join(' ')}: ${ended.stderr}`)
      said.push(ended.stdout.toString().replaceAll(client.directory, '/PLACE'))
    }
    const at = `there:${there}/one.git`
    await git('init', '-q', '--bare', '-b', 'main', `${there}/one.git`)
    await git('clone', '-q', at, 'clone')
    writeFileSync(join(here, 'clone/file'), content)
    await git('-C', 'clone', 'add', '.')
    await git('-C', 'clone', 'commit', '-q', '-m', 'first')
    await git('-C', 'clone', 'push', '-q', 'origin', 'HEAD:main')
    await git('clone', '-q', '-b', 'main', at, 'other')
    writeFileSync(join(here, 'other/file2'), 'two')
    await git('-C', 'other', 'add', '.')
    await git('-C', 'other', 'commit', '-q', '-m', 'second')
    await git('-C', 'other', 'push', '-q', 'origin', 'HEAD:main', 'HEAD:refs/heads/side')
    await git('-C', 'clone', 'fetch', '-q', 'origin')
    await git('-C', 'clone', 'log', '--format=%H %s', 'origin/main')
    await git('ls-remote', at)
    await git('-c', 'protocol.version=0', 'ls-remote', at)
    const absent = await runClient('git', ['ls-remote', `there:${there}/absent.git`], { cwd: here, env })
    t.equal(absent.code, 128)
    return { said, size: statSync(join(here, 'other/file')).size }
  })
})

t.test('the records of all this are whole', async (t) => {
  await gated.check(t)
})
