import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { BundleError } from './errors.ts'

/** The files of a bundle by their names, without a leading slash. */
export type BundleFiles = ReadonlyMap<string, Buffer>

/** A bundle is a module of some hundred KiB, its sources and its data. */
const MAX_ARCHIVE_BYTES = 32 * 1024 ** 2
const MAX_FILE_BYTES = 32 * 1024 ** 2
const MAX_TOTAL_BYTES = 64 * 1024 ** 2
const MAX_FILES = 2_000
/** Tar adds at most two blocks and padding to each file, and extended headers for long names. */
const MAX_TAR_BYTES = MAX_TOTAL_BYTES + MAX_FILES * 4096

/** Where the kubelet keeps the current version of a mounted ConfigMap or Secret; the names beside it lead through it. */
const KUBERNETES_DATA = '..data'

const malformed = (message: string, cause?: unknown) => new BundleError('bundle.malformed', message, cause)

/** Reads a bundle from a directory or a gzipped tar archive. Everything is in memory before any of it is believed. */
export async function readBundle(path: string): Promise<BundleFiles> {
  try {
    return (await stat(path)).isDirectory() ? await readDirectory(path) : await readArchive(path)
  } catch (error) {
    if (error instanceof BundleError) throw error
    throw new BundleError('bundle.unreadable', `${path} cannot be read: ${messageOf(error)}`, error)
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

async function readArchive(path: string): Promise<BundleFiles> {
  if ((await stat(path)).size > MAX_ARCHIVE_BYTES) throw malformed('the archive is larger than a bundle may be')
  return unpack(await readFile(path))
}

export async function unpack(archive: Uint8Array): Promise<BundleFiles> {
  let tar: Buffer
  try {
    tar = await promisify(gunzip)(archive, { maxOutputLength: MAX_TAR_BYTES })
  } catch (error) {
    throw malformed(`the archive is not gzip, is cut short, or is too large: ${messageOf(error)}`, error)
  }
  try {
    return await unpackTar(tar)
  } catch (error) {
    throw error instanceof BundleError ? error : malformed(`the archive is not tar: ${messageOf(error)}`, error)
  }
}

async function unpackTar(tar: Buffer): Promise<BundleFiles> {
  const entries = extract()
  const collected = new Collector()
  entries.end(tar)
  for await (const entry of entries) {
    const { type, size } = entry.header
    const name = nameOf(entry.header.name)
    if (type !== 'file')
      throw malformed(`${name} is a ${type ?? 'thing of unknown type'}; only regular files may be there`)
    collected.announce(name, size)
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    const content = Buffer.concat(chunks)
    if (content.length !== size) throw malformed(`${name} is cut short`)
    collected.add(name, content)
  }
  return collected.files
}

async function readDirectory(path: string): Promise<BundleFiles> {
  const mounted = join(path, KUBERNETES_DATA)
  const root = await realpath((await exists(mounted)) ? mounted : path)
  const collected = new Collector()
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  for (const entry of entries.sort((a, b) => join(a.parentPath, a.name).localeCompare(join(b.parentPath, b.name)))) {
    if (entry.isDirectory()) continue
    const file = join(entry.parentPath, entry.name)
    const name = nameOf(file.slice(root.length))
    if (!entry.isFile()) throw malformed(`${name} is not a regular file`)
    collected.announce(name, (await lstat(file)).size)
    collected.add(name, await readFile(file))
  }
  return collected.files
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** OPA strips one leading slash and nothing else; every other unusual name is refused rather than interpreted. */
function nameOf(raw: string): string {
  const name = raw.startsWith('/') ? raw.slice(1) : raw
  const unusual = name.split('/').some((part) => part === '' || part === '.' || part === '..')
  if (unusual || /[\\\p{Cc}]/u.test(name) || !name.isWellFormed()) {
    throw malformed(`a file has the name ${JSON.stringify(raw)}; names are plain relative paths`)
  }
  return name
}

class Collector {
  readonly files = new Map<string, Buffer>()
  #total = 0

  /** Says what comes, so that it is refused before it is held. */
  announce(name: string, size: number): void {
    if (this.files.has(name)) throw malformed(`${name} is there twice`)
    if (this.files.size >= MAX_FILES) throw malformed(`there are more than ${MAX_FILES} files`)
    if (size > MAX_FILE_BYTES) throw malformed(`${name} is larger than a file of a bundle may be`)
    this.#total += size
    if (this.#total > MAX_TOTAL_BYTES) throw malformed('the files together are larger than a bundle may be')
  }

  add(name: string, content: Buffer): void {
    this.files.set(name, content)
  }
}
