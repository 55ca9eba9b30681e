/** ssh on a terminal, typed at by steps; see terminal.py. */
import { join } from 'node:path'
import { runClient, type SshClient } from '../../support/ssh-clients.ts'

export type Step =
  | { readonly expect: string }
  | { readonly send: string }
  | { readonly resize: readonly [number, number] }

export interface Shown {
  readonly output: string
  readonly code: number
  /** What was waited for and did not come. */
  readonly missing: string | null
}

export async function onTerminal(client: SshClient, args: readonly string[], steps: readonly Step[]): Promise<Shown> {
  const script = join(import.meta.dirname, 'terminal.py')
  const command = ['ssh', '-F', client.config, ...args]
  const ended = await runClient('/usr/bin/python3', [script, JSON.stringify(steps), ...command], {
    env: { TERM: 'xterm-256color' },
    ms: 60_000,
  })
  if (ended.code !== 0) throw new Error(ended.stderr)
  return JSON.parse(ended.stdout.toString()) as Shown
}
