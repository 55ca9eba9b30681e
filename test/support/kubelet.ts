/** A node for the API server of a test: the stand-in kubelet, which runs this machine's programs in place of containers. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KubernetesServer } from './kubernetes.ts'
import { removeAtExit, startProgram } from './process.ts'
import { createAuthority } from './tls.ts'

const BIN = join(import.meta.dirname, '../../.bin/stand-in-kubelet')
const NODE_NAME = 'node-1'

export interface Kubelet {
  readonly port: number
  /** What the API server is to be started with, so that it reaches the kubelet and proves who it is. */
  readonly args: readonly string[]
  /** A container's directory, where its programs run. */
  directory(namespace: string, pod: string, container: string): string
  /** The file that is a container's log. */
  log(namespace: string, pod: string, container: string): string
  /** Tells the API server of the node. */
  register(server: Pick<KubernetesServer, 'call'>): Promise<void>
  /** A pod that runs on it. */
  pod(
    server: Pick<KubernetesServer, 'call'>,
    namespace: string,
    name: string,
    containers?: readonly string[],
  ): Promise<void>
  stop(): Promise<void>
}

/**
 * Before the API server, which is given its `args`. `main` is what attach meets in every container; `websockets` says that the
 * node translates WebSockets into SPDY itself, which the API server does for nodes that do not.
 */
export async function startKubelet({
  main = 'cat',
  websockets = false,
}: { readonly main?: string; readonly websockets?: boolean } = {}): Promise<Kubelet> {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-kubelet-'))
  removeAtExit(directory)
  const file = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const authority = createAuthority('kubelets')
  const own = authority.issue()
  const client = authority.issue({ name: 'kube-apiserver', names: [], usage: 'clientAuth' })
  const ca = file('ca.pem', authority.cert)
  const root = join(directory, 'containers')
  mkdirSync(root)
  const program = await startProgram(BIN, [
    `-root=${root}`,
    `-cert=${file('kubelet.pem', own.cert)}`,
    `-key=${file('kubelet.key', own.key)}`,
    `-client-ca=${ca}`,
    `-main=${main}`,
    `-websockets=${websockets}`,
  ])
  const port = Number((await program.output(/listening on \S+:(\d+)/))[1])
  return {
    port,
    args: [
      `--kubelet-client-certificate=${file('client.pem', client.cert)}`,
      `--kubelet-client-key=${file('client.key', client.key)}`,
      `--kubelet-certificate-authority=${ca}`,
      '--kubelet-preferred-address-types=InternalIP',
    ],
    directory: (...container) => made(join(root, ...container)),
    log: (namespace, pod, container) => `${join(made(join(root, namespace, pod)), container)}.log`,
    register: async (server) => await register(server, port, websockets ? ['ExtendWebSocketsToKubelet'] : []),
    pod: async (server, namespace, name, containers = ['main']) => await run(server, namespace, name, containers),
    stop: async () => void (await program.stop('SIGKILL')),
  }
}

function made(directory: string): string {
  mkdirSync(directory, { recursive: true })
  return directory
}

async function register(
  server: Pick<KubernetesServer, 'call'>,
  port: number,
  declaredFeatures: readonly string[],
): Promise<void> {
  await must(server, 'POST', '/api/v1/nodes', { metadata: { name: NODE_NAME } })
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    conditions: [{ type: 'Ready', status: 'True' }],
    declaredFeatures,
  }
  await must(server, 'PATCH', `/api/v1/nodes/${NODE_NAME}/status`, { status })
}

async function run(
  server: Pick<KubernetesServer, 'call'>,
  namespace: string,
  name: string,
  containers: readonly string[],
): Promise<void> {
  const pods = `/api/v1/namespaces/${namespace}/pods`
  const of = containers.map((container) => ({ name: container, image: 'stand-in', stdin: true }))
  await must(server, 'POST', pods, { metadata: { name }, spec: { nodeName: NODE_NAME, containers: of } })
  const running = { startedAt: new Date().toISOString() }
  const containerStatuses = containers.map((container) => ({
    name: container,
    image: 'stand-in',
    imageID: '',
    containerID: `stand-in://${container}`,
    ready: true,
    restartCount: 0,
    started: true,
    state: { running },
  }))
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], containerStatuses }
  await must(server, 'PATCH', `${pods}/${name}/status`, { status })
}

async function must(server: Pick<KubernetesServer, 'call'>, method: string, path: string, body: object): Promise<void> {
  const headers = method === 'PATCH' ? { 'content-type': 'application/strategic-merge-patch+json' } : {}
  const { status, body: answer } = await server.call(method, path, body, { headers })
  if (status >= 300) throw new Error(`${method} ${path} was answered ${status}: ${answer}`)
}
