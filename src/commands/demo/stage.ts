/** All that the demo needs, brought up in a folder of its own and taken down with it. */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadConfiguration } from '../../config/load.ts'
import { createLog } from '../run/log.ts'
import { type Sidecar, startSidecar } from '../run/sidecar.ts'
import { connect } from './agent.ts'
import { type Cluster, clusterPrograms, startCluster } from './cluster.ts'
import { type Kubectl, writeKubeconfig } from './cluster-agent.ts'
import { DATABASE, ROLE, SAMPLE } from './data.ts'
import { type Database, DemoError, ownerOf, startDatabase, SUPERUSER, temporaryFolder, vanish } from './database.ts'
import { type Host, startHost } from './host.ts'

/** Built by `make bundles`; `src` and `dist` lie at the same depth beside it. */
const BUNDLE = fileURLToPath(new URL('../../../dist/bundles/demo.tar.gz', import.meta.url))

const HOST = '127.0.0.1'
/** The next free one where it is taken. */
const SSH_PORT = 6422
const CLUSTER_PORT = 6443

export interface Stage {
  readonly database: Database
  readonly host: Host
  /** Null where no API server is at hand, or it does not start. */
  readonly cluster: Cluster | null
  readonly whyNoCluster: string
  readonly sidecar: Sidecar
  /** The generated configuration. */
  readonly configuration: string
  readonly journal: string
  /** Where agents connect. */
  readonly port: number
  /** Where they reach the host, and by which key they know the sidecar there. */
  readonly ssh: { readonly port: number; readonly knownHosts: string }
  readonly kubernetes: { readonly port: number; readonly kubectl: Kubectl } | null
  /** Asks PostgreSQL itself, past the gate. */
  ask(sql: string): Promise<readonly Record<string, unknown>[]>
  close(): Promise<void>
}

/** `said` is told of each step as it begins. */
export async function setStage(preferredPort: number, said: (step: string) => void): Promise<Stage> {
  if (!existsSync(BUNDLE)) throw new DemoError('the policy of the demo is not built: run `make bundles`')
  await using opened = new AsyncDisposableStack()
  const base = mkdtempSync(join(temporaryFolder(tmpdir()), 'sidegate-demo-'))
  opened.defer(() => vanish(base, (path) => rmSync(path, { recursive: true, force: true })))
  // PostgreSQL may run as another user, who has to reach its own folder in here and nothing else.
  chmodSync(base, 0o711)

  said('PostgreSQL')
  const passwords = { superuser: secret(), role: secret() }
  const database = await startDatabase(base, await freePort(0), passwords.superuser)
  opened.defer(() => database.stop())
  const superuser = { host: HOST, port: database.port, user: SUPERUSER, password: passwords.superuser }
  await fill(superuser, passwords.role)

  said('a host')
  const host = await startHost(base, ownerOf())
  opened.defer(() => host.stop())

  const programs = clusterPrograms()
  if (programs !== null) said('a cluster')
  const ports = { api: await freePort(0), store: await freePort(0), peer: await freePort(0) }
  const cluster = programs === null ? null : await startCluster(base, programs, ports).catch(withoutCluster)
  if (cluster !== null) opened.defer(() => cluster.stop())

  said('the sidecar')
  const [port, ssh, admin] = [await freePort(preferredPort), await freePort(SSH_PORT), await freePort(0)]
  const kubernetes = cluster === null ? null : { port: await freePort(CLUSTER_PORT), kubectl: kubectlIn(base, cluster) }
  const configuration = configure(base, {
    port,
    ssh,
    admin,
    database: database.port,
    password: passwords.role,
    host,
    cluster: cluster === null || kubernetes === null ? null : { ...cluster, listen: kubernetes.port },
  })
  const loaded = loadConfiguration(configuration).configuration
  const sidecar = await startSidecar(loaded, { log: createLog('error') })
  opened.defer(() => sidecar.close())
  if (kubernetes !== null) {
    writeKubeconfig(kubernetes.kubectl.kubeconfig, kubernetes.port, join(base, 'cluster-ca.pem'))
  }
  const { ready, notReady } = sidecar.status()
  if (!ready) throw new DemoError(`the sidecar takes no commands: ${notReady.join('; ')}`)

  const parts = opened.move()
  return {
    database,
    host,
    cluster,
    whyNoCluster: programs === null ? '`make kubernetes` builds what it takes, once' : 'its API server did not start',
    sidecar,
    configuration,
    journal: loaded.record.journal.directory,
    port,
    ssh: { port: ssh, knownHosts: join(base, 'known_hosts') },
    kubernetes,
    async ask(sql) {
      const client = await connect({ ...superuser, database: DATABASE })
      try {
        return (await client.query<Record<string, unknown>>(sql)).rows
      } finally {
        await client.end()
      }
    },
    close: () => parts.disposeAsync(),
  }
}

/** The rest of the demo does not need it. */
function withoutCluster(error: unknown): null {
  if (error instanceof DemoError) return null
  throw error
}

function kubectlIn(base: string, { kubectl }: Cluster): Kubectl {
  return { program: kubectl, kubeconfig: join(base, 'kubeconfig'), cache: join(base, 'kubectl') }
}

interface Superuser {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

async function fill(superuser: Superuser, password: string): Promise<void> {
  const admin = await connect({ ...superuser, database: 'postgres' })
  // The password is hexadecimal, so it may stand in the text.
  await admin.query(`CREATE ROLE ${ROLE} LOGIN PASSWORD '${password}'`)
  await admin.query(`CREATE DATABASE ${DATABASE} OWNER ${ROLE}`)
  await admin.end()
  const owner = await connect({ host: superuser.host, port: superuser.port, user: ROLE, password, database: DATABASE })
  await owner.query(SAMPLE)
  await owner.end()
}

interface Places {
  readonly port: number
  readonly ssh: number
  readonly host: Host
  readonly admin: number
  readonly database: number
  readonly password: string
  readonly cluster: (Cluster & { readonly listen: number }) | null
}

/** The whole of what a platform engineer would write. */
function configure(base: string, { port, ssh, host, admin, database, password, cluster }: Places): string {
  writeFileSync(join(base, 'password'), password, { mode: 0o600 })
  writeFileSync(join(base, 'token'), secret(), { mode: 0o600 })
  writeFileSync(join(base, 'deploy-key'), host.clientKey, { mode: 0o600 })
  const file = join(base, 'sidegate.yaml')
  const text = `version: 1
admin: { listen: "${HOST}:${admin}", tokenFile: token }
policy:
  bundle: { file: ${JSON.stringify(BUNDLE)}, allowUnsigned: true }
record:
  journal: { directory: journal, maxSize: 64MiB, segmentSize: 16MiB }
targets:
  ${DATABASE}:
    protocol: postgres
    listen: "${HOST}:${port}"
    upstream: { host: ${HOST}, port: ${database}, tls: disable }
    agent: { authenticate: none }
    databases: [ ${DATABASE} ]
    credential: { user: ${ROLE}, passwordFile: password }
  host:
    protocol: ssh
    listen: "${HOST}:${ssh}"
    upstream: { host: ${HOST}, port: ${host.port}, hostKeys: [ "${host.publicKey}" ] }
    agent: { authenticate: none, knownHosts: known_hosts }
    credential: { user: deploy, privateKeyFile: deploy-key }
    shell: line-gated
${cluster === null ? '' : clusterTarget(base, cluster)}`
  writeFileSync(file, text, { mode: 0o600 })
  return file
}

function clusterTarget(base: string, { listen, port, ca, token }: Cluster & { readonly listen: number }): string {
  writeFileSync(join(base, 'cluster-token'), token, { mode: 0o600 })
  return `  cluster:
    protocol: kubernetes
    listen: "${HOST}:${listen}"
    upstream: { host: ${HOST}, port: ${port}, ca: ${JSON.stringify(ca)} }
    agent: { authenticate: none, caFile: cluster-ca.pem }
    credential: { tokenFile: cluster-token }
`
}

function secret(): string {
  return randomBytes(16).toString('hex')
}

/** The wanted port if it is free, else any. It is free a moment longer, which is enough on one's own machine. */
async function freePort(wanted: number): Promise<number> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(wanted, HOST, resolve))
    return (server.address() as AddressInfo).port
  } catch {
    return freePort(0)
  } finally {
    server.close()
  }
}
