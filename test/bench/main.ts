/** `make bench`: the whole path first, then its steps. Every part is a process of its own. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const PARTS = [
  'pgbench',
  'streams',
  'footprint',
  'decide',
  'record',
  'frames',
  'session',
  'facts',
  'mask',
  'sftp',
  'ssh',
  'kubernetes',
] as const

const chosen = process.argv.slice(2)
for (const part of PARTS.filter((name) => chosen.length === 0 || chosen.includes(name))) {
  console.log(`\n## ${part}\n`)
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${part}.ts`)], { stdio: 'inherit' })
  if (status !== 0) {
    console.error(`the benchmark ${part} failed`)
    process.exitCode = 1
  }
}
