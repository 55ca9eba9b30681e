/** A target before an API server that the test plays, and one agent's connection. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { RawHttp } from '../../support/kubernetes-raw.ts'
import { startKubernetesTarget } from '../../support/kubernetes-target.ts'
import { createAuthority } from '../../support/tls.ts'

const authority = createAuthority()
const certificate = authority.issue()

/** `times` is how often it was asked, this time included. */
export type Serve = (request: IncomingMessage, response: ServerResponse, times: number) => void

export const answered: Serve = (_request, response) => void response.end('{}')

export async function place(t: Test, serve: Serve, options: Parameters<typeof startKubernetesTarget>[1] = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-place-'))
  const caFile = join(directory, 'api.pem')
  writeFileSync(caFile, authority.cert)
  const asked: string[] = []
  const api = createServer({ ...certificate }, (request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`)
    request.resume().on('end', () => serve(request, response, asked.length))
  })
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve))
  const tokens = { admin: 'first', nobody: 'nobody' }
  const target = await startKubernetesTarget({ port: (api.address() as AddressInfo).port, caFile, tokens }, options)
  const agent = await RawHttp.connect(target)
  t.teardown(async () => {
    agent.close()
    await target.close()
    api.closeAllConnections()
    api.close()
    rmSync(directory, { recursive: true })
  })
  return { asked, target, agent }
}
