/** kubectl's streams, past the gate and through it: the same, and on record. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { appendFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { run, removeAtExit, type Finished } from '../../support/process.ts'
import { KUBECTL, NAMESPACE, POD, setStage, type Way } from './stream-stage.ts'

const stage = await setStage({ websockets: true })
const gated = await stage.target()
t.teardown(() => stage.stop())

const directory = mkdtempSync(join(tmpdir(), 'sidegate-stream-files-'))
removeAtExit(directory)

/** The same through both ways. */
async function both<T>(
  ask: (way: Way, name: string) => Promise<T>,
): Promise<{ readonly direct: T; readonly through: T }> {
  const direct = await ask(stage.direct, 'direct')
  gated.record.records.length = 0
  return { direct, through: await ask(gated.way, 'through') }
}

function framesOf(kind: string): string {
  return Buffer.concat(gated.record.frames.filter((frame) => frame.kind === kind).map(({ data }) => data)).toString()
}

/** The one outcome of a stream, once it is there. */
async function outcome(t: Test, text: RegExp) {
  for (let tries = 0; tries < 1_500; tries++) {
    const sequence = gated.record.decisions.find(({ command }) => text.test(command.shape.text))
    const found = gated.record.outcomes.find(
      ({ session, sequence: of }) => session === sequence?.session && of === sequence.sequence,
    )
    if (found !== undefined) return found.outcome
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return t.fail('no outcome was recorded')
}

t.test('exec gives output, errors and exit code as they are', async (t) => {
  const { direct, through } = await both((way) =>
    way.kubectl(['exec', POD, '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']),
  )
  t.strictSame(through, direct)
  t.equal(through.code, 3)
  t.equal(framesOf('output'), 'out\n')
  t.equal(framesOf('error'), 'err\n')
  t.equal(framesOf('exit'), '{"status":3}')
  t.match(await outcome(t, /pods\/exec/), { status: 'failed', code: '3', bytes: 8 })
})

t.test('exec of what is not there fails as it does directly', async (t) => {
  const { direct, through } = await both((way) => way.kubectl(['exec', POD, '--', '/nowhere/program']))
  t.strictSame(through, direct)
  t.not(through.code, 0)
  const missing = await both((way) => way.kubectl(['exec', 'nobody', '--', 'true']))
  t.strictSame(missing.through, missing.direct)
})

t.test('10 MB of bytes go in and come out whole', async (t) => {
  const big = join(directory, 'big')
  writeFileSync(big, randomBytes(10 * 1024 ** 2))
  const { direct, through } = await both(async (way, name) => {
    const out = join(directory, `big-${name}`)
    const command = `"$KUBECTL" exec -i ${POD} -- cat < ${big} > ${out}`
    const ran = await run('sh', ['-c', command], {
      ms: 60_000,
      env: { ...process.env, KUBECONFIG: way.kubeconfig, KUBECTL },
    })
    return { code: ran.code, stderr: ran.stderr, same: readFileSync(out).equals(readFileSync(big)) }
  })
  t.strictSame(direct, { code: 0, stderr: '', same: true })
  t.strictSame(through, direct)
  t.match(JSON.parse(framesOf('marker')), {
    streams: { input: { bytes: 10 * 1024 ** 2 }, output: { bytes: 10 * 1024 ** 2 } },
  })
  t.equal(framesOf('input'), '', 'what an agent types may be a password')
  t.equal(framesOf('output').length > 0, true)
})

t.test('files are copied in and out', async (t) => {
  const source = join(directory, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'a'), randomBytes(300_000))
  writeFileSync(join(source, 'b c'), 'text')
  const { direct, through } = await both(async (way, name) => {
    const within = join(directory, `within-${name}`)
    const back = join(directory, `back-${name}`)
    const to = await way.kubectl(['cp', source, `${POD}:${within}`])
    const from = await way.kubectl(['cp', `${POD}:${within}`, back])
    const same = ['a', 'b c'].every((file) => readFileSync(join(source, file)).equals(readFileSync(join(back, file))))
    return { to: [to.code, to.stderr], from: [from.code, from.stderr], same }
  })
  t.strictSame(through, direct)
  t.equal(through.same, true)
})

t.test('a terminal is one, knows its size, and is recorded as it was shown', async (t) => {
  const terminal = async (way: Way): Promise<Finished> => {
    const within = `stty rows 31 cols 97; ${KUBECTL} exec -it ${POD} -- sh -c 'sleep 0.5; stty size; read line; echo got $line; exit 4'`
    const inside = await run('script', ['-qec', within, '/dev/null'], {
      ms: 30_000,
      input: 'hello\n',
      env: { ...process.env, KUBECONFIG: way.kubeconfig, TERM: 'xterm' },
    })
    return inside
  }
  const { direct, through } = await both(terminal)
  t.equal(through.stdout, direct.stdout)
  t.match(through.stdout, /31 97[^]*got hello/)
  t.equal(through.code, direct.code)
  t.match(framesOf('resize'), /97x31/)
  t.match(framesOf('output'), /31 97/)
  t.equal(framesOf('exit'), '{"status":4}')
})

t.test('attach meets what runs', async (t) => {
  const { direct, through } = await both((way) => way.kubectl(['attach', '-i', POD], { input: 'to the container' }))
  t.strictSame(through, direct)
  t.equal(through.stdout, 'to the container')
})

t.test('a forwarded port reaches what listens there, and says that it is opaque', async (t) => {
  const body = randomBytes(500_000).toString('hex')
  const service = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1')
  await once(service, 'listening')
  t.teardown(() => service.close())
  const { port } = service.address() as AddressInfo
  const { direct, through } = await both(async (way) => {
    const forward = await way.start(['port-forward', `pod/${POD}`, `:${port}`])
    const local = (await forward.output(/127\.0\.0\.1:(\d+) ->/))[1]
    const answers = await Promise.all(
      [0, 1, 2].map(async () => await (await fetch(`http://127.0.0.1:${local}/`)).text()),
    )
    await forward.stop('SIGINT')
    return answers.map((answer) => answer === body)
  })
  t.strictSame(direct, [true, true, true])
  t.strictSame(through, direct)
  t.match(await outcome(t, /pods\/portforward/), { status: 'completed' })
  t.match(framesOf('marker'), /opaque: SPDY\/3\.1\+portforward\.k8s\.io\d+ bytes from the agent, \d+ bytes to it/)
})

t.test('a log is followed', async (t) => {
  const log = stage.kubelet.log(NAMESPACE, POD, 'main')
  writeFileSync(log, 'one\n')
  const { direct, through } = await both(async (way) => {
    const following = await way.start(['logs', '-f', POD])
    await following.output(/one\n/)
    await appendFile(log, 'two\n')
    await following.output(/two\n/)
    await following.stop('SIGINT')
    return following.stdout()
  })
  t.match(direct, 'one\ntwo\n')
  t.match(through, direct)
})

t.test('a debug container is asked for as it is directly', async (t) => {
  const { direct, through } = await both(async (way, name) => {
    const { code, stderr } = await way.kubectl([
      'debug',
      POD,
      '--image=tools',
      `--container=debug-${name}`,
      '--attach=false',
    ])
    return { code, stderr: stderr.replaceAll(name, 'NAME') }
  })
  t.strictSame(through, direct)
  t.equal(through.code, 0)
  t.ok(
    gated.record.decisions.some(
      ({ command }) => command.shape.text === `patch pods/ephemeralcontainers ${NAMESPACE}/${POD}`,
    ),
  )
})
