/** The ways to a real API server that are compared, each a process of its own. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildBundle } from '../support/bundle.ts'
import type { KubernetesServer } from '../support/kubernetes.ts'
import { freePort } from '../support/ports.ts'
import { type Program, removeAtExit, startProgram } from '../support/process.ts'
import { APART, ROOT } from './stage.ts'

export interface Way {
  readonly name: string
  readonly port: number
  readonly caFile: string
  /** Null where what serves it is no part of what is measured. */
  readonly program: Program | null
}

/** Clock ticks of `/proc/PID/stat` in a second (`getconf CLK_TCK`, 100 on every Linux that Node runs on). */
const TICKS = 100

const directory = mkdtempSync(join(tmpdir(), 'sidegate-bench-kubernetes-'))
removeAtExit(directory)

export function direct(server: KubernetesServer): Way {
  return { name: 'direct', port: server.port, caFile: server.caFile, program: null }
}

export async function startRelay(kind: 'undici' | 'http-proxy-3', server: KubernetesServer): Promise<Way> {
  const port = await freePort()
  const caFile = join(directory, `${kind}.pem`)
  const relay = join(ROOT, 'test/bench/kubernetes-relay.ts')
  const args = [kind, String(port), String(server.port), server.caFile, server.tokens.admin, caFile]
  const program = await startProgram(process.execPath, [relay, ...args], APART)
  await program.output(/listening/)
  return { name: kind === 'undici' ? 'bare undici relay' : kind, port, caFile, program }
}

/** Sidegate as it runs in production: compiled, with a policy and the journal. */
export async function startGate(
  server: KubernetesServer,
  name: string,
  policy: string | Readonly<Record<string, string>>,
): Promise<Way> {
  const port = await freePort()
  const own = mkdtempSync(join(directory, 'gate-'))
  const caFile = join(own, 'ca.pem')
  const tokenFile = join(own, 'token')
  const file = join(own, 'sidegate.yaml')
  writeFileSync(tokenFile, server.tokens.admin, { mode: 0o600 })
  const lines = [
    'version: 1',
    `policy: { bundle: { file: ${JSON.stringify(await buildBundle(policy))}, allowUnsigned: true } }`,
    `record: { journal: { directory: ${JSON.stringify(join(own, 'journal'))} } }`,
    'targets:',
    '  cluster:',
    '    protocol: kubernetes',
    `    listen: "127.0.0.1:${port}"`,
    `    upstream: { host: 127.0.0.1, port: ${server.port}, ca: ${JSON.stringify(server.caFile)} }`,
    `    agent: { authenticate: none, caFile: ${JSON.stringify(caFile)} }`,
    `    credential: { tokenFile: ${JSON.stringify(tokenFile)} }`,
    '    limits: { connections: 1200, requests: 1200 }',
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const flags = process.env['SIDEGATE_NODE_FLAGS']?.split(' ') ?? []
  const program = await startProgram(
    process.execPath,
    [...flags, join(ROOT, 'dist/main.js'), 'run', '--config', file],
    APART,
  )
  await program.output(/"ready":true/, 20_000)
  return { name, port, caFile, program }
}

/** Processor time that a process has used, in microseconds. */
export function processorMicroseconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1e6
}
