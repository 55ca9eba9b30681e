/** The import direction of the source, and what only the gate may do. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { importsOf, withoutComments } from './support/imports.ts'

const SRC = join(import.meta.dirname, '../src')

interface Rule {
  /** Folders that it may import from; its own always. */
  readonly values: readonly string[]
  /** Folders of which it may name types only; what they do is handed to it by commands/run.ts. */
  readonly types?: readonly string[]
}

const BOTTOM = ['config', 'net']
const PORT: Rule = { values: ['gate', ...BOTTOM] }
const WIRED = ['mask', 'identity', 'credentials']

/** `commands → protocols, console, injector → gate ← policy, approval, mask, record, identity, credentials`. */
const RULES: Readonly<Record<string, Rule>> = {
  gate: { values: [] },
  net: { values: ['config'] },
  config: { values: ['net'] },
  policy: PORT,
  approval: PORT,
  mask: PORT,
  /** What command lines would run, whatever protocol brings them. */
  shell: { values: ['gate'] },
  /** What is recorded and let through of a stream of bytes, whatever protocol carries it. */
  stream: { values: ['gate', 'net'] },
  record: PORT,
  identity: PORT,
  credentials: PORT,
  console: PORT,
  injector: PORT,
  /** protocols/protocol.ts, the contract. */
  protocols: { values: ['gate', ...BOTTOM], types: WIRED },
  /** protocols/index.ts, the list: every protocol's folder, and the contract. */
  'protocols/index': { values: ['protocols/*', 'protocols'] },
  /** protocols/NAME, each of them. */
  'protocols/*': { values: ['gate', 'shell', 'stream', 'protocols', ...BOTTOM], types: WIRED },
  commands: { values: ['*'] },
  main: { values: ['commands'] },
}

/** The gate depends on nothing that could fail it; hashing is the one thing that it takes from Node. */
const GATE_PACKAGES: ReadonlySet<string> = new Set(['node:crypto'])

interface Source {
  /** Relative to src. */
  readonly path: string
  readonly text: string
}

const SOURCES: Source[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join(SRC, path), 'utf8') }))

/** The part of the source that a path belongs to, as the rules name it; protocols with their own name. */
function partOf(path: string): string {
  const [first = '', second = '', ...deeper] = path.split('/')
  if (first !== 'protocols') return second === '' ? first.replace(/\.ts$/, '') : first
  if (deeper.length > 0) return `protocols/${second}`
  return second === 'index.ts' ? 'protocols/index' : 'protocols'
}

function ruleOf(part: string): Rule | undefined {
  return RULES[part] ?? (part.startsWith('protocols/') ? RULES['protocols/*'] : undefined)
}

function allows(names: readonly string[], part: string): boolean {
  return names.some(
    (name) => name === '*' || name === part || (name === 'protocols/*' && part.startsWith('protocols/')),
  )
}

/** Every import of a file that its part of the source must not make. */
function violations({ path, text }: Source): string[] {
  const part = partOf(path)
  const rule = ruleOf(part)
  if (rule === undefined) return [`src/${path}: src/${part} has no place in the rules of this test`]
  return importsOf(text).flatMap(({ specifier, typeOnly, line }) => {
    const where = `src/${path}:${line} imports ${specifier}`
    if (specifier === '(computed)') return [`src/${path}:${line} imports what only running it would tell`]
    if (!specifier.startsWith('.')) return part === 'gate' && !GATE_PACKAGES.has(specifier) ? [where] : []
    const target = relative(SRC, join(SRC, dirname(path), specifier))
    if (target.startsWith('..')) return part === 'gate' ? [where] : []
    const other = partOf(target)
    if (other === part || allows(rule.values, other) || (typeOnly && allows(rule.types ?? [], other))) return []
    return [where]
  })
}

t.test('Every part of the source imports only what stands below it', async (t) => {
  t.ok(SOURCES.length > 10, 'the source was found')
  t.same(SOURCES.flatMap(violations), [])
})

t.test('An import against the direction is found in every form that the language has', async (t) => {
  const found = (path: string, text: string): number => violations({ path, text }).length
  const postgres = 'protocols/postgres/session.ts'
  for (const text of [
    "import { load } from '../../policy/bundle.ts'",
    "import {\n  type Load,\n  load,\n} from '../../policy/bundle.ts'",
    "import load, { type Load } from '../../policy/bundle.ts'",
    "import * as policy from '../../policy/bundle.ts'",
    "import '../../policy/bundle.ts'",
    "import type { Load } from '../../policy/bundle.ts'",
    "export * from '../../policy/bundle.ts'",
    "export { load } from '../../policy/bundle.ts'",
    "const { load } = await import('../../policy/bundle.ts')",
    'const { load } = await import(`../../policy/bundle.ts`)',
    'const { load } = await import(name)',
    "new Worker(new URL('../../policy/worker.ts', import.meta.url))",
    "import { serve } from '../ssh/session.ts'",
    "import { append } from '../../record/journal.ts'",
    "import { ask } from '../../approval/ask.ts'",
    "import { mask } from '../../mask/apply.ts'",
    "import { protocols } from '../index.ts'",
    "import { run } from '../../commands/run.ts'",
  ]) {
    t.equal(found(postgres, text), 1, text)
  }
  t.equal(found('gate/gate.ts', "import { pino } from 'pino'"), 1, 'the gate takes no package')
  t.equal(found('gate/gate.ts', "import type { Config } from '../config/schema.ts'"), 1, 'nor even types')
  t.equal(found('policy/engine.ts', "import { append } from '../record/journal.ts'"), 1)
  t.equal(found('stream/recording.ts', "import { Journal } from '../record/journal.ts'"), 1)
  t.equal(found('stream/recording.ts', "import type { Exit } from '../protocols/ssh/channels/exit.ts'"), 1)
  t.equal(found('net/listener.ts', "import type { Gate } from '../gate/gate.ts'"), 1)
  t.equal(found('elsewhere/file.ts', ''), 1, 'a new folder needs a place in the rules')
})

t.test('An import along the direction is left alone', async (t) => {
  const found = (path: string, text: string): string[] => violations({ path, text })
  const postgres = 'protocols/postgres/messages/frontend.ts'
  t.same(found(postgres, "import { Gate } from '../../../gate/gate.ts'\nimport { read } from '../framing.ts'"), [])
  t.same(found(postgres, "import type { Masker } from '../../../mask/apply.ts'"), [])
  t.same(found(postgres, "// import { load } from '../../../policy/bundle.ts'\nconst text = 'a from b'"), [])
  t.same(found('protocols/index.ts', "import { postgres } from './postgres/index.ts'"), [])
  t.same(found('gate/session.ts', "import { randomUUID } from 'node:crypto'"), [])
  t.same(found('commands/run.ts', "import { Journal } from '../record/journal.ts'"), [])
})

t.test('The gate names no protocol, so that each new one changes nothing in it', async (t) => {
  const naming = SOURCES.filter(({ path }) => path.startsWith('gate/'))
    .flatMap(({ path, text }) => text.split('\n').map((line, index) => ({ where: `src/${path}:${index + 1}`, line })))
    .filter(({ line }) => /postgres|ssh|kubernetes/i.test(line))
  t.same(naming, [])
})

/** Ways of getting a Permit, or what contains one, that are not the gate's. */
const FORGERIES = [
  /\bGatePermit\b/,
  /\bas\s+(?:[\w.]+\.)?(?:Permit|Verdict)\b/,
  /\bas\s+(?:never|any)\b/,
  /\b(?:Reflect\.construct|Object\.setPrototypeOf)\b/,
  /\.constructor\b/,
  // A method can be assigned to as far as the compiler is concerned.
  /\bpermit\.\w+\s*=[^=]/i,
]

function forgeries(text: string): string[] {
  const lines = withoutComments(text).split('\n')
  return lines.filter((line) => FORGERIES.some((pattern) => pattern.test(line)))
}

t.test('Nothing but the gate makes a permit, by construction or by cast', async (t) => {
  const outside = SOURCES.filter(({ path }) => !path.startsWith('gate/'))
  const found = outside.flatMap(({ path, text }) => forgeries(text).map((line) => `src/${path}: ${line.trim()}`))
  t.same(found, [])
  for (const text of [
    'send({ ...verdict } as Permit)',
    'send(message as unknown as Permit)',
    'send(message as gate.Permit)',
    'permit.take = () => other',
    'send(message as never)',
    'send(new GatePermit(record))',
    'new (permit.constructor)(record)',
    'Reflect.construct(made, [record])',
  ]) {
    t.equal(forgeries(text).length, 1, text)
  }
  t.same(forgeries('function send(permit: Permit): Promise<Permit> {\n  // as Permit'), [])
})

t.test('Inside the gate a permit is made at one place only', async (t) => {
  const inside = SOURCES.filter(({ path }) => path.startsWith('gate/')).map(({ text }) => withoutComments(text))
  const made = inside.flatMap((text) => text.match(/\bnew\s+GatePermit\b/g) ?? [])
  const exported = inside.flatMap(
    (text) => text.match(/\bexport\s+(?:class\s+GatePermit|\{[^}]*\bGatePermit\b)/g) ?? [],
  )
  t.equal(made.length, 1)
  t.same(exported, [])
})
