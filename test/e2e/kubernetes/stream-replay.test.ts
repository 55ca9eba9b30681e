/** Streams as an auditor finds them: a whole sidecar, its journal, and the commands that read it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../support/process.ts'
import { operated } from '../operated.ts'
import { KUBECTL, kubeconfig, POD, setStage } from './stream-stage.ts'

t.setTimeout(90_000)

t.test('an exec is replayed as it was shown, with or without a terminal', async (t) => {
  const stage = await setStage()
  t.teardown(() => stage.stop())
  const { port: upstream, caFile, tokens } = stage.server
  const target = `  cluster:
    protocol: kubernetes
    upstream: { host: 127.0.0.1, port: ${upstream}, ca: "${caFile}" }
    agent: { authenticate: none, caFile: ca.pem }
    credential: { tokenFile: token }`
  const { base, port, sidegate, start } = await operated(t, target, { token: tokens.admin })
  const program = await start()
  const env = { ...process.env, KUBECONFIG: kubeconfig(base, 'agent', port, join(base, 'ca.pem'), 'worthless') }

  const plain = await run(KUBECTL, ['exec', POD, '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'], { env })
  t.match(plain, { code: 3, stdout: 'out\n' })
  const shown = `stty rows 31 cols 97; ${KUBECTL} exec -it ${POD} -- sh -c 'sleep 0.5; stty size; exit 4'`
  const terminal = await run('script', ['-qec', shown, '/dev/null'], { env: { ...env, TERM: 'xterm' }, input: '' })
  t.match(terminal.stdout, /31 97/)
  await program.stop('SIGTERM')

  const listed = (await sidegate('audit', 'sessions', '--json')).stdout.trim().split('\n')
  const sessions = listed.map((line) => JSON.parse(line) as { readonly session: string })
  const replays: string[] = []
  for (const { session } of sessions) replays.push((await sidegate('audit', 'replay', session, '--asciicast')).stdout)
  const withTerminal = replays.find((text) => text.includes('31 97')) ?? ''
  t.match(withTerminal, /"o","31 97\\r\\n"/)
  t.match(withTerminal, /^\{"version":2,"width":97,"height":31/)
  t.match(withTerminal, /"m","#1 exit 4"/)
  const without = replays.find((text) => text.includes('out\\r\\n') || text.includes('out\\n')) ?? ''
  t.match(without, /exit 3/)
  t.match(without, /get pods\/exec shop\/web/)
  t.notMatch(readFileSync(join(base, 'ca.pem'), 'utf8'), 'PRIVATE')
})
