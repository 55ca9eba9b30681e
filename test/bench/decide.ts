/** What a decision costs: from memory, evaluated, and its parts, with the starter bundle behind the real combiner. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bench, do_not_optimize, run } from 'mitata'
import type { Question } from '../../src/gate/ports.ts'
import { context, Session } from '../../src/gate/session.ts'
import { buildPolicy } from '../../src/policy/authoring/build.ts'
import { combinerDigest } from '../../src/policy/combiner.ts'
import { PolicyEngine } from '../../src/policy/engine.ts'
import { InputWriter } from '../../src/policy/input.ts'

/** The input of the goal, design section 3: 20 µs at the median and 100 µs in all but one of a hundred, at 1 KB. */
const INPUT_BYTES = 1024
const EVALUATIONS = 50_000

const starter = fileURLToPath(new URL('../../bundles/starter', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'sidegate-bench-'))
const file = join(folder, 'bundle.tar.gz')
const { archive } = await buildPolicy(starter, { revision: 'bench', key: null, serial: null })
writeFileSync(file, archive)
const before = performance.now()
const settings = { bundle: { file, allowUnsigned: true }, mode: 'enforce', budget: 5 } as const
const engine = await PolicyEngine.start(settings, { combiners: new Set([combinerDigest()]) })
const activation = performance.now() - before
const { code, message, memoisable, not_memoisable } = engine.status()
if (code !== null) throw new Error(`${code}: ${message ?? ''}`)

const who = context(
  { subject: 'agent', issuer: 'https://issuer.example', groups: ['readers'], claims: {}, chain: [] },
  { namespace: 'shop', pod: 'agent-7f9c', serviceAccount: 'agent', labels: { app: 'agent' } },
  { name: 'orders-db', protocol: 'postgres', host: 'orders.internal', port: 5432, labels: {} },
)

function selecting(text: string): Question {
  const detail = {
    effects: ['select'],
    relations: [
      {
        schema: 'public',
        name: 'pgbench_accounts',
        access: 'read',
        columns: ['abalance', 'aid'],
        system: null,
        kind: 'table',
        behind: [],
      },
    ],
    functions: [],
    where: null,
    limit: null,
    settings: [],
    role: null,
    statement: { index: 1, of: 1 },
    readsOnly: true,
  }
  const shape = { protocol: 'postgres', action: 'select', text, detail }
  const varying = { parameters: [{ type: 'int4', value: 48213, known: true }], transaction: 'idle', phase: 'execute' }
  return { session: new Session(who, {}), command: { shape, varying }, sequence: 1, grant: null }
}

const writer = new InputWriter()
const plain = selecting('SELECT abalance FROM pgbench_accounts WHERE aid = $1')
const padding = Math.max(0, INPUT_BYTES - writer.write(plain).length)
const question = selecting(`${plain.command.shape.text}${' '.repeat(padding)}`)
const answer = engine.decide(question)
if (answer.failed) throw new Error(`the bench's question fails: ${JSON.stringify(engine.status())}`)

// A grant that the policy does not look at is never answered from memory.
const granted: Question = { ...question, grant: { by: ['bench'], at: '2026-01-01T00:00:00Z', codes: [] } }
bench('decide, from memory', () => do_not_optimize(engine.decide(question)))
bench(`decide, evaluated, ${INPUT_BYTES} bytes of input`, () => do_not_optimize(engine.decide(granted)))
bench('write the input', () => do_not_optimize(writer.write(question)))
await run()

const times = new Float64Array(EVALUATIONS)
for (let at = 0; at < EVALUATIONS; at++) {
  const started = performance.now()
  engine.decide(granted)
  times[at] = (performance.now() - started) * 1000
}
times.sort()
const quantile = (share: number) => (times[Math.floor(share * EVALUATIONS)] ?? 0).toFixed(1)
process.stdout.write(
  [
    `effect ${answer.decision.effect} (${answer.decision.reasons[0]?.code ?? ''}), ${memoisable ? 'memoisable' : `not memoisable: ${not_memoisable}`}`,
    `evaluated: p50 ${quantile(0.5)} µs, p99 ${quantile(0.99)} µs (goal 20 / 100)`,
    `activation, from the file to the first decision: ${activation.toFixed(0)} ms`,
    '',
  ].join('\n'),
)
await engine.close()
rmSync(folder, { recursive: true, force: true })
