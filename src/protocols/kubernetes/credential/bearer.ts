import { RotatedFile } from './file.ts'
import { UpstreamError } from './failure.ts'

/** RFC 6750, section 2.1, `b68token`. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/** The token in a file. */
export function bearerFile(file: string, read: (file: string) => Promise<string>): RotatedFile {
  return new RotatedFile(file, async (named) => {
    const token = (await read(named)).trim()
    if (TOKEN.test(token)) return token
    throw new UpstreamError('upstream.rejected', 'the credential of the sidecar is not a bearer token')
  })
}
