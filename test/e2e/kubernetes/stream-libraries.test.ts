/** Streams of the JavaScript client library, past the gate and through it. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { PassThrough, Writable } from 'node:stream'
import { Attach, Exec, KubeConfig, Log, PortForward, type V1Status } from '@kubernetes/client-node'
import t from 'tap'
import { writeFileSync } from 'node:fs'
import { OPCODE } from '../../../src/protocols/kubernetes/streams/frames.ts'
import { until, upgrade } from '../../protocols/kubernetes/streams/wire.ts'
import { NAMESPACE, POD, setStage, type Way } from './stream-stage.ts'
import { ALLOW, deny } from '../../support/fakes.ts'

const stage = await setStage()
const gated = await stage.target()
t.teardown(() => stage.stop())
t.beforeEach(() => {
  gated.policy.change(() => ALLOW)
  gated.record.records.length = 0
})

function configOf(way: Way): KubeConfig {
  const config = new KubeConfig()
  config.loadFromFile(way.kubeconfig)
  return config
}

/** Collects what is written to it. */
function sink() {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk))
      done()
    },
  })
  return { stream, text: () => Buffer.concat(chunks).toString() }
}

async function exec(way: Way, argv: string[], input: string | null) {
  const [out, error] = [sink(), sink()]
  const stdin = input === null ? null : new PassThrough()
  const { promise, resolve } = Promise.withResolvers<V1Status>()
  await new Exec(configOf(way)).exec(NAMESPACE, POD, 'main', argv, out.stream, error.stream, stdin, false, resolve)
  stdin?.end(input)
  const { status, reason, details } = await promise
  return { out: out.text(), error: error.text(), status, reason, causes: details?.causes }
}

async function both<T>(ask: (way: Way) => Promise<T>): Promise<{ readonly direct: T; readonly through: T }> {
  return { direct: await ask(stage.direct), through: await ask(gated.way) }
}

t.test('exec gives the same through the gate', async (t) => {
  const failing = await both((way) => exec(way, ['sh', '-c', 'echo out; echo err >&2; exit 3'], null))
  t.strictSame(failing.through, failing.direct)
  t.match(failing.through, { out: 'out\n', error: 'err\n', reason: 'NonZeroExitCode' })
  const echo = await both((way) => exec(way, ['cat'], 'x'.repeat(200_000)))
  t.strictSame(echo.through, echo.direct)
  t.equal(echo.through.out.length, 200_000)
})

t.test('a refused exec is a Status with an exit code, and text on its standard error', async (t) => {
  gated.policy.change(({ command }) => (command.shape.action === 'connect' ? deny('test.denied') : ALLOW))
  const refused = await exec(gated.way, ['true'], null)
  t.match(refused, { status: 'Failure', reason: 'NonZeroExitCode', error: /\[test\.denied\]/ })
  t.match(refused.causes, [{ reason: 'ExitCode', message: '126' }])
})

t.test('attach gives the same through the gate', async (t) => {
  const { direct, through } = await both(async (way) => {
    const out = sink()
    const stdin = new PassThrough()
    const socket = await new Attach(configOf(way)).attach(NAMESPACE, POD, 'main', out.stream, null, stdin, false)
    stdin.end('attached')
    await new Promise((resolve) => socket.once('close', resolve))
    return out.text()
  })
  t.equal(through, direct)
  t.equal(through, 'attached')
})

t.test('a forwarded port, in the form of channels, gives the same through the gate', async (t) => {
  const service = createServer((socket) => socket.on('data', (bytes) => socket.end(`echo ${bytes.toString()}`)))
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  t.teardown(() => service.close())
  const { port } = service.address() as AddressInfo
  const { direct, through } = await both(async (way) => {
    const [out, error, input] = [sink(), sink(), new PassThrough()]
    await new PortForward(configOf(way)).portForward(NAMESPACE, POD, [port], out.stream, error.stream, input)
    input.write('hello')
    while (!out.text().includes('hello')) await new Promise((resolve) => setTimeout(resolve, 10))
    input.end()
    return out.text()
  })
  t.equal(through, direct)
  t.equal(through, 'echo hello')
})

t.test('a log is followed through the gate, and ends when policy takes it back', async (t) => {
  writeFileSync(stage.kubelet.log(NAMESPACE, POD, 'main'), 'line\n')
  const out = sink()
  const ended = once(out.stream, 'finish')
  await new Log(configOf(gated.way)).log(NAMESPACE, POD, 'main', out.stream, { follow: true })
  while (out.text() !== 'line\n') await new Promise((resolve) => setTimeout(resolve, 10))
  gated.policy.change(() => deny('test.denied'))
  await ended
  t.equal(out.text(), 'line\n')
  t.match(gated.record.outcomes[0]?.outcome, { status: 'refused', code: 'policy.revoked' })
})

t.test('an older version of the channels gives the same, straight from the node', async (t) => {
  const argv = ['sh', '-c', 'cat; echo err >&2; exit 7'].map((word) => `command=${encodeURIComponent(word)}`).join('&')
  const path = `/api/v1/namespaces/${NAMESPACE}/pods/${POD}/exec?${argv}&stdin=true&stdout=true&stderr=true`
  const { direct, through } = await both(async (way) => {
    const socket = way === stage.direct ? stage.server : gated
    const { peer } = await upgrade(socket, path, {
      Authorization: `Bearer ${stage.server.tokens.admin}`,
      'Sec-WebSocket-Protocol': 'v4.channel.k8s.io',
    })
    if (peer === null) throw new Error('it did not switch')
    peer.send(0, 'by hand')
    await until('input is echoed', () => peer.on(1) === 'by hand')
    peer.frame(OPCODE.CLOSE, Buffer.from([3, 232]))
    await until('it ends', () => peer.ended)
    return peer.on(1)
  })
  t.equal(through, direct)
  t.match(gated.record.decisions[0]?.command.shape.detail, { upgrade: 'websocket', exec: { stdin: true } })
})
