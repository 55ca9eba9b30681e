import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type BundleFiles, readBundle } from './archive.ts'
import { digestOf } from './bundle.ts'
import { BundleError } from './errors.ts'

/** Where a bundle comes from, as `policy.bundle` in the configuration. */
export type BundlePlace =
  | { readonly file: string; readonly key: string }
  | { readonly file: string; readonly allowUnsigned: true }

export interface FoundBundle {
  readonly files: BundleFiles
  /** Null where the configuration says `allowUnsigned`. */
  readonly keyText: string | null
  /** Of the files and of the key: another key is another bundle, to be verified anew. */
  readonly digest: string
}

export async function readPlace(place: BundlePlace): Promise<FoundBundle> {
  const keyText = 'key' in place ? await readKey(place.key) : null
  const files = await readBundle(place.file)
  return { files, keyText, digest: `${digestOf(files)}\n${keyText ?? ''}` }
}

/** What has to be watched. */
export function pathsOf(place: BundlePlace): readonly string[] {
  return [place.file, ...('key' in place ? [place.key] : [])].map((path) => resolve(path))
}

async function readKey(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new BundleError('bundle.unreadable', `the key ${path} cannot be read`, error)
  }
}
