import { readFile, stat } from 'node:fs/promises'
import { createLocalJWKSet, createRemoteJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { IdentityError } from './errors.ts'

export type Keys = JWTVerifyGetKey

/** How often a file of keys is looked at for a change. */
const FILE_LIFE = 1_000
/** An issuer that does not answer in this time is away; the agent waits meanwhile. */
const FETCH_TIMEOUT = 3_000
/** Keys that were fetched are used for this long, and fetched again earlier when a key is missing. */
const FETCH_LIFE = 600_000

/** The keys of an issuer. A file must be readable now and is read again when it changes; an address is fetched when needed. */
export async function keySet(source: { readonly file: string } | { readonly url: string }): Promise<Keys> {
  if ('url' in source) {
    return createRemoteJWKSet(new URL(source.url), { timeoutDuration: FETCH_TIMEOUT, cacheMaxAge: FETCH_LIFE })
  }
  return await fileKeys(source.file)
}

async function fileKeys(file: string): Promise<Keys> {
  let changed = await changeOf(file)
  let keys = await read(file)
  let lookedAt = Date.now()
  return async (header, token) => {
    if (Date.now() - lookedAt > FILE_LIFE) {
      lookedAt = Date.now()
      const now = await changeOf(file)
      // Keys that can no longer be read verify nothing: withdrawing the file must not keep them alive.
      if (now !== changed) [keys, changed] = [await read(file), now]
    }
    return await keys(header, token)
  }
}

async function changeOf(file: string): Promise<string> {
  try {
    const { ino, mtimeMs, size } = await stat(file)
    return `${ino}:${mtimeMs}:${size}`
  } catch (error) {
    throw new IdentityError('identity.keys', `the keys in ${file} cannot be read`, error)
  }
}

async function read(file: string): Promise<Keys> {
  try {
    return createLocalJWKSet(JSON.parse(await readFile(file, 'utf8')) as JSONWebKeySet)
  } catch (error) {
    throw new IdentityError('identity.keys', `the keys in ${file} are no JSON Web Key Set`, error)
  }
}
