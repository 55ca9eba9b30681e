/** A Kubernetes target as an operator sets it up, and the kill switch as an operator uses it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { SessionStatus } from '../../src/commands/run/sessions.ts'
import type { StoredRecord } from '../../src/record/records.ts'
import { startKubernetes } from '../support/kubernetes.ts'
import { run, startProgram } from '../support/process.ts'
import { operated } from './operated.ts'
import { until } from './sidecar.ts'

t.setTimeout(90_000)

const KUBECTL = join(import.meta.dirname, '../../.bin/kubectl')

t.test('a Kubernetes target is checked, run and listed, and a watch of kubectl is ended by an operator', async (t) => {
  const server = await startKubernetes()
  t.teardown(() => server.stop())
  await server.namespace('orders')
  const target = `  cluster:
    protocol: kubernetes
    upstream: { host: 127.0.0.1, port: ${server.port}, ca: "${server.caFile}" }
    agent: { authenticate: none, caFile: ca.pem }
    credential: { tokenFile: token }`
  const { base, port, sidegate, start, records } = await operated(t, target, { token: server.tokens.admin })
  const checked = await sidegate('run', '--check')
  t.equal(checked.code, 0, checked.stderr)
  t.match(checked.stdout, /credential +the token in \S+, read at each use/)
  t.match(checked.stdout, /token says +nothing: it is no JWT/)
  t.notMatch(checked.stdout, server.tokens.admin)

  const program = await start()
  t.match((await sidegate('status')).stdout, `certificate-authority  ${join(base, 'ca.pem')}`)
  // The agent knows the sidecar by the certificate alone, and has a token that means nothing.
  const kubectl = (...args: string[]) => [
    `--server=https://127.0.0.1:${port}`,
    `--certificate-authority=${join(base, 'ca.pem')}`,
    '--token=meaningless',
    `--cache-dir=${join(base, 'cache')}`,
    '--kubeconfig=/dev/null',
    ...args,
  ]
  const list = async () => JSON.parse((await sidegate('sessions', 'list', '--json')).stdout) as SessionStatus[]

  const watch = await startProgram(KUBECTL, kubectl('get', 'configmaps', '-n', 'orders', '--watch'))
  t.teardown(async () => void (await watch.stop('SIGKILL')))
  await server.call('POST', '/api/v1/namespaces/orders/configmaps', { metadata: { name: 'seen' } })
  await watch.output(/seen/, 20_000)
  const [session] = await list()
  t.match(session, {
    target: 'cluster',
    protocol: 'kubernetes',
    principal: 'local',
    attributes: { agent: /^kubectl/ },
    ending: false,
  })
  const ended = await sidegate('sessions', 'end', session?.id ?? '', '--reason', 'nobody watches it')
  t.equal(ended.code, 0, ended.stderr)
  await until(() => watch.child.exitCode !== null)
  t.match(
    watch.stdout(),
    /Failure +Forbidden +configmaps is forbidden: \[session\.ended\] an operator ended the session/,
  )
  await until(async () => (await list()).length === 0)

  const again = await run(KUBECTL, kubectl('get', 'configmap', 'seen', '-n', 'orders', '-o', 'name'))
  t.match(again, { code: 0, stdout: 'configmap/seen\n' })
  await program.stop('SIGTERM')
  const stored = await records()
  const reasons = stored.flatMap((record) =>
    record.type === 'session-end' && record.session === session?.id ? [record.reason] : [],
  )
  t.same(reasons, ['session.ended: nobody watches it'])
  const settled = (type: StoredRecord['type']) => stored.filter((record) => record.type === type).length
  t.equal(settled('outcome'), settled('decision'), 'every permit is settled')
  const journal = readFileSync(join(base, 'sidegate.yaml'), 'utf8') + JSON.stringify(stored)
  t.notMatch(journal, server.tokens.admin)
})
