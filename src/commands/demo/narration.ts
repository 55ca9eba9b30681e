/** The demo as it is told: the stage, the scenes, the proof, and then it is yours. */
import type { Paint } from '../../config/printout.ts'
import { readJournal } from '../../record/reader.ts'
import { paintFor } from '../terminal.ts'
import type { Kubectl } from './cluster-agent.ts'
import { DATABASE } from './data.ts'
import { pageWidth } from './panels.ts'
import { play } from './play.ts'
import { prove } from './proof.ts'
import { setStage, type Stage } from './stage.ts'
import { Teller } from './teller.ts'

export async function demonstrate(port: number): Promise<void> {
  const out = process.stdout
  const width = pageWidth(out.isTTY ? out.columns : undefined)
  const teller = new Teller(paintFor(out), width, (text) => void out.write(text))
  const { paint } = teller
  const interrupted = interruption()
  const started = performance.now()
  teller.say('', `${paint.bold('Sidegate')}  the gate in the sidecar`, '')
  const stage = await setStage(port, (step) => teller.say(paint.dim(`  starting ${step} …`)))
  try {
    const seconds = ((performance.now() - started) / 1_000).toFixed(1)
    teller.say(...introduction(stage, seconds, paint))
    await Promise.race([tell(stage, teller), interrupted])
    if (process.stdin.isTTY && !interrupted.happened) await invite(stage, teller, interrupted)
  } finally {
    await stage.close()
  }
}

async function tell(stage: Stage, teller: Teller): Promise<void> {
  await play(stage, teller)
  await prove(stage, teller)
}

/** Settles when someone wants the demo to end. A second time ends it at once. */
function interruption(): Promise<void> & { happened: boolean } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const interrupted = Object.assign(promise, { happened: false })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interrupted.happened) process.exit(1)
      interrupted.happened = true
      resolve()
    })
  }
  return interrupted
}

function introduction(stage: Stage, seconds: string, paint: Paint): string[] {
  const { database, port, ssh, host, cluster, kubernetes, whyNoCluster } = stage
  return [
    paint.dim(`  ready in ${seconds} s`),
    '',
    `  agent ── ${paint.bold(`sidegate :${port}`)} ── ${database.version} :${database.port}`,
    `        ├─ ${paint.bold(`sidegate :${ssh.port}`)} ── an SSH server :${host.port}`,
    cluster === null || kubernetes === null
      ? paint.dim(`        └─ no cluster: ${whyNoCluster}`)
      : `        └─ ${paint.bold(`sidegate :${kubernetes.port}`)} ── a Kubernetes API server :${cluster.port}`,
    paint.dim('  no secret       holds password, key and token, reads every command,'),
    paint.dim('  of its own      asks the policy, writes it down, then forwards'),
  ]
}

function kubectlFor({ program, kubeconfig }: Kubectl): string {
  return `${program} --kubeconfig ${kubeconfig} get pods`
}

/** Stays up, and shows what is recorded while you try it. */
async function invite(stage: Stage, teller: Teller, interrupted: Promise<void>): Promise<void> {
  const { paint } = teller
  teller.say(
    '  Now you are the agent:',
    '',
    `    ${paint.bold(`psql -h 127.0.0.1 -p ${stage.port} -U agent ${DATABASE}`)}`,
    `    ${paint.bold(`ssh -o UserKnownHostsFile=${stage.ssh.knownHosts} -p ${stage.ssh.port} agent@127.0.0.1`)}   ${paint.dim('(or with a command)')}`,
    ...(stage.kubernetes === null ? [] : [`    ${paint.bold(kubectlFor(stage.kubernetes.kubectl))}`]),
    '',
    `  What you do appears here.  ${paint.dim(`Configuration: ${stage.configuration}`)}`,
    paint.dim(`  More: npx sidegate run --check --config ${stage.configuration}`),
    paint.dim('  Ctrl-C ends it and leaves nothing behind.'),
    '',
  )
  const ending = new AbortController()
  void interrupted.then(() => ending.abort())
  const from = stage.sidecar.status().record.position + 1
  for await (const { record } of readJournal(stage.journal, { from, follow: true, signal: ending.signal })) {
    if (record.type !== 'decision') continue
    const { refusal, verdict } = record.custom
    const text = record.input.command.text.replace(/\s+/g, ' ').trim().slice(0, 80)
    const word = verdict === 'refused' ? paint.red('refused  ') : paint.green('permitted')
    teller.say(
      `  ${paint.dim(`#${record.seq}`)}  ${word}  ${text}${refusal === undefined ? '' : paint.red(`   ${refusal.code}`)}`,
    )
  }
  teller.say('')
}
