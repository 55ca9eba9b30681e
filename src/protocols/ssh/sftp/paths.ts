/**
 * Paths as they are judged: absolute, without `.`, `..` and doubled slashes. That is arithmetic on the text alone; what links
 * make of it, only the upstream host can say (resolution.ts).
 */
import { isUtf8 } from 'node:buffer'

/** `PATH_MAX` of Linux: no system call there takes a longer one. */
export const LONGEST_PATH = 4096

/** A string of the agent's that can be judged: UTF-8, so that it has one reading, and without the NUL that ends it early in C. */
export function textOf(bytes: Buffer): string | null {
  return isUtf8(bytes) && !bytes.includes(0) ? bytes.toString('utf8') : null
}

/** The path in its one form; a relative one begins at `base`, as does the empty one. `base` has that form itself. */
export function canonical(base: string, text: string): string {
  const parts = text.startsWith('/') ? [] : partsOf(base)
  for (const part of text.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

/** A relative path without `.`, doubled slashes, and `..` behind a name: what is left of those stands in front. */
export function canonicalRelative(text: string): string {
  const parts: string[] = []
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else parts.push(part)
  }
  return parts.length === 0 ? '.' : parts.join('/')
}

/** The directory and the name in it; the root's own name is empty. */
export function split(path: string): { readonly directory: string; readonly name: string } {
  const at = path.lastIndexOf('/')
  return { directory: at === 0 ? '/' : path.slice(0, at), name: path.slice(at + 1) }
}

/** What lies below a directory; the directory itself where the rest is empty. */
export function below(directory: string, rest: string): string {
  if (rest === '') return directory
  return directory === '/' ? `/${rest}` : `${directory}/${rest}`
}

function partsOf(path: string): string[] {
  return path === '/' ? [] : path.slice(1).split('/')
}
