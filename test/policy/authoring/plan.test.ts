import fc from 'fast-check'
import t from 'tap'
import { readBundle } from '../../../src/policy/archive.ts'
import { ENTRYPOINT } from '../../../src/policy/attestation.ts'
import { opaBuild } from '../../../src/policy/authoring/build.ts'
import { readsOf } from '../../../src/policy/authoring/plan.ts'
import { staged } from '../../../src/policy/authoring/stage.ts'
import { HOST_BUILTINS } from '../../../src/policy/builtins.ts'
import { openBundle } from '../../../src/policy/bundle.ts'
import { combinerDigest, combinerSources } from '../../../src/policy/combiner.ts'
import { Instance } from '../../../src/policy/wasm.ts'
import { WebAssembly } from '../../../src/policy/webassembly.ts'
import { buildBundle } from '../../support/bundle.ts'

/** The paths that a rule's condition reads, without those that the combiner reads anyway. */
async function reads(condition: string, more = ''): Promise<readonly string[] | null> {
  const text = `package policy.p\n\nallow contains {"code": "x"} if {\n\t${condition}\n}\n${more}`
  const { inputPaths } = await staged([...combinerSources(), { path: 'p.rego', text }], async (folder) => {
    const plan = (await opaBuild(folder, 'plan', ENTRYPOINT)).get('plan.json')
    return readsOf(plan?.toString('utf8') ?? '')
  })
  return inputPaths?.map((path) => path.join('.')).filter((path) => path !== 'command.protocol') ?? null
}

t.test('a constant path is what is read, and nothing around it', async (t) => {
  t.strictSame(await reads('input.command.action == "select"'), ['command.action'])
  t.strictSame(await reads('input["principal"].subject == "a"\n\tinput.target.port > 5'), [
    'principal.subject',
    'target.port',
  ])
})

t.test('looking whether something is there reads it', async (t) => {
  t.strictSame(await reads('input.approval.by'), ['approval.by'])
  t.strictSame(await reads('not input.approval.by'), ['approval.by'])
  t.strictSame(await reads('x := input.command.detail\n\tx'), ['command.detail'])
})

t.test('a variable stands for what it was taken from', async (t) => {
  t.strictSame(await reads('x := input.command\n\ty := x.detail\n\ty.role == null'), ['command.detail.role'])
})

t.test('iteration, computed keys and comparison read all beneath', async (t) => {
  t.strictSame(await reads('some e in input.command.detail.effects\n\te == "select"'), ['command.detail.effects'])
  t.strictSame(await reads('input.command.detail.relations[_].name == "x"'), ['command.detail.relations'])
  t.strictSame(await reads('input.command.detail.relations[0].name == "x"'), ['command.detail.relations'])
  t.strictSame(await reads('key := input.command.action\n\tinput.command.detail[key]'), [
    'command.action',
    'command.detail',
  ])
  t.strictSame(await reads('input.command == {}'), ['command'])
  t.strictSame(await reads('every e in input.principal.groups {\n\t\te != "x"\n\t}'), ['principal.groups'])
  t.strictSame(await reads('count([1 | input.workload.labels[x] == "y"]) > 0'), ['workload.labels'])
})

t.test('a path that begins another swallows it', async (t) => {
  t.strictSame(await reads('input.command.detail.role == null\n\tcount(input.command.detail) > 1'), ['command.detail'])
})

t.test('what is handed to a function, or given back by one, is read whole', async (t) => {
  const f = '\nf(x) if x.name == "a"\n\ng(x) := x.principal\n'
  t.strictSame(await reads('f(input.target)', f), ['target'])
  t.strictSame(await reads('object.get(input.target, "name", "") == "a"'), ['target'])
  t.strictSame(await reads('r == "a"', '\nr := input.target.name\n'), ['target.name'])
  t.strictSame(await reads('r.name == "a"', '\nr := input.target\n'), ['target'])
})

t.test('the whole input as a value, or another one in its place, leaves nothing to assume', async (t) => {
  for (const condition of [
    'object.get(input, ["target", "name"], "") == "a"',
    'walk(input, [["target"], _])',
    'count(input) > 1',
    'input[_] == 1',
    'input == {}',
    'x := {"all": input}\n\tx.all.version == 1',
    'r with input.command as {}',
    'r with input as {}',
  ]) {
    t.equal(await reads(condition, '\nr if input.target.name == "a"\n'), null, condition)
  }
})

t.test('a statement that the analysis does not know leaves nothing to assume', async (t) => {
  const plan = {
    static: { strings: [] },
    plans: { plans: [{ name: 'p', blocks: [{ stmts: [{ type: 'NewStmt', stmt: {} }] }] }] },
    funcs: { funcs: [] },
  }
  t.equal(readsOf(JSON.stringify(plan)).inputPaths, null)
})

t.test('rules called by a computed name are looked at like all others', async (t) => {
  // With the same rules in each package, OPA looks the package up at run time.
  const others = ['a', 'b', 'c'].map((name) => ({
    path: `${name}.rego`,
    text: `package policy.${name}\n\nallow contains {"code": "x"} if input.session.usage.${name === 'a' ? 'rows' : 'bytes'} > 1\n`,
  }))
  const { inputPaths } = await staged([...combinerSources(), ...others], async (folder) =>
    readsOf((await opaBuild(folder, 'plan', ENTRYPOINT)).get('plan.json')?.toString('utf8') ?? ''),
  )
  t.strictSame(inputPaths, [
    ['command', 'protocol'],
    ['session', 'usage', 'bytes'],
    ['session', 'usage', 'rows'],
  ])
})

t.test('a local that the planner uses again for something else is not taken for what it held before', async (t) => {
  const [one, two] = ['functions', 'relations'].map((key) => {
    const rule = `allow contains {"code": "${key}"} if {\n\tsome item in input.command.detail.${key}\n\titem.name == "x"\n}`
    return {
      path: `${key}.rego`,
      text: `package policy.${key}\n\n${rule}\n\n${rule.replace('"x"', '"y"')}\n\nallow contains {"code": "z"} if not input.command.detail.where\n`,
    }
  })
  if (one === undefined || two === undefined) throw new Error('two packages')
  const { inputPaths } = await staged([...combinerSources(), one, two], async (folder) =>
    readsOf((await opaBuild(folder, 'plan', ENTRYPOINT)).get('plan.json')?.toString('utf8') ?? ''),
  )
  t.strictSame(inputPaths, [
    ['command', 'detail', 'functions'],
    ['command', 'detail', 'relations'],
    ['command', 'detail', 'where'],
    ['command', 'protocol'],
  ])
})

t.test('what the starter bundle is said not to read changes no decision of it', async (t) => {
  const file = await buildBundle(new URL('../../../bundles/starter', import.meta.url).pathname)
  const { wasm, data, attestation } = await openBundle(await readBundle(file), {
    key: null,
    combiners: new Set([combinerDigest()]),
  })
  const { inputPaths } = attestation
  t.not(inputPaths, null)
  // Each of these makes decisions of one statement differ: none would be on hand when it runs again with other values.
  for (const path of [
    ['command'],
    ['command', 'text'],
    ['command', 'detail'],
    ['command', 'detail', 'parameters'],
    ['session'],
  ]) {
    const reads = inputPaths?.some((read) => read.every((part, at) => part === path[at]))
    t.notOk(reads, `it does not read ${path.join('.')}`)
  }
  const module = await WebAssembly.compile(wasm)
  const instance = new Instance({ module, entrypoint: ENTRYPOINT, builtins: HOST_BUILTINS, data })
  const decide = (input: unknown) => instance.evaluate(JSON.stringify(input))
  const any = fc
    .anything({ maxDepth: 2, withNullPrototype: false })
    .map((value) => (value === undefined ? null : value))
  const effects = fc.subarray(['unknown', 'ddl', 'delete', 'update', 'insert', 'select', 'copy-out', 'session', 'lock'])
  const input = fc.record({
    version: fc.constant(1),
    command: fc.record({
      protocol: fc.constantFrom('postgres', 'ssh'),
      action: fc.constant('select'),
      text: fc.string(),
      detail: fc.record({
        effects,
        relations: fc.array(
          fc.record({
            schema: fc.constantFrom('public', null, 'hr'),
            name: fc.constantFrom('orders', 'customers', 'pg_stats'),
            access: fc.constantFrom('read', 'update', 'delete', 'unknown'),
            columns: fc.subarray(['id', '*']),
            system: fc.constantFrom(null, 'open', 'values'),
            kind: fc.constantFrom('table', 'unknown'),
            behind: fc.subarray(['public.customers', 'hr.salaries']),
          }),
          { maxLength: 2 },
        ),
        functions: fc.array(
          fc.record({ schema: fc.constant(null), name: fc.constant('f'), class: fc.constantFrom('pure', 'waits') }),
          {
            maxLength: 1,
          },
        ),
        where: fc.constantFrom(true, false, null),
        limit: fc.constant(null),
        parameters: fc.constant([]),
        settings: fc.constant([]),
        role: fc.constantFrom(null, 'postgres'),
        transaction: fc.constant('idle'),
        phase: fc.constant('execute'),
        statement: fc.constant({ index: 1, of: 1 }),
        readsOnly: fc.boolean(),
      }),
    }),
    principal: any,
    target: any,
    session: any,
    approval: any,
  })
  fc.assert(
    fc.property(input, any, (full, noise) => decide(full) === decide(disturbed(full, inputPaths ?? [], noise))),
    { numRuns: 300 },
  )
  // The property would hold of a policy that always says the same, too.
  const saying = (effect: string) => {
    const detail = { effects: [effect], relations: [], functions: [], settings: [], role: null }
    return decide({ command: { protocol: 'postgres', detail } })
  }
  t.not(saying('select'), saying('ddl'))
})

/** Everything replaced but what the paths lead to. */
function disturbed(value: unknown, paths: readonly (readonly string[])[], noise: unknown): unknown {
  if (paths.some((path) => path.length === 0)) return value
  if (paths.length === 0 || typeof value !== 'object' || value === null) return noise
  const entries = Object.entries(value).map(([key, member]): [string, unknown] => [
    key,
    disturbed(
      member,
      paths.flatMap(([head, ...rest]) => (head === key ? [rest] : [])),
      noise,
    ),
  ])
  return Object.fromEntries(entries)
}
