/** Upstream legs for tests: targets as the configuration would give them, and what is logged on the way. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { SshTargetConfig } from '../../../../src/config/schema.ts'
import { readSecret } from '../../../../src/credentials/secret.ts'
import { UpstreamError, type UpstreamLeg } from '../../../../src/protocols/ssh/legs.ts'
import { connectUpstream, prepareUpstream, type UpstreamSide } from '../../../../src/protocols/ssh/upstream.ts'
import { removeAtExit } from '../../../support/process.ts'
import { configured } from '../../../support/wiring.ts'

export const WORKLOAD = { namespace: 'shop', pod: 'agent-0', serviceAccount: 'agent', labels: {} }

export const directory = mkdtempSync(join(tmpdir(), 'sidegate-ssh-upstream-'))
removeAtExit(directory)

let files = 0

/** A file with this text. */
export function file(text: string): string {
  const path = join(directory, `file-${++files}`)
  writeFileSync(path, text)
  return path
}

export function targetOf(settings: {
  readonly upstream: Record<string, unknown>
  readonly credential: Record<string, unknown>
  readonly limits?: Record<string, unknown>
}): SshTargetConfig {
  return configured('ssh', { agent: { authenticate: 'none' }, ...settings }, 'box')
}

/** Everything that was logged. */
export const log: string[] = []

export async function prepare(config: SshTargetConfig): Promise<UpstreamSide> {
  return await prepareUpstream(config, {
    workload: WORKLOAD,
    log: pino({ level: 'trace' }, { write: (line: string) => void log.push(line) }),
    secret: readSecret,
  })
}

export async function connect(
  config: SshTargetConfig,
  { user = 'agent', signal = new AbortController().signal, session = 'session-1' } = {},
): Promise<UpstreamLeg> {
  return await connectUpstream(await prepare(config), user, signal, session)
}

/** What an agent is told of a connection that does not come about, and what only the operator is. */
export async function refusalOf(connecting: Promise<UpstreamLeg>) {
  try {
    const { client } = await connecting
    client.end()
    throw new Error('the connection was made')
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    return { code: error.refusal.code, message: error.message, cause: causes(error) }
  }
}

function causes(error: Error): string {
  return error.cause instanceof Error ? `${error.cause.message} ${causes(error.cause)}`.trim() : ''
}

/** Runs a command on the host, and gives what it printed. */
export function run({ client }: UpstreamLeg, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error !== undefined) return reject(error)
      let printed = ''
      channel.on('data', (chunk: Buffer) => {
        printed += chunk.toString()
      })
      channel.on('close', () => resolve(printed))
    })
  })
}

/** Ends a leg, and waits until it is gone. */
export async function end({ client }: UpstreamLeg): Promise<void> {
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  client.end()
  await closed
}
