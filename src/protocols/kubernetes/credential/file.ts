/** A file that is replaced now and then: looked at before each use, read only when it changed. */
import { statSync } from 'node:fs'

/** Some file systems keep time by the second or two: what was changed so lately may change again unseen. */
const UNSETTLED_MS = 2_000

/** What tells two states of a file apart. Null where it cannot be told: it is gone, or was changed a moment ago. */
export function stampOf(file: string): string | null {
  try {
    // Projected volumes come by a symbolic link that is turned to another folder: the inode tells.
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(file)
    if (Math.abs(Date.now() - ctimeMs) < UNSETTLED_MS) return null
    return `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`
  } catch {
    return null
  }
}

export class RotatedFile {
  readonly #file: string
  readonly #read: (file: string) => Promise<string>
  #known: { readonly stamp: string | null; readonly text: string } = { stamp: null, text: '' }

  /** `read` fails with a coded error where the file cannot be used. */
  constructor(file: string, read: (file: string) => Promise<string>) {
    this.#file = file
    this.#read = read
  }

  /** At once where the file is as it was. What is gone is not remembered: withdrawing a file withdraws what it held. */
  current(): string | Promise<string> {
    const { stamp, text } = this.#known
    return stamp !== null && stamp === stampOf(this.#file) ? text : this.reread()
  }

  async reread(): Promise<string> {
    // The stamp of before: a file that is replaced meanwhile is read once more.
    const stamp = stampOf(this.#file)
    this.#known = { stamp: null, text: '' }
    const text = await this.#read(this.#file)
    this.#known = { stamp, text }
    return text
  }
}
