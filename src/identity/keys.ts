import { readFile, stat } from 'node:fs/promises'
import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { IdentityError } from './errors.ts'

export type Keys = JWTVerifyGetKey

/** An issuer that does not answer in this time is away; the agent waits meanwhile. */
const FETCH_TIMEOUT = 3_000
/** Keys that were fetched are used for this long, and fetched again earlier when a key is missing. */
const FETCH_LIFE = 600_000

/** The keys of an issuer. A file must be readable now and is read again when it changes; an address is fetched when needed. */
export async function keySet(source: { readonly file: string } | { readonly url: string }): Promise<Keys> {
  return 'url' in source ? fetchedKeys(new URL(source.url)) : await fileKeys(source.file)
}

/** Over plain HTTP anyone on the way could put in a key of their own. */
const trustworthy = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))

function fetchedKeys(url: URL): Keys {
  if (!trustworthy(url)) throw new IdentityError('identity.keys', `keys are fetched by https, not from ${url.origin}`)
  const keys = createRemoteJWKSet(url, { timeoutDuration: FETCH_TIMEOUT, cacheMaxAge: FETCH_LIFE })
  return async (header, token) => {
    try {
      return await keys(header, token)
    } catch (error) {
      // That no key fits is the token's fault; everything else is the issuer's.
      const ours = error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys
      if (ours || error instanceof errors.JOSENotSupported) throw error
      throw new IdentityError('identity.keys', `the keys at ${url.origin} cannot be fetched`, error)
    }
  }
}

async function fileKeys(file: string): Promise<Keys> {
  let changed = await changeOf(file)
  let keys = await read(file)
  return async (header, token) => {
    // Keys that can no longer be read verify nothing: withdrawing the file must not keep them alive.
    const now = await changeOf(file)
    if (now !== changed) [keys, changed] = [await read(file), now]
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
