/** OpenSSH's own client and server: the same results with and without the relay between them. */
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Transfer } from '../../../../src/protocols/ssh/sftp/transfer.ts'

const SFTP = '/usr/bin/sftp'
const SFTP_SERVER = '/usr/lib/openssh/sftp-server'
const skip = existsSync(SFTP) && existsSync(SFTP_SERVER) ? false : 'OpenSSH is not installed'
const GATED = join(import.meta.dirname, 'gated-server.ts')

interface Transcript {
  readonly transfers: readonly Transfer[]
  readonly problems: readonly string[]
  readonly allowed: number
  readonly refused: readonly string[]
  readonly outcomes: number
}

interface Ran {
  readonly code: number
  readonly output: string
  readonly errors: string
}

const root = realpathSync(mkdtempSync(join(tmpdir(), 'sidegate-sftp-')))
t.teardown(() => rmSync(root, { recursive: true, force: true }))
const BIG = randomBytes(3_000_000)

/** A directory with what the batches work on. */
function scene(name: string): string {
  const directory = join(root, name)
  mkdirSync(join(directory, 'tree/deep'), { recursive: true })
  mkdirSync(join(directory, 'forbidden'))
  writeFileSync(join(directory, 'big'), BIG)
  writeFileSync(join(directory, 'tree/a'), 'a')
  writeFileSync(join(directory, 'tree/deep/b é'), 'b')
  writeFileSync(join(directory, 'forbidden/secret'), 'secret')
  symlinkSync('tree', join(directory, 'link'))
  symlinkSync('forbidden', join(directory, 'way'))
  return directory
}

async function run(
  directory: string,
  server: string,
  batch: readonly string[],
  options: readonly string[] = [],
): Promise<Ran> {
  const script = join(root, 'batch')
  writeFileSync(script, `${batch.join('\n')}\n`)
  const child = spawn(SFTP, [...options, '-b', script, '-D', server], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (errors += String(chunk)))
  const [code] = (await once(child, 'close')) as [number]
  return { code, output: output.replaceAll(directory, '<here>'), errors: errors.replaceAll(directory, '<here>') }
}

async function gated(
  directory: string,
  batch: readonly string[],
  options?: readonly string[],
): Promise<Ran & Transcript> {
  const transcript = join(root, 'transcript')
  rmSync(transcript, { force: true })
  const server = [process.execPath, GATED, join(directory, 'forbidden'), transcript].join(' ')
  const ran = await run(directory, server, batch, options)
  for (let left = 200; !existsSync(transcript) && left > 0; left--) await new Promise((done) => setTimeout(done, 20))
  return { ...ran, ...(JSON.parse(readFileSync(transcript, 'utf8')) as Transcript) }
}

function treeOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const name = path.slice(directory.length)
      if (entry.isSymbolicLink()) return `${name} -> ${readlinkSync(path)}`
      const { mode, nlink } = statSync(path)
      const content = entry.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : ''
      return `${name} ${mode.toString(8)} ${nlink} ${content}`
    })
    .sort()
}

const BATCH = [
  'pwd',
  'ls -1 tree',
  'ls -1 tree/../link/deep',
  'ls -1 link',
  'ls -1 link/',
  'ls -1 link/.',
  'cd link',
  'pwd',
  'cd ..',
  'get big fetched',
  'put big sent',
  'put -p fetched tree/deep/kept',
  'get -r tree copy',
  'put -r copy tree/again',
  'mkdir made',
  'rename sent made/moved',
  'rename -l big made/big2',
  'symlink ../tree/a made/sym',
  'ln made/moved made/hard',
  'chmod 600 made/moved',
  'copy made/moved made/copied',
  'ls -1 made',
  '-get nothing',
  '-mkdir made',
  '-rmdir tree',
  'rm tree/deep/kept',
  'mkdir gone',
  'rmdir gone',
  'ls -1 ti*',
  'ls -1 t*e',
]

t.test(
  "OpenSSH's client does the same things with the relay as without, large buffers and small",
  { skip },
  async (t) => {
    for (const options of [[], ['-B', '1000', '-R', '3']]) {
      const name = options.length === 0 ? 'large' : 'small'
      const here = scene(`direct-${name}`)
      const there = scene(`gated-${name}`)
      const direct = await run(here, SFTP_SERVER, BATCH, options)
      const through = await gated(there, BATCH, options)
      t.equal(through.output, direct.output)
      t.equal(through.errors, direct.errors)
      t.equal(through.code, direct.code)
      t.strictSame(treeOf(there), treeOf(here))
      t.strictSame(through.problems, [])
      t.strictSame(through.refused, [])
      t.equal(through.outcomes, through.allowed, 'everything permitted has an outcome')
      t.ok(treeOf(here).length > 15, 'the batch did its work')
    }
  },
)

t.test('the transcript has every transfer with its digest', { skip }, async (t) => {
  const there = scene('digests')
  const { transfers } = await gated(there, ['get big fetched', 'put big sent'])
  const sha256 = createHash('sha256').update(BIG).digest('hex')
  t.match(transfers, [
    { path: join(there, 'big'), bytesRead: BIG.length, bytesWritten: 0, sha256, note: null },
    { path: join(there, 'sent'), bytesRead: 0, bytesWritten: BIG.length, sha256, note: null },
  ])
})

t.test('what leads to a forbidden place is refused by every way, and the client goes on', { skip }, async (t) => {
  const there = scene('forbidden')
  const { code, refused, problems, errors } = await gated(there, [
    '-get forbidden/secret stolen',
    '-get way/secret stolen',
    '-get link/../way/secret stolen',
    '-get tree/../link/../forbidden/../way/secret stolen',
    '-put tree/a way/planted',
    '-rm way/secret',
    '-rename forbidden/secret tree/secret',
    '-ln forbidden/secret tree/hard',
    '-symlink ../../forbidden tree/deep/door',
    '-get tree/deep/door/secret stolen',
    '-ls -1 way/',
    '-chmod 777 way/secret',
    'get tree/a fine',
  ])
  t.equal(code, 0)
  t.strictSame(problems, [])
  t.ok(refused.length >= 11, refused.join('; '))
  t.match(errors, /[Pp]ermission denied/)
  const tree = treeOf(there)
  t.notOk(
    tree.some((line) => /stolen|planted|hard|door|tree\/secret/.test(line)),
    tree.join('\n'),
  )
  t.ok(tree.some((line) => line.startsWith('/fine ')))
})
