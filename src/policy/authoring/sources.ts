import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isTest, type Source } from '../combiner.ts'
import { AuthoringError, type Finding } from './findings.ts'

/** What policies are checked against is part of the package, three levels up from here in `src` and in `dist`. */
const REGO = fileURLToPath(new URL('../../../rego/', import.meta.url))
export const SCHEMAS = join(REGO, 'schemas')
export const CAPABILITIES = join(REGO, 'capabilities.json')

/** The folder of a build that holds Sidegate's own Rego; authors cannot have one of that name. */
const OWN_FOLDER = 'sidegate'

/** A policy is written by people: more files than this is a mistake, such as the root folder. */
const MAX_FILES = 2_000
/** OPA reads a policy whole; the largest data that it is good for is far smaller. */
const MAX_BYTES = 64 * 1024 ** 2

export interface Sources {
  /** Rules, without tests. Sorted by path, as all here. */
  readonly rules: readonly Source[]
  readonly tests: readonly Source[]
  /** Every `data.json`; its folder is its path in `data`. */
  readonly data: readonly Source[]
}

/** What an author's folder holds. Files other than `*.rego` and `data.json` are not part of a policy. */
export function readSources(folder: string): Sources {
  const files = listFiles(folder)
  const findings = files.flatMap((path) => misplaced(path))
  if (findings.length > 0)
    throw new AuthoringError('policy.files', 'the folder holds what no policy can have', findings)
  const read = (wanted: (path: string) => boolean): Source[] =>
    files.filter(wanted).map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }))
  return {
    rules: read((path) => path.endsWith('.rego') && !isTest(path)),
    tests: read(isTest),
    data: read((path) => basename(path) === 'data.json'),
  }
}

function misplaced(path: string): Finding[] {
  const at = { file: path, line: 0 }
  if (path.startsWith(`${OWN_FOLDER}/`)) {
    return [{ ...at, code: 'policy.reserved', message: 'a folder `sidegate` is reserved', remedy: 'rename the folder' }]
  }
  if (/^data\.ya?ml$/.test(basename(path))) {
    return [{ ...at, code: 'policy.data', message: 'data is not read from YAML', remedy: 'write it as data.json' }]
  }
  return []
}

/** Regular files, hidden ones left out, sorted by the bytes of their path. */
function listFiles(folder: string): readonly string[] {
  const entries = entriesOf(folder).filter((entry) => !entry.name.startsWith('.') && !hidden(entry.parentPath, folder))
  const links = entries.filter((entry) => entry.isSymbolicLink()).map((entry) => join(entry.parentPath, entry.name))
  if (links.length > 0) throw new AuthoringError('policy.files', `a policy cannot hold links: ${links.join(', ')}`)
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const bytes = files.reduce((sum, path) => sum + statSync(path).size, 0)
  if (files.length > MAX_FILES || bytes > MAX_BYTES) {
    throw new AuthoringError(
      'policy.files',
      `${folder} holds ${files.length} files and ${bytes} bytes: too much for a policy`,
    )
  }
  return files
    .map((path) => path.slice(join(folder, sep).length).replaceAll(sep, '/'))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
  } catch (error) {
    throw new AuthoringError('policy.files', `${folder} cannot be read as a folder`, [], error)
  }
}

const hidden = (path: string, root: string): boolean =>
  path
    .slice(root.length)
    .split(sep)
    .some((part) => part.startsWith('.') && part !== '.')
