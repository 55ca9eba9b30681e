/** The agent a third time, with an ordinary kubectl, which knows nothing of the gate either. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { Paint } from '../../config/printout.ts'
import type { ClusterStep } from './scenes.ts'

/** Lines of one output that are printed. */
const LINES = 8
/** A request that hangs would hang the demo. */
const PATIENCE_MS = 30_000

export interface ClusterSeen {
  readonly output: string
  readonly status: number
}

export interface Kubectl {
  readonly program: string
  readonly kubeconfig: string
  /** Where it keeps what it knows of an API server. */
  readonly cache: string
}

/** What an agent is given: where to go, whom to trust, and a token that means nothing. */
export function writeKubeconfig(file: string, port: number, authority: string): void {
  const named = { name: 'sidegate' }
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ ...named, cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': authority } }],
    users: [{ name: 'agent', user: { token: 'means-nothing' } }],
    contexts: [{ ...named, context: { cluster: 'sidegate', user: 'agent' } }],
    'current-context': 'sidegate',
  }
  writeFileSync(file, JSON.stringify(kubeconfig, null, 2), { mode: 0o600 })
}

export async function perform({ program, kubeconfig, cache }: Kubectl, { args }: ClusterStep): Promise<ClusterSeen> {
  return await new Promise((resolve) => {
    const options = { timeout: PATIENCE_MS, encoding: 'utf8' } as const
    const all = [`--kubeconfig=${kubeconfig}`, `--cache-dir=${cache}`, ...args]
    const child = execFile(program, all, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
      resolve({ output: `${stdout}${stderr}`, status })
    })
    child.stdin?.end()
  })
}

export function describe({ output, status }: ClusterSeen, paint: Paint): string[] {
  const lines = output.trimEnd().split('\n')
  const rest = lines.length > LINES ? [paint.dim(`… ${lines.length - LINES} more`)] : []
  const ended = `exit status ${status}`
  return [...lines.slice(0, LINES), ...rest, status === 0 ? paint.green(ended) : paint.red(ended)]
}

/** As it would be typed. */
export function typed({ args }: ClusterStep): string {
  return ['kubectl', ...args.map((word) => (/^[\w./=:-]+$/.test(word) ? word : `'${word}'`))].join(' ')
}
