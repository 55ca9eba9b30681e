import t from 'tap'
import type { JsonObject } from '../../../src/gate/json.ts'
import { compose, innerOf, mystify } from '../../../src/protocols/postgres/compose.ts'
import type { Statement } from '../../../src/protocols/postgres/statement.ts'

const relation = (name: string) => ({ schema: 'public', name, access: 'read', columns: [] })

function statement(action: string, detail: JsonObject, readsOnly = true): Statement {
  const facts = { relations: [], functions: [], settings: [], where: null, limit: null, role: null, readsOnly }
  const shape = { protocol: 'postgres', action, text: action, detail: { ...facts, effects: [action], ...detail } }
  return { shape, role: { is: 'plain' }, tree: {}, readsOnly, parameters: 0 }
}

const outer = statement('prepare', { functions: [{ name: 'now' }] })

t.test('what runs another statement does what both do, and is called by the more powerful', async (t) => {
  const inner = statement('delete', { relations: [relation('log')], where: false, limit: 5 }, false)
  const composed = compose(outer, inner)
  t.equal(composed.shape.action, 'delete')
  t.equal(composed.shape.text, 'prepare', 'in the agent’s own words')
  t.equal(composed.readsOnly, false)
  t.match(composed.shape.detail, {
    effects: ['delete', 'prepare'],
    relations: [relation('log')],
    functions: [{ name: 'now' }],
    where: false,
    limit: 5,
    readsOnly: false,
  })
  t.equal(innerOf(composed), inner)
  t.equal(innerOf(outer), undefined)
})

t.test('a write without WHERE stays one, whichever of the two it is in', async (t) => {
  for (const [a, b, both] of [
    [null, null, null],
    [null, true, true],
    [true, null, true],
    [true, false, false],
    [false, true, false],
    [false, null, false],
  ] as const) {
    t.equal(compose(statement('x', { where: a }), statement('y', { where: b })).shape.detail['where'], both)
  }
})

t.test('the same two are always the same object, so that what is derived from it may be kept', async (t) => {
  const inner = statement('select', {})
  t.equal(compose(outer, inner), compose(outer, inner))
  t.not(compose(outer, inner), compose(outer, statement('select', {})))
  t.equal(mystify(outer), mystify(outer))
})

t.test('what nobody here knows is unknown, and no read', async (t) => {
  const mystified = mystify(outer)
  t.equal(mystified.shape.action, 'unknown')
  t.equal(mystified.readsOnly, false)
  t.match(mystified.shape.detail, { effects: ['unknown', 'prepare'], readsOnly: false })
})
