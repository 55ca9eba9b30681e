/** A sidecar as an operator sets it up: a file of configuration, what it names beside it, the command line, a process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { readJournal } from '../../src/record/reader.ts'
import type { StoredRecord } from '../../src/record/records.ts'
import { buildBundle } from '../support/bundle.ts'
import { freePort } from '../support/ports.ts'
import { type Finished, type Program, run, startProgram } from '../support/process.ts'
import { ADMIN_TOKEN, MAIN, START_MS } from './sidecar.ts'

export interface Operated {
  /** The folder of the configuration, from which paths in it begin. */
  readonly base: string
  /** Where the target listens. */
  readonly port: number
  /** Runs `sidegate` with this configuration. */
  sidegate(...args: string[]): Promise<Finished>
  /** `sidegate run`, until it is ready. */
  start(): Promise<Program>
  records(): Promise<StoredRecord[]>
}

/** One target, as the configuration has it but for where it listens. `files` are written beside that, with their names. */
export async function operated(t: Test, target: string, files: Readonly<Record<string, string>>): Promise<Operated> {
  const base = mkdtempSync(join(tmpdir(), 'sidegate-e2e-operated-'))
  t.teardown(() => rmSync(base, { recursive: true, force: true }))
  const [port, adminPort, bundle] = [await freePort(), await freePort(), await buildBundle('bundles/permissive')]
  for (const [name, text] of Object.entries({ ...files, admin: ADMIN_TOKEN })) {
    writeFileSync(join(base, name), text, { mode: 0o600 })
  }
  const file = join(base, 'sidegate.yaml')
  writeFileSync(
    file,
    `version: 1
admin: { listen: "127.0.0.1:${adminPort}", tokenFile: admin }
policy: { bundle: { file: "${bundle}", allowUnsigned: true } }
record: { journal: { directory: journal } }
targets:
${target}
    listen: "127.0.0.1:${port}"
`,
  )
  return {
    base,
    port,
    sidegate: async (...args) => await run(process.execPath, [MAIN, ...args, '--config', file]),
    async start() {
      const program = await startProgram(process.execPath, [MAIN, 'run', '--config', file])
      t.teardown(async () => void (await program.stop('SIGKILL')))
      await program.output(/"msg":"started"/, START_MS)
      return program
    },
    async records() {
      const records: StoredRecord[] = []
      for await (const { record } of readJournal(join(base, 'journal'))) records.push(record)
      return records
    },
  }
}
