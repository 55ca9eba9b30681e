/** The same program past the gate and through it: where policy allows, nobody can tell which was which. */
import { createHash } from 'node:crypto'
import type { Test } from 'tap'
import { type Ended, type RunOptions, ssh, type SshClient } from '../../support/ssh-clients.ts'
import type { Gated } from './gated.ts'

export interface Look {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** As it is, or length and SHA-256 of what is long. */
  readonly stdout: string
  readonly stderr: string
}

const LONG = 4096

/** What a user sees of a program's end, in a form that can be shown when it differs. */
export function look({ code, signal, stdout, stderr }: Ended): Look {
  return { code, signal, stdout: brief(stdout), stderr }
}

export function brief(bytes: Buffer): string {
  return bytes.length > LONG ? `${bytes.length} bytes, ${sha256(bytes)}` : bytes.toString('latin1')
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Does the same on both ways at once, and gives what came of it; they must be equal. */
export async function alike<Result>(
  t: Test,
  clients: readonly [SshClient, SshClient],
  what: string,
  act: (client: SshClient) => Promise<Result>,
): Promise<Result> {
  const [direct, through] = (await Promise.all(clients.map(act))) as [Result, Result]
  t.strictSame(through, direct, what)
  return through
}

export interface Scenario {
  /** What stands after `there`: the command line. */
  readonly run?: string
  readonly options?: readonly string[]
  readonly input?: RunOptions['input']
  readonly env?: Readonly<Record<string, string>>
  /** What both must give, as far as it is known. */
  readonly gives?: { readonly [Key in keyof Look]?: Look[Key] | RegExp }
}

/** Runs each scenario on both ways, some at a time. */
export async function scenarios(t: Test, gated: Gated, all: Readonly<Record<string, Scenario>>): Promise<void> {
  const clients = gated.clients()
  for (const [title, { run, options = [], input = null, env = {}, gives = {} }] of Object.entries(all)) {
    const args = [...options, 'there', ...(run === undefined ? [] : [run])]
    const found = await alike(t, clients, title, async (client) => look(await ssh(client, args, { input, env })))
    t.match(found, gives, title)
  }
}
