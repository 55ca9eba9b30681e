/** A real API server over a real etcd, on the loopback, with its audit log. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './ports.ts'
import { type Program, removeAtExit, startProgram } from './process.ts'

const BIN = join(import.meta.dirname, '../../.bin')
/** Seconds on a quiet machine: three. */
const READY_MS = 60_000
const READY_POLL_MS = 100
/** What the API server makes by itself, some of it after it says that it is ready: a test would take it for its own doing. */
const MADE_LATER = [
  '/api/v1/namespaces/kube-public',
  '/api/v1/namespaces/kube-node-lease',
  '/api/v1/namespaces/kube-system/configmaps/kube-apiserver-legacy-service-account-token-tracking',
  '/api/v1/namespaces/default/services/kubernetes',
] as const

const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted'],
  rules: [{ level: 'Metadata' }],
}

/** One event of the audit log, as far as tests look at it. */
export interface AuditEvent {
  readonly auditID: string
  readonly stage: string
  readonly requestURI: string
  readonly verb: string
  readonly user: { readonly username: string; readonly groups?: readonly string[] }
  readonly impersonatedUser?: { readonly username: string }
  readonly userAgent?: string
  readonly objectRef?: Readonly<Record<string, string>>
  readonly responseStatus?: { readonly code?: number }
}

export interface Answer {
  readonly status: number
  readonly body: string
}

export interface KubernetesServer {
  readonly port: number
  /** PEM file of the authority of its certificate. */
  readonly caFile: string
  /** Tokens, by the user that they prove. `admin` may do everything, `nobody` nothing. */
  readonly tokens: Readonly<Record<'admin' | 'nobody', string>>
  readonly directory: string
  /** The audit log so far. */
  audit(): readonly AuditEvent[]
  /** Straight to it, as admin unless another token is given. */
  call(
    method: string,
    path: string,
    body?: object | null,
    options?: { token?: string; headers?: object },
  ): Promise<Answer>
  /** A namespace with a service account, as a controller manager would have made it. */
  namespace(name: string): Promise<void>
  stop(): Promise<void>
}

export async function startKubernetes(options: { readonly args?: readonly string[] } = {}): Promise<KubernetesServer> {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-kubernetes-'))
  removeAtExit(directory)
  const etcd = await startEtcd(directory)
  const tokens = { admin: randomUUID(), nobody: randomUUID() }
  const port = await freePort()
  const files = prepare(directory, tokens)
  const server = await startProgram(join(BIN, 'kube-apiserver'), [
    `--etcd-servers=${etcd.url}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${directory}`,
    '--endpoint-reconciler-type=none',
    '--authorization-mode=Node,RBAC',
    '--allow-privileged=true',
    `--token-auth-file=${files.tokens}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${files.serviceAccountPublic}`,
    `--service-account-signing-key-file=${files.serviceAccountKey}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    `--audit-policy-file=${files.auditPolicy}`,
    `--audit-log-path=${files.audit}`,
    '--watch-cache=true',
    ...(options.args ?? []),
  ])
  const caFile = join(directory, 'apiserver.crt')
  const running = {
    port,
    caFile,
    tokens,
    directory,
    audit: () => auditOf(files.audit),
    call: async (
      method: string,
      path: string,
      body: object | null = null,
      given: { token?: string; headers?: object } = {},
    ) =>
      await call(
        { port, caFile, token: given.token ?? tokens.admin, headers: given.headers ?? {} },
        method,
        path,
        body,
      ),
    namespace: async (name: string) => {
      await running.call('POST', '/api/v1/namespaces', { metadata: { name } })
      await running.call('POST', `/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } })
    },
    stop: async () => {
      // The other way round it lingers on its port, waiting for its store.
      await server.stop('SIGKILL')
      await etcd.program.stop('SIGKILL')
    },
  }
  await ready(running, server)
  return running
}

async function startEtcd(directory: string): Promise<{ readonly url: string; readonly program: Program }> {
  const [client, peer] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${client}`
  const program = await startProgram(join(BIN, 'etcd'), [
    `--data-dir=${join(directory, 'etcd')}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-cluster=default=http://127.0.0.1:${peer}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ])
  return { url, program }
}

function prepare(directory: string, tokens: Readonly<Record<string, string>>) {
  const file = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return {
    tokens: file('tokens.csv', `${tokens['admin']},admin,admin,"system:masters"\n${tokens['nobody']},nobody,nobody\n`),
    serviceAccountKey: file('service-account.key', privateKey),
    serviceAccountPublic: file('service-account.pub', publicKey),
    auditPolicy: file('audit-policy.json', JSON.stringify(AUDIT_POLICY)),
    audit: join(directory, 'audit.log'),
  }
}

async function ready(server: Pick<KubernetesServer, 'call'>, program: Program): Promise<void> {
  const deadline = Date.now() + READY_MS
  const awaited: string[] = ['/readyz', ...MADE_LATER]
  for (;;) {
    try {
      while (awaited[0] !== undefined && (await server.call('GET', awaited[0])).status === 200) awaited.shift()
      if (awaited.length === 0) return
    } catch {
      // It does not listen yet.
    }
    if (program.child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`the API server did not become ready:\n${program.stderr().slice(-4_000)}`)
    }
    await sleep(READY_POLL_MS)
  }
}

function auditOf(path: string): AuditEvent[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent)
}

/** One request over TLS that trusts only the given authority. */
export async function call(
  to: { readonly port: number; readonly caFile: string; readonly token: string; readonly headers?: object },
  method: string,
  path: string,
  body: object | null = null,
): Promise<Answer> {
  const bytes = body === null ? null : Buffer.from(JSON.stringify(body))
  return await new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port: to.port,
        ca: readFileSync(to.caFile),
        method,
        path,
        headers: {
          authorization: `Bearer ${to.token}`,
          ...(bytes === null ? {} : { 'content-type': 'application/json', 'content-length': bytes.length }),
          ...to.headers,
        },
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
        response.on('error', reject)
      },
    )
    request.on('error', reject)
    request.end(bytes)
  })
}
