/** Requests to the API server, each by its everyday text: `get configmaps NAMESPACE/NAME`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startKubernetes } from '../support/kubernetes.ts'
import { RawHttp, type RawAnswer, rawRequest } from '../support/kubernetes-raw.ts'
import { startKubernetesTarget } from '../support/kubernetes-target.ts'
import { run } from '../support/process.ts'
import { kubeconfig, KUBECTL } from '../e2e/kubernetes/stream-stage.ts'
import { type Agent, conforms, type Ports, type Running, type Told } from './suite.ts'

const NAMESPACE = 'conformance'
/** As it stands in a Secret. */
const SECRET = Buffer.from('the-secret-of-a-cluster').toString('base64')
const MASKS = [{ column: null, detector: null, path: 'data.*', with: 'redact', policy: 'policy.test' }] as const

const server = await startKubernetes()
t.teardown(() => server.stop())
await server.namespace(NAMESPACE)
await server.call('POST', `/api/v1/namespaces/${NAMESPACE}/secrets`, {
  metadata: { name: 'kept' },
  data: { value: SECRET },
})

function bytesOf(command: string): Buffer {
  const [, resource = '', object = ''] = command.split(' ')
  const [namespace = '', name = ''] = object.split('/')
  return rawRequest('GET', `/api/v1/namespaces/${namespace}/${resource}/${name}`)
}

/** Names that are none (`a_b`) are not found, in an answer that says so: they were asked for. */
function toldOf(answer: RawAnswer | null): Told {
  if (answer === null) return { kind: 'ended' }
  const [, code] = /\[([a-z]+\.[a-z-]+)\]/.exec(answer.body) ?? []
  return code === undefined ? { kind: 'done', output: answer.body } : { kind: 'refused', code, text: answer.body }
}

function agentOn(connection: RawHttp): Agent {
  return {
    async run(...commands) {
      connection.send(Buffer.concat(commands.map(bytesOf)))
      const told: Told[] = []
      for (const _command of commands) told.push(toldOf(await connection.answer()))
      return told
    },
    async runSplit(command) {
      // Each in a record of TLS by itself.
      for (const byte of bytesOf(command)) connection.send(Buffer.of(byte))
      return toldOf(await connection.answer())
    },
    async send(command) {
      connection.send(bytesOf(command))
    },
    async sendUnknown(marker) {
      connection.send(rawRequest('PROPFIND', `/api/v1/namespaces/${NAMESPACE}/configmaps/${marker}`))
      return toldOf(await connection.answer())
    },
    leave: () => connection.close(),
  }
}

async function start(ports: Ports): Promise<Running> {
  const target = await startKubernetesTarget(server, ports)
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-conformance-'))
  const config = kubeconfig(directory, 'gated', target.port, target.caFile, 'worthless')
  const connections: RawHttp[] = []
  return {
    async connect() {
      const connection = await RawHttp.connect(target)
      connections.push(connection)
      return agentOn(connection)
    },
    reached: (marker) => server.audit().some(({ requestURI }) => requestURI.includes(marker)),
    async native(command) {
      const [verb = '', resource = '', object = ''] = command.split(' ')
      const [namespace = '', name = ''] = object.split('/')
      const env = { PATH: process.env['PATH'], HOME: directory, KUBECONFIG: config }
      return (await run(KUBECTL, [verb, resource, name, '-n', namespace], { env })).stderr
    },
    async close() {
      for (const connection of connections) connection.close()
      await target.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

let starts = 0
let prefix = ''
conforms({
  protocol: 'kubernetes',
  // The server's audit log outlives a target: what reached it in one test must not count in the next.
  command: (marker) => `get configmaps ${NAMESPACE}/${prefix}${marker}`,
  masked: { command: `get secrets ${NAMESPACE}/kept`, secret: SECRET, masks: MASKS },
  async start(ports) {
    const own = `${starts++}-`
    prefix = own
    const running = await start(ports)
    return { ...running, reached: (marker) => running.reached(`${own}${marker}`) }
  },
})
