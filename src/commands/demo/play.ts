/** The scenes, one after the other: each step is done by an ordinary client, and told with what was recorded of it. */
import { readFileSync } from 'node:fs'
import type { Client } from 'pg'
import { connect, describe, perform } from './agent.ts'
import * as clusterAgent from './cluster-agent.ts'
import { DATABASE } from './data.ts'
import { type Recorded, RecordReader, summarise } from './recorded.ts'
import {
  CLUSTER_SCENES,
  type ClusterStep,
  HOST_SCENES,
  type HostStep,
  type Scene,
  SCENES,
  type Step,
} from './scenes.ts'
import * as shellAgent from './shell-agent.ts'
import type { Stage } from './stage.ts'
import type { Teller } from './teller.ts'

export async function play(stage: Stage, teller: Teller): Promise<void> {
  const records = new RecordReader(stage.journal)
  await playDatabase(stage, records, teller)
  await playHost(stage, records, teller)
  await playCluster(stage, records, teller)
}

async function playDatabase({ port }: Stage, records: RecordReader, teller: Teller): Promise<void> {
  const client = await connect({ host: '127.0.0.1', port, user: 'agent', database: DATABASE })
  try {
    for (const scene of SCENES) await playScene(scene, client, records, teller)
  } finally {
    await client.end()
  }
}

async function playScene(scene: Scene, client: Client, records: RecordReader, teller: Teller): Promise<void> {
  teller.scene(scene)
  for (const [index, step] of scene.steps.entries()) {
    // Asides stand close together.
    if (step.aside !== true || scene.steps[index - 1]?.aside !== true) teller.say('')
    await playStep(step, client, records, teller)
  }
}

async function playStep(step: Step, client: Client, records: RecordReader, teller: Teller): Promise<void> {
  const { paint } = teller
  const { sql, values, thought } = step
  const parameters = values?.map((value, index) => `$${index + 1} = ${String(value)}`).join(', ') ?? ''
  teller.act(sql, thought, '--', parameters === '' ? '' : paint.dim(`   ${parameters}`))
  const seen = describe(await perform(client, step), paint)
  const recorded = await records.since()
  if (step.aside === true) teller.say(`          ${seen.join('  ')}   ${summarise(recorded, paint)}`)
  else teller.result(seen, recorded)
}

async function playHost(stage: Stage, records: RecordReader, teller: Teller): Promise<void> {
  const client = await shellAgent.login(stage.ssh.port, readFileSync(stage.ssh.knownHosts, 'utf8'))
  try {
    const scenes = HOST_SCENES.filter(({ steps }) => stage.host.sftp || steps.every((step) => 'command' in step))
    for (const scene of scenes) {
      teller.scene(scene)
      for (const step of scene.steps) {
        teller.say('')
        teller.act('command' in step ? step.command : `sftp: put ${step.upload}`, step.thought, '#')
        const seen = shellAgent.describe(await shellAgent.perform(client, step), teller.paint)
        teller.result(seen, worthTelling(step, await records.since()))
      }
    }
  } finally {
    client.end()
  }
}

/** Of sftp, what matters is what was refused; the rest is how the library finds its way. */
function worthTelling(step: HostStep, recorded: readonly Recorded[]): readonly Recorded[] {
  const refused = recorded.filter(({ decision }) => decision.custom.verdict === 'refused')
  return 'command' in step || refused.length === 0 ? recorded : refused
}

async function playCluster({ kubernetes }: Stage, records: RecordReader, teller: Teller): Promise<void> {
  if (kubernetes === null) return
  for (const scene of CLUSTER_SCENES) {
    teller.scene(scene)
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
  teller: Teller,
): Promise<void> {
  teller.act(clusterAgent.typed(step), step.thought, '#')
  const seen = clusterAgent.describe(await clusterAgent.perform(kubectl, step), teller.paint)
  const recorded = await records.since()
  // By discovery kubectl only finds its way.
  const requests = recorded.filter(({ decision: { input } }) => {
    const { detail } = input.command
    return 'resourceRequest' in detail && detail['resourceRequest'] === true
  })
  teller.result(seen, requests)
}
