/** A real API server with a node, a target before it, and kubectl to both. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApprovalPort } from '../../../src/gate/ports.ts'
import { type Kubelet, startKubelet } from '../../support/kubelet.ts'
import { type KubernetesTarget, startKubernetesTarget } from '../../support/kubernetes-target.ts'
import { type KubernetesServer, startKubernetes } from '../../support/kubernetes.ts'
import {
  type Finished,
  type Program,
  type ProgramOptions,
  removeAtExit,
  run,
  startProgram,
} from '../../support/process.ts'

export const KUBECTL = join(import.meta.dirname, '../../../.bin/kubectl')

export const NAMESPACE = 'shop'
export const POD = 'web'

/** One way to the API server. */
export interface Way {
  readonly kubeconfig: string
  kubectl(args: readonly string[], options?: Parameters<typeof run>[2]): Promise<Finished>
  /** kubectl that goes on until it is stopped. */
  start(args: readonly string[], options?: ProgramOptions): Promise<Program>
}

export interface Stage {
  readonly server: KubernetesServer
  readonly kubelet: Kubelet
  readonly direct: Way
  /** A target of its own, and kubectl through it. */
  target(options?: {
    readonly approval?: ApprovalPort
    readonly config?: object
  }): Promise<KubernetesTarget & { readonly way: Way }>
  stop(): Promise<void>
}

/** `websockets`: the node translates them, as new ones do; else the API server does. */
export async function setStage(options: { readonly websockets?: boolean } = {}): Promise<Stage> {
  const kubelet = await startKubelet(options)
  const server = await startKubernetes({ args: kubelet.args })
  await kubelet.register(server)
  await server.namespace(NAMESPACE)
  await kubelet.pod(server, NAMESPACE, POD)
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-streams-'))
  removeAtExit(directory)
  const targets: KubernetesTarget[] = []
  const way = (name: string, port: number, ca: string, token: string): Way => {
    const file = kubeconfig(directory, name, port, ca, token)
    const env = { PATH: process.env['PATH'], HOME: directory, KUBECONFIG: file, TERM: 'xterm' }
    return {
      kubeconfig: file,
      kubectl: async (args, options = {}) =>
        await run(KUBECTL, args, { ms: 30_000, ...options, env: { ...env, ...options.env } }),
      start: async (args, options = {}) =>
        await startProgram(KUBECTL, args, { ...options, env: { ...env, ...options.env } }),
    }
  }
  return {
    server,
    kubelet,
    direct: way('direct', server.port, server.caFile, server.tokens.admin),
    target: async (options = {}) => {
      const target = await startKubernetesTarget(server, options)
      targets.push(target)
      return { ...target, way: way(`gated-${targets.length}`, target.port, target.caFile, 'worthless') }
    },
    stop: async () => {
      for (const target of targets) await target.close()
      await server.stop()
      await kubelet.stop()
    },
  }
}

/** A file that takes clients to a port, by a token. */
export function kubeconfig(directory: string, name: string, port: number, ca: string, token: string): string {
  const file = join(directory, `${name}.json`)
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': ca } }],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: NAMESPACE } }],
    'current-context': 'x',
  }
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  return file
}
