/** Secrets come by file, and are read at each use: what is rotated holds at once, and nothing keeps them. */
import { open } from 'node:fs/promises'

/** No password and no token is longer; a wrong path (a device, a log) must not fill the memory. */
const LONGEST_SECRET = 64 * 1024

export class CredentialError extends Error {
  readonly code = 'credential.unreadable'

  constructor(file: string, why: string, cause?: unknown) {
    super(`the secret in ${file} cannot be used: ${why}`, { cause })
    this.name = 'CredentialError'
  }
}

/** The file's text without the one line end that editors and `echo` leave behind. */
export async function readSecret(file: string): Promise<string> {
  const bytes = await contents(file)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw new CredentialError(file, 'it is not UTF-8', error)
  }
  const secret = text.replace(/\r?\n$/, '')
  if (secret === '') throw new CredentialError(file, 'it is empty')
  if (secret.includes('\0')) throw new CredentialError(file, 'it has a NUL within')
  return secret
}

async function contents(file: string): Promise<Buffer> {
  try {
    await using handle = await open(file, 'r')
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(LONGEST_SECRET + 1), 0, LONGEST_SECRET + 1, 0)
    if (bytesRead <= LONGEST_SECRET) return buffer.subarray(0, bytesRead)
  } catch (error) {
    throw new CredentialError(file, error instanceof Error ? error.message : 'it cannot be read', error)
  }
  throw new CredentialError(file, `it is longer than ${LONGEST_SECRET} bytes`)
}
