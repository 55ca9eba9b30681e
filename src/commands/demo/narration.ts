/** The demo as it is told: the stage, the scenes, the proof, and then it is yours. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from 'pg'
import type { Paint } from '../../config/printout.ts'
import { readJournal } from '../../record/reader.ts'
import { paintFor } from '../terminal.ts'
import { connect, describe, perform } from './agent.ts'
import * as clusterAgent from './cluster-agent.ts'
import type { Cluster } from './cluster.ts'
import { DATABASE } from './data.ts'
import { pageWidth, sideBySide, wrap } from './panels.ts'
import { describeRecord, RecordReader, summarise } from './recorded.ts'
import {
  CLUSTER_SCENES,
  type ClusterScene,
  type ClusterStep,
  HOST_SCENES,
  type HostScene,
  type HostStep,
  type Scene,
  SCENES,
  type Step,
} from './scenes.ts'
import * as shellAgent from './shell-agent.ts'
import { setStage, type Stage } from './stage.ts'

interface Teller {
  readonly paint: Paint
  readonly width: number
  say(...lines: readonly string[]): void
}

export async function demonstrate(port: number): Promise<void> {
  const out = process.stdout
  const teller: Teller = {
    paint: paintFor(out),
    width: pageWidth(out.isTTY ? out.columns : undefined),
    say: (...lines) => void out.write(`${lines.join('\n')}\n`),
  }
  const { say, paint } = teller
  const interrupted = interruption()
  const started = performance.now()
  say('', `${paint.bold('Sidegate')}  the gate in the sidecar`, '')
  const stage = await setStage(port, (step) => say(paint.dim(`  starting ${step} …`)))
  try {
    const seconds = ((performance.now() - started) / 1_000).toFixed(1)
    say(...introduction(stage, seconds, paint))
    await Promise.race([play(stage, teller), interrupted])
    if (process.stdin.isTTY && !interrupted.happened) await invite(stage, teller, interrupted)
  } finally {
    await stage.close()
  }
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

function introduction(
  { database, port, ssh, host, cluster, kubernetes }: Stage,
  seconds: string,
  paint: Paint,
): string[] {
  return [
    paint.dim(`  ready in ${seconds} s`),
    '',
    `  agent ── ${paint.bold(`sidegate :${port}`)} ── ${database.version} :${database.port}`,
    `        ├─ ${paint.bold(`sidegate :${ssh.port}`)} ── an SSH server :${host.port}`,
    cluster === null || kubernetes === null
      ? paint.dim('        └─ no cluster: `make kubernetes` builds what it takes, once')
      : `        └─ ${paint.bold(`sidegate :${kubernetes.port}`)} ── a Kubernetes API server :${cluster.port}`,
    paint.dim('  no secret       holds password, key and token, reads every command,'),
    paint.dim('  of its own      asks the policy, writes it down, then forwards'),
  ]
}

async function play(stage: Stage, teller: Teller): Promise<void> {
  const client = await connect({ host: '127.0.0.1', port: stage.port, user: 'agent', database: DATABASE })
  const records = new RecordReader(stage.journal)
  try {
    for (const [index, scene] of SCENES.entries()) await playScene(index + 1, scene, client, records, teller)
  } finally {
    await client.end()
  }
  await playHost(stage, records, teller)
  await playCluster(stage, records, teller)
  await prove(stage, teller)
}

async function playHost(stage: Stage, records: RecordReader, teller: Teller): Promise<void> {
  const client = await shellAgent.login(stage.ssh.port, readFileSync(stage.ssh.knownHosts, 'utf8'))
  try {
    const scenes = HOST_SCENES.filter(({ steps }) => stage.host.sftp || steps.every((step) => 'command' in step))
    for (const [index, scene] of scenes.entries()) {
      heading(SCENES.length + index + 1, scene, teller)
      for (const step of scene.steps) {
        teller.say('')
        await playHostStep(step, () => shellAgent.perform(client, step), records, teller)
      }
    }
  } finally {
    client.end()
  }
}

async function playHostStep(
  step: HostStep,
  act: () => Promise<shellAgent.HostSeen>,
  records: RecordReader,
  { paint, width, say }: Teller,
): Promise<void> {
  const words = 'command' in step ? step.command : `sftp: put ${step.upload}`
  const { thought } = step
  say(`  ${paint.yellow('agent ▸')} ${paint.bold(words)}${thought === undefined ? '' : paint.dim(`   # ${thought}`)}`)
  const seen = await act()
  const recorded = await records.since()
  // Of sftp, what matters is what was refused; the rest is how the library finds its way.
  const refused = recorded.filter(({ decision }) => decision.custom.verdict === 'refused')
  const told = 'command' in step || refused.length === 0 ? recorded : refused
  say(
    ...sideBySide(
      { title: 'what the agent saw', lines: shellAgent.describe(seen, paint) },
      { title: 'what was recorded', lines: told.flatMap((one) => describeRecord(one, paint)) },
      width,
      paint,
    ),
  )
}

async function playCluster({ kubernetes }: Stage, records: RecordReader, teller: Teller): Promise<void> {
  if (kubernetes === null) return
  for (const [index, scene] of CLUSTER_SCENES.entries()) {
    heading(SCENES.length + HOST_SCENES.length + index + 1, scene, teller)
    for (const step of scene.steps) {
      teller.say('')
      await playClusterStep(step, kubernetes.kubectl, records, teller)
    }
  }
}

async function playClusterStep(
  step: ClusterStep,
  kubectl: clusterAgent.Kubectl,
  records: RecordReader,
  { paint, width, say }: Teller,
): Promise<void> {
  const { thought } = step
  const words = clusterAgent.typed(step)
  say(`  ${paint.yellow('agent ▸')} ${paint.bold(words)}${thought === undefined ? '' : paint.dim(`   # ${thought}`)}`)
  const seen = await clusterAgent.perform(kubectl, step)
  const recorded = await records.since()
  // How kubectl finds its way is not worth telling: discovery, and what it looks up before it acts.
  const told = recorded.filter(({ decision: { input } }) => {
    const { detail } = input.command
    return 'resourceRequest' in detail && detail['resourceRequest'] === true
  })
  say(
    ...sideBySide(
      { title: 'what the agent saw', lines: clusterAgent.describe(seen, paint) },
      { title: 'what was recorded', lines: told.flatMap((one) => describeRecord(one, paint)) },
      width,
      paint,
    ),
  )
}

function heading(
  number: number,
  { title, about }: Scene | HostScene | ClusterScene,
  { paint, width, say }: Teller,
): void {
  const line = `${number}  ${title} `
  say('', '', `${paint.bold(line)}${paint.dim('─'.repeat(Math.max(0, width - line.length)))}`)
  say(...wrap(`   ${about}`, width))
}

async function playScene(
  number: number,
  scene: Scene,
  client: Client,
  records: RecordReader,
  teller: Teller,
): Promise<void> {
  const { say } = teller
  heading(number, scene, teller)
  for (const [index, step] of scene.steps.entries()) {
    // Asides stand close together.
    if (step.aside !== true || scene.steps[index - 1]?.aside !== true) say('')
    await playStep(step, client, records, teller)
  }
}

async function playStep(step: Step, client: Client, records: RecordReader, teller: Teller): Promise<void> {
  const { paint, width, say } = teller
  const { sql, values, thought } = step
  const parameters =
    values === undefined
      ? ''
      : paint.dim(`   ${values.map((value, index) => `$${index + 1} = ${String(value)}`).join(', ')}`)
  say(
    `  ${paint.yellow('agent ▸')} ${paint.bold(sql)}${parameters}${thought === undefined ? '' : paint.dim(`   -- ${thought}`)}`,
  )
  const seen = await perform(client, step)
  const recorded = await records.since()
  if (step.aside === true) {
    say(`          ${describe(seen, paint).join('  ')}   ${summarise(recorded, paint)}`)
    return
  }
  say(
    ...sideBySide(
      { title: 'what the agent saw', lines: describe(seen, paint) },
      { title: 'what was recorded', lines: recorded.flatMap((one) => describeRecord(one, paint)) },
      width,
      paint,
    ),
  )
}

/** Past the gate: what PostgreSQL itself says of all that. */
async function prove({ ask, host, cluster }: Stage, { paint, say, width }: Teller): Promise<void> {
  const [row] = await ask(
    `SELECT (SELECT count(*)::int FROM customers) AS customers, (SELECT count(*)::int FROM orders) AS orders,
            (SELECT string_agg(id || ' ' || status, ', ' ORDER BY id) FROM orders WHERE id IN (101, 103, 104)) AS changed,
            (SELECT count(*)::int FROM orders WHERE status = 'cancelled') AS cancelled`,
  )
  const title = 'And the targets themselves say '
  const { customers, orders, changed, cancelled } = row ?? {}
  say('', '', `${paint.bold(title)}${paint.dim('─'.repeat(Math.max(0, width - title.length)))}`)
  say(
    `   ${String(customers)} customers and ${String(orders)} orders are there, ${String(cancelled)} of them cancelled.`,
  )
  say(`   What was permitted has happened: ${String(changed)}.`)
  const whole = readdirSync(host.home).toSorted().join(', ')
  const keys = readFileSync(join(host.home, '.ssh/authorized_keys'), 'utf8').trim()
  say(`   On the host lie ${whole}; its authorized_keys say "${keys}".`)
  if (cluster !== null) say(await proofOf(cluster))
  say('')
}

async function proofOf({ ask }: Cluster): Promise<string> {
  const web = (await ask('/apis/apps/v1/namespaces/default/deployments/web')) as { spec: { replicas: number } }
  const names = async (path: string) => {
    const { items } = (await ask(path)) as { items: readonly { metadata: { name: string } }[] }
    return items.map(({ metadata }) => metadata.name).join(', ') || 'none'
  }
  const [pods, secrets, bindings] = [
    await names('/api/v1/namespaces/default/pods'),
    await names('/api/v1/namespaces/default/secrets'),
    await names('/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings'),
  ]
  return `   In the cluster web has ${web.spec.replicas} replicas; pods: ${pods}; Secrets: ${secrets}; bindings of roles: ${bindings}.`
}

function kubectlFor({ program, kubeconfig }: clusterAgent.Kubectl): string {
  return `${program} --kubeconfig ${kubeconfig} get pods`
}

/** Stays up, and shows what is recorded while you try it. */
async function invite(stage: Stage, { paint, say }: Teller, interrupted: Promise<void>): Promise<void> {
  say(
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
    say(
      `  ${paint.dim(`#${record.seq}`)}  ${word}  ${text}${refusal === undefined ? '' : paint.red(`   ${refusal.code}`)}`,
    )
  }
  say('')
}
