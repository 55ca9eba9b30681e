/** A Permit cannot be forged: each attempt fails to compile, and for the reason that it should. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../support/process.ts'

const ROOT = join(import.meta.dirname, '../..')
const COMPILE_MS = 60_000

const PREAMBLE = `
import type { Permit, Verdict } from '../../src/gate/gate.ts'
import type { Session } from '../../src/gate/session.ts'
declare const permit: Permit
declare const session: Session
declare const verdict: Verdict
declare const bytes: Uint8Array
declare function forward(permit: Permit): void
export { permit, session, verdict, bytes, forward }
`

const MEMBERS = `session, commands: [], decisions: [], sequence: 1, decidedAt: 0, revision: '', streaming: false,
  take: () => bytes, pass: (more: Uint8Array) => more, close: () => {}`

const HIDDEN = '#record = 1; #position = 1; #bytes = null; #stream = 1'
const FIELDS = `session = session; commands = []; decisions = []; sequence = 1; decidedAt = 0; revision = ''
  streaming = false; take() { return bytes } pass(more: Uint8Array) { return more } close() {}`

interface Attempt {
  readonly code: string
  /** What the compiler says; absent when it compiles. */
  readonly fails?: { readonly error: string; readonly message: RegExp }
}

const ATTEMPTS = {
  /** The control: what an honest protocol writes compiles, so the others fail for what they do. */
  honest: { code: `if (verdict.kind === 'permitted') forward(verdict.permit)` },
  unchecked: {
    code: 'forward(verdict.permit)',
    fails: { error: 'TS2339', message: /'permit' does not exist on type/ },
  },
  bytes: {
    code: 'forward(bytes)',
    fails: { error: 'TS2740', message: /missing the following properties from type 'GatePermit'/ },
  },
  literal: {
    code: `forward({ ${MEMBERS} })`,
    fails: { error: 'TS2739', message: /missing the following properties from type 'GatePermit': #record/ },
  },
  copy: {
    code: 'forward({ ...permit, take: permit.take, pass: permit.pass, close: permit.close })',
    fails: { error: 'TS2739', message: /missing the following properties from type 'GatePermit': #record/ },
  },
  lookalike: {
    code: `class GatePermit { ${HIDDEN}; ${FIELDS} }\nforward(new GatePermit())`,
    fails: { error: 'TS2345', message: /refers to a different member/ },
  },
  implementing: {
    code: `export class Forged implements Permit { ${FIELDS} }`,
    fails: { error: 'TS2720', message: /#record|extend 'GatePermit'/ },
  },
  extending: {
    code: `import { GatePermit } from '../../src/gate/gate.ts'\nexport class Forged extends GatePermit {}`,
    fails: { error: 'TS2459', message: /'GatePermit' locally, but it is not exported/ },
  },
  constructing: {
    code: `import { type Permit as Made } from '../../src/gate/gate.ts'\nforward(new Made())`,
    fails: { error: 'TS2693', message: /only refers to a type/ },
  },
  constructor: {
    code: 'forward(new permit.constructor())',
    fails: { error: 'TS2351', message: /not constructable/ },
  },
  reaching: {
    code: 'export const taken = permit.#bytes',
    fails: { error: 'TS18013', message: /not accessible outside class 'GatePermit'/ },
  },
  asserting: {
    code: 'forward(<Permit>{})',
    fails: { error: 'TS1294', message: /'erasableSyntaxOnly' is enabled/ },
  },
  replacing: {
    code: 'permit.sequence = 2',
    fails: { error: 'TS2540', message: /read-only/ },
  },
} satisfies Record<string, Attempt>

/** Compiles all attempts in one run; gives each file's diagnostics. */
async function compile(attempts: Readonly<Record<string, Attempt>>): Promise<Map<string, string>> {
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  const directory = mkdtempSync(join(ROOT, '.cache/types-'))
  try {
    for (const [name, { code }] of Object.entries(attempts)) {
      writeFileSync(join(directory, `${name}.ts`), `${PREAMBLE}${code}\n`)
    }
    const compilerOptions = { rootDir: '../..', noEmit: true }
    writeFileSync(
      join(directory, 'tsconfig.json'),
      JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }),
    )
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const { stdout } = await run(process.execPath, [tsc, '--pretty', 'false', '-p', directory], {
      cwd: directory,
      ms: COMPILE_MS,
    })
    const found = new Map<string, string>()
    let file = ''
    for (const line of stdout.split('\n')) {
      // A diagnostic's details follow it on indented lines.
      file = /^(.*?)\.ts\(\d+,\d+\): error/.exec(line)?.[1] ?? (line.startsWith(' ') ? file : '(other)')
      if (line !== '') found.set(file, `${found.get(file) ?? ''}${line}\n`)
    }
    return found
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

t.test('A permit that the gate did not make does not compile', async (t) => {
  const attempts: Readonly<Record<string, Attempt>> = ATTEMPTS
  const found = await compile(attempts)
  t.equal(found.get('(other)'), undefined, 'nothing else is wrong')
  for (const [name, { fails }] of Object.entries(attempts)) {
    const said = found.get(name) ?? ''
    if (fails === undefined) {
      t.equal(said, '', `${name} compiles`)
      continue
    }
    t.same(said.match(/error TS\d+/g), [`error ${fails.error}`], `${name} fails for one reason:\n${said}`)
    t.match(said, fails.message, `${name} fails for the right reason`)
  }
})
