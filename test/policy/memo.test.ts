import fc from 'fast-check'
import t from 'tap'
import type { Json, JsonObject } from '../../src/gate/json.ts'
import type { Answer } from '../../src/gate/ports.ts'
import { InputContract } from '../../src/policy/contract.ts'
import { Memo, memoPlan } from '../../src/policy/memo.ts'
import { failure } from '../../src/policy/policy.ts'
import { question, shape, subject } from './fixture.ts'

const answer = (revision: string): Answer => ({ ...failure('policy.error', revision) })

t.test(
  'decisions are kept only where the policy reads nothing but the command and what is constant in a session',
  async (t) => {
    const plan = (inputPaths: string[][] | null, deterministic = true) => memoPlan({ inputPaths, deterministic })
    t.strictSame(plan([]), { memoisable: true, keys: [], text: false })
    t.strictSame(plan([['command', 'action'], ['principal'], ['target', 'labels'], ['workload'], ['version']]), {
      memoisable: true,
      keys: [],
      text: false,
    })
    t.strictSame(
      plan([
        ['command', 'detail', 'parameters', '0'],
        ['command', 'detail', 'phase'],
      ]),
      { memoisable: true, keys: ['parameters', 'phase'], text: false },
    )
    t.strictSame(plan([['command', 'detail']]), { memoisable: true, keys: null, text: false })
    t.strictSame(plan([['command', 'text']]), { memoisable: true, keys: [], text: true })
    t.strictSame(plan([['command']]), { memoisable: true, keys: null, text: true })
    for (const path of [
      ['session', 'usage', 'rows'],
      ['session', 'sequence'],
      ['session', 'id'],
      ['session'],
      ['approval'],
      ['approval', 'by'],
      ['unheard of'],
      [],
    ]) {
      t.equal(plan([['command', 'action'], path]).memoisable, false, path.join('.'))
    }
    t.match(plan(null), { memoisable: false, why: /listed/ })
    t.match(plan([], false), { memoisable: false, why: /builtin/ })
  },
)

t.test(
  'an answer is found again for the same shape, an equal context and equal values that the policy reads',
  async (t) => {
    const memo = new Memo({ keys: ['parameters'], text: false })
    const one = shape('select 1')
    const kept = answer('kept')
    memo.keep(question(one, { varying: { parameters: [1, { a: 'x' }], phase: 'execute' } }), kept)
    t.equal(
      memo.find(question(one, { varying: { phase: 'prepare', parameters: [1, { a: 'x' }] } })),
      kept,
      'phase is not read',
    )
    t.equal(
      memo.find(question(one, { varying: { parameters: [1, { a: 'x' }] }, who: subject('alice') })),
      kept,
      'another session',
    )
    t.equal(memo.find(question(one, { varying: { parameters: [1, { a: 'y' }] } })), undefined)
    t.equal(memo.find(question(one, { varying: { parameters: [1] } })), undefined)
    t.equal(memo.find(question(one, { varying: {} })), undefined)
    t.equal(memo.find(question(one, { varying: { parameters: [1, { a: 'x' }] }, who: subject('mallory') })), undefined)
    t.equal(
      memo.find(question(shape('select 2'), { varying: { parameters: [1, { a: 'x' }] } })),
      kept,
      'another text, which is not read, with the same facts',
    )
    t.equal(
      memo.find(question({ ...one, action: 'delete' }, { varying: { parameters: [1, { a: 'x' }] } })),
      undefined,
      'another action',
    )
  },
)

t.test('where the policy reads the text, an answer is found again for the same text only', async (t) => {
  const memo = new Memo({ keys: [], text: true })
  const kept = answer('kept')
  memo.keep(question(shape('select 1')), kept)
  t.equal(memo.find(question(shape('select 1'))), kept)
  t.equal(memo.find(question(shape('select 2'))), undefined)
})

t.test('facts that the policy reads and that differ are different commands', async (t) => {
  const memo = new Memo({ keys: ['effects'], text: false })
  const one = shape('select 1')
  const kept = answer('kept')
  memo.keep(question({ ...one, detail: { effects: ['select'], limit: 1 } }), kept)
  t.equal(memo.find(question({ ...one, detail: { effects: ['select'], limit: 2 } })), kept, 'limit is not read')
  t.equal(memo.find(question({ ...one, detail: { effects: ['delete'], limit: 1 } })), undefined)
  t.equal(memo.find(question({ ...one, detail: {} })), undefined)
})

t.test('facts of many kilobytes are kept with their object, and not by their value', async (t) => {
  const memo = new Memo({ keys: ['body'], text: false })
  const of = (length: number) => ({ ...shape('create'), detail: { body: { data: 'x'.repeat(length) } } })
  const [short, long] = [of(1_000), of(100_000)]
  for (const each of [short, long]) {
    memo.keep(question(each), answer('kept'))
    t.equal(memo.find(question(each))?.revision, 'kept')
  }
  t.equal(memo.find(question(of(1_000)))?.revision, 'kept')
  t.equal(memo.find(question(of(100_000))), undefined)
})

t.test('values of kilobytes are judged anew rather than kept', async (t) => {
  const memo = new Memo({ keys: ['parameters'], text: false })
  const one = shape('insert')
  const of = (length: number) => ({ varying: { parameters: ['x'.repeat(length)] } })
  memo.keep(question(one, of(500)), answer('kept'))
  memo.keep(question(one, of(5_000)), answer('kept'))
  t.equal(memo.find(question(one, of(500)))?.revision, 'kept')
  t.equal(memo.find(question(one, of(5_000))), undefined)
})

t.test('what many different commands leave behind is bounded in bytes, and the newest of it is found', async (t) => {
  const memo = new Memo({ keys: ['parameters'], text: true })
  const asked = (text: number, value: number) =>
    question(shapes[text] ?? shape(''), { varying: { parameters: [`${value}${'x'.repeat(1_000)}`] } })
  const shapes = Array.from({ length: 4_000 }, (_, index) => shape(`select ${index}`))
  for (const [index] of shapes.entries()) {
    for (let value = 0; value < 16; value++) memo.keep(asked(index, value), answer('kept'))
  }
  const found = shapes.map((_, index) => memo.find(asked(index, 15)) !== undefined)
  const kept = found.filter(Boolean).length
  t.ok(kept > 1_000 && kept < 2_500, `${kept} of 4000 with some 20 kB each`)
  t.equal(found.at(-1), true)
  t.equal(found.lastIndexOf(false), found.length - kept - 1, 'the oldest went')
  memo.keep(asked(0, 3), answer('again'))
  t.equal(memo.find(asked(0, 3))?.revision, 'again', 'a command that had gone is kept anew')
})

t.test('of too many small commands, those whose shapes live on are still found', async (t) => {
  const memo = new Memo({ keys: [], text: true })
  const shapes = Array.from({ length: 6_000 }, (_, index) => shape(`select ${index}`))
  for (const one of shapes) memo.keep(question(one), answer('kept'))
  t.ok(shapes.every((one) => memo.find(question(one)) !== undefined))
  t.equal(memo.find(question(shape('select 0'))), undefined, 'another object that says the same as the oldest')
  t.not(memo.find(question(shape('select 5999'))), undefined)
})

const VOCABULARIES = new Map([
  ['test', new Set(['effects', 'parameters'])],
  ['other', new Set(['kind', 'parameters'])],
])

t.test('what only the facts of another protocol have makes no difference, and what its own have does', async (t) => {
  const memo = new Memo({ keys: ['effects', 'kind', 'parameters'], text: false }, VOCABULARIES)
  const one = { ...shape('select 1'), protocol: 'test', detail: { effects: ['select'] } }
  const other = { ...shape('run'), protocol: 'other', detail: { kind: 'exec' } }
  const [kept, others] = [answer('kept'), answer('others')]
  memo.keep(question(one, { varying: { parameters: [1], kind: 'unheard of' } }), kept)
  memo.keep(question(other, { varying: { parameters: [1] } }), others)
  t.equal(memo.find(question(one, { varying: { parameters: [1] } })), kept)
  t.equal(memo.find(question(one, { varying: { parameters: [2] } })), undefined)
  t.equal(memo.find(question({ ...one, detail: { effects: ['delete'] } }, { varying: { parameters: [1] } })), undefined)
  t.equal(memo.find(question(other, { varying: { parameters: [1] } })), others)
  t.equal(memo.find(question({ ...other, detail: { kind: 'shell' } }, { varying: { parameters: [1] } })), undefined)
  t.equal(memo.find(question(other, { varying: { parameters: [1], effects: ['exec'] } })), others)
  const unknown = { ...one, protocol: 'unknown' }
  memo.keep(question(unknown, { varying: { parameters: [1], kind: 'a' } }), kept)
  t.equal(
    memo.find(question(unknown, { varying: { parameters: [1], kind: 'b' } })),
    undefined,
    'a protocol without a schema',
  )
})

t.test('the same facts of two protocols are two commands, even where they are one object', async (t) => {
  for (const keys of [null, [], ['parameters']]) {
    for (const text of [false, true]) {
      const memo = new Memo({ keys, text }, VOCABULARIES)
      const one = { ...shape('x'), protocol: 'test', detail: Object.freeze({}) }
      memo.keep(question(one), answer('kept'))
      t.equal(memo.find(question({ ...one, protocol: 'other' })), undefined)
      t.not(memo.find(question(one)), undefined)
    }
  }
})

t.test('the published schemas are closed, so that each protocol’s facts are known by name', async (t) => {
  const { vocabularies, details } = InputContract.load()
  t.same([...vocabularies.keys()].sort(), [...details.keys()].sort())
  t.ok(vocabularies.get('postgres')?.has('relations'))
  t.notOk(vocabularies.get('postgres')?.has('kind'))
  t.ok(vocabularies.get('ssh')?.has('kind'))
  const open = new InputContract(
    { type: 'object', properties: {} },
    new Map([['open', { type: 'object', properties: { a: true } }]]),
  )
  t.same([...open.vocabularies], [], 'where others may come, all count')
})

t.test('a value that its protocol changes afterwards does not change what was kept', async (t) => {
  const memo = new Memo({ keys: null, text: false })
  const one = shape('select 1')
  const parameters: string[] = ['harmless']
  memo.keep(question(one, { varying: { parameters } }), answer('allowed'))
  parameters[0] = 'forbidden'
  t.equal(memo.find(question(one, { varying: { parameters } })), undefined)
})

t.test('the memo answers exactly as a table of everything kept would, or does not know', async (t) => {
  const values: fc.Arbitrary<Json> = fc.constantFrom<Json>(
    0,
    1,
    '1',
    '',
    null,
    true,
    [],
    {},
    [1],
    ['1'],
    { a: 1 },
    { a: 1, b: 2 },
    { b: 2, a: 1 },
    [[1]],
    { a: [1] },
  )
  const varyings = fc.dictionary(fc.constantFrom('a', 'b', 'c'), values, {
    noNullPrototype: true,
  }) as fc.Arbitrary<JsonObject>
  const shapes = [shape('x'), shape('y')]
  const people = [subject('a'), subject('b'), subject('a')]
  fc.assert(
    fc.property(
      fc.constantFrom<readonly string[] | null>(null, [], ['a'], ['a', 'c']),
      fc.array(fc.tuple(fc.nat(1), fc.nat(2), varyings), { maxLength: 60 }),
      fc.boolean(),
      (keys, steps, filtered) => {
        // What the vocabulary leaves out is in no command of the protocol.
        const known = filtered ? new Map([[shape('').protocol, new Set(['a', 'b', 'c', 'd'])]]) : undefined
        const memo = new Memo({ keys: filtered ? (keys?.concat('kind') ?? null) : keys, text: true }, known)
        const table = new Map<string, Answer>()
        return steps.every(([at, who, varying]) => {
          const asked = question(shapes[at] ?? shape('z'), { varying, who: people[who] ?? subject() })
          const read = keys === null ? byKey(varying) : keys.map((key) => [key, varying[key]])
          const key = JSON.stringify([at, who % 2, read.map(([name, value]) => [name, sorted(value)])])
          const found = memo.find(asked)
          if (found !== undefined) return found === table.get(key)
          const fresh = table.get(key) ?? answer(key)
          table.set(key, fresh)
          memo.keep(asked, fresh)
          return memo.find(asked) === fresh
        })
      },
    ),
  )
  t.pass('no counterexample')
})

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value === undefined ? 'absent' : ['is', value]
  return byKey(value).map(([key, member]) => [key, sorted(member)])
}

function byKey(value: object): [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)) as [string, unknown][]
}
