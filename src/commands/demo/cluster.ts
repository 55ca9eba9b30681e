/**
 * A cluster of the demo's own, where one is at hand: a real API server over etcd, without nodes, since nothing has to run in it. It
 * knows one token, the sidecar's.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ClusterApi, connectApi } from './cluster-api.ts'
import { CLUSTER } from './data.ts'

const HOST = '127.0.0.1'
/** Built by `make kubernetes`; `src` and `dist` lie at the same depth beside it. */
const BUILT = fileURLToPath(new URL('../../../.bin', import.meta.url))
/** What a cluster of the demo is made of, and what its agent uses. */
export interface Programs {
  readonly apiServer: string
  readonly etcd: string
  readonly kubectl: string
}

export interface Cluster {
  readonly port: number
  /** PEM file of the authority that signed the API server's certificate. */
  readonly ca: string
  /** What the API server lets in. */
  readonly token: string
  readonly kubectl: string
  /** Asks the API server itself, past the gate. */
  ask(path: string): Promise<unknown>
  stop(): Promise<void>
}

/** Null where one of them is missing from the folders. */
export function clusterPrograms(
  folders: readonly string[] = [BUILT, ...(process.env['PATH'] ?? '').split(delimiter)],
): Programs | null {
  const [apiServer, etcd, kubectl] = ['kube-apiserver', 'etcd', 'kubectl'].map((name) => findProgram(name, folders))
  return apiServer == null || etcd == null || kubectl == null ? null : { apiServer, etcd, kubectl }
}

function findProgram(name: string, folders: readonly string[]): string | null {
  for (const folder of folders) {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return join(folder, name)
    } catch {
      continue
    }
  }
  return null
}

/** Begins below `base`. */
export async function startCluster(
  base: string,
  programs: Programs,
  ports: { readonly api: number; readonly store: number; readonly peer: number },
): Promise<Cluster> {
  const home = join(base, 'cluster')
  mkdirSync(home, { mode: 0o700 })
  const token = randomBytes(16).toString('hex')
  const store = startStore(programs.etcd, home, ports)
  const server = startServer(programs.apiServer, home, token, ports)
  const stop = async (): Promise<void> => {
    // The other way round the server lingers, waiting for its store.
    await end(server)
    await end(store)
  }
  try {
    const ca = join(home, 'apiserver.crt')
    const api: ClusterApi = await connectApi({ ca, port: ports.api, token }, () => server.exitCode !== null)
    for (const [method, path, body] of CLUSTER) await api.send(method, path, body)
    return {
      port: ports.api,
      ca,
      token,
      kubectl: programs.kubectl,
      ask: (path) => api.send('GET', path),
      stop: async () => {
        await api.close()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function startStore(
  program: string,
  home: string,
  ports: { readonly store: number; readonly peer: number },
): ChildProcess {
  const [client, peer] = [`http://${HOST}:${ports.store}`, `http://${HOST}:${ports.peer}`]
  return start(program, {
    'data-dir': join(home, 'etcd'),
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'unsafe-no-fsync': 'true',
    'log-level': 'error',
  })
}

function startServer(
  program: string,
  home: string,
  token: string,
  ports: { readonly api: number; readonly store: number },
): ChildProcess {
  const file = (name: string, text: string): string => {
    writeFileSync(join(home, name), text, { mode: 0o600 })
    return join(home, name)
  }
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return start(program, {
    'etcd-servers': `http://${HOST}:${ports.store}`,
    'bind-address': HOST,
    'advertise-address': HOST,
    'secure-port': String(ports.api),
    'cert-dir': home,
    'endpoint-reconciler-type': 'none',
    'authorization-mode': 'RBAC',
    'token-auth-file': file('tokens.csv', `${token},sidegate,sidegate,"system:masters"\n`),
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': file('account.pub', publicKey),
    'service-account-signing-key-file': file('account.key', privateKey),
    'service-cluster-ip-range': '10.96.0.0/16',
  })
}

function start(program: string, flags: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(
    program,
    Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    { stdio: 'ignore' },
  )
  // That it does not start shows in that nobody answers.
  child.on('error', () => {})
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  // Nothing in it is to be kept.
  child.kill('SIGKILL')
  await exited
}
