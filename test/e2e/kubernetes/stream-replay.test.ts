/** Streams as an auditor finds them: a whole sidecar, its journal, and the commands that read it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { buildBundle } from '../../support/bundle.ts'
import { freePort } from '../../support/ports.ts'
import { run, startProgram } from '../../support/process.ts'
import { ADMIN_TOKEN, MAIN } from '../sidecar.ts'
import { KUBECTL, kubeconfig, POD, setStage } from './stream-stage.ts'

t.setTimeout(90_000)

t.test('an exec is replayed as it was shown, with or without a terminal', async (t) => {
  const base = mkdtempSync(join(tmpdir(), 'sidegate-e2e-replay-'))
  t.teardown(() => rmSync(base, { recursive: true, force: true }))
  const stage = await setStage()
  t.teardown(() => stage.stop())
  const [agentPort, adminPort, bundle] = [await freePort(), await freePort(), await buildBundle('bundles/permissive')]
  const file = join(base, 'sidegate.yaml')
  writeFileSync(join(base, 'admin'), ADMIN_TOKEN, { mode: 0o600 })
  writeFileSync(join(base, 'token'), stage.server.tokens.admin, { mode: 0o600 })
  writeFileSync(
    file,
    `version: 1
admin: { listen: "127.0.0.1:${adminPort}", tokenFile: admin }
policy: { bundle: { file: "${bundle}", allowUnsigned: true } }
record: { journal: { directory: journal } }
targets:
  cluster:
    protocol: kubernetes
    listen: "127.0.0.1:${agentPort}"
    upstream: { host: 127.0.0.1, port: ${stage.server.port}, ca: "${stage.server.caFile}" }
    agent: { authenticate: none, caFile: ca.pem }
    credential: { tokenFile: token }
`,
  )
  const program = await startProgram(process.execPath, [MAIN, 'run', '--config', file])
  t.teardown(async () => void (await program.stop('SIGKILL')))
  await program.output(/"msg":"started"/, 30_000)
  const env = { ...process.env, KUBECONFIG: kubeconfig(base, 'agent', agentPort, join(base, 'ca.pem'), 'worthless') }

  const plain = await run(KUBECTL, ['exec', POD, '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'], { env })
  t.match(plain, { code: 3, stdout: 'out\n' })
  const shown = `stty rows 31 cols 97; ${KUBECTL} exec -it ${POD} -- sh -c 'sleep 0.5; stty size; exit 4'`
  const terminal = await run('script', ['-qec', shown, '/dev/null'], { env: { ...env, TERM: 'xterm' }, input: '' })
  t.match(terminal.stdout, /31 97/)
  await program.stop('SIGTERM')

  const audit = (...args: string[]) => run(process.execPath, [MAIN, 'audit', ...args, '--config', file])
  const listed = (await audit('sessions', '--json')).stdout.trim().split('\n')
  const sessions = listed.map((line) => JSON.parse(line) as { readonly session: string })
  const replays: string[] = []
  for (const { session } of sessions) replays.push((await audit('replay', session, '--asciicast')).stdout)
  const withTerminal = replays.find((text) => text.includes('31 97')) ?? ''
  t.match(withTerminal, /"o","31 97\\r\\n"/)
  t.match(withTerminal, /^\{"version":2,"width":97,"height":31/)
  t.match(withTerminal, /"m","#1 exit 4"/)
  const without = replays.find((text) => text.includes('out\\r\\n') || text.includes('out\\n')) ?? ''
  t.match(without, /exit 3/)
  t.match(without, /get pods\/exec shop\/web/)
  t.notMatch(readFileSync(join(base, 'ca.pem'), 'utf8'), 'PRIVATE')
})
