/** The demo's own way to its cluster, past the gate: what puts things there, and says what became of them. */
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { DemoError } from './database.ts'

/** Three seconds on an idle machine. */
const READY_MS = 30_000
const POLL_MS = 100

export interface ClusterApi {
  /** Fails with a {@link DemoError} unless it is done, or was done before. */
  send(method: 'GET' | 'POST' | 'PATCH', path: string, body?: object): Promise<unknown>
  close(): Promise<void>
}

interface Place {
  readonly port: number
  /** The server makes it at its start. */
  readonly ca: string
  readonly token: string
}

/** Waits until the server answers, or `failed` says that it never will. */
export async function connectApi({ port, ca, token }: Place, failed: () => boolean): Promise<ClusterApi> {
  const deadline = Date.now() + READY_MS
  for (;;) {
    // Anew for each try: the certificate may not be whole yet.
    const api = existsSync(ca) ? apiOf(port, readFileSync(ca), token) : null
    if (api !== null && (await answers(api))) return api
    await api?.close()
    if (failed() || Date.now() > deadline) throw new DemoError('the API server did not start')
    await sleep(POLL_MS)
  }
}

async function answers(api: ClusterApi): Promise<boolean> {
  try {
    await api.send('GET', '/readyz')
    return true
  } catch {
    return false
  }
}

function apiOf(port: number, ca: Buffer, token: string): ClusterApi {
  const pool = new Pool(`https://127.0.0.1:${port}`, { connect: { ca } })
  return {
    send: async (method, path, body) => {
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      const { statusCode, body: answer } = await pool.request({
        method,
        path,
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': type }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await answer.text()
      // The server makes namespaces of its own, perhaps before we do.
      if (statusCode >= 300 && statusCode !== 409) throw new DemoError(`the API server answered ${statusCode}: ${text}`)
      return text.startsWith('{') ? (JSON.parse(text) as unknown) : text
    },
    close: () => pool.destroy(),
  }
}
