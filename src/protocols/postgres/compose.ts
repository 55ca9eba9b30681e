/** Statements that run another statement by its name: EXECUTE, FETCH, EXPLAIN EXECUTE. They do what that one does. */
import type { Shape } from '../../gate/command.ts'
import type { Json, JsonObject } from '../../gate/json.ts'
import type { FunctionEntry } from './catalogue.ts'
import { EFFECTS } from './sql/facts.ts'
import type { Statement } from './statement.ts'

const composed = new WeakMap<Statement, WeakMap<Statement, Statement>>()

/** `outer` as it is when it runs `inner`: the facts of both. The same two always give the same object. */
export function compose(outer: Statement, inner: Statement): Statement {
  let byInner = composed.get(outer)
  if (byInner === undefined) composed.set(outer, (byInner = new WeakMap()))
  let statement = byInner.get(inner)
  if (statement === undefined) {
    const shape = composeShapes(outer.shape, inner.shape)
    statement = Object.freeze({ ...outer, shape, readsOnly: outer.readsOnly && inner.readsOnly })
    byInner.set(inner, statement)
    inners.set(statement, inner)
  }
  return statement
}

/** What a composed statement runs; undefined for any other. */
export function innerOf(statement: Statement): Statement | undefined {
  return inners.get(statement)
}

/** What EXECUTE runs in the end: the protocol can prepare a COPY, a PREPARE or a DEALLOCATE, which SQL then executes. */
export function innermost(statement: Statement): Statement {
  const inner = statement.role.is === 'execute' ? inners.get(statement) : undefined
  return inner === undefined ? statement : innermost(inner)
}

const inners = new WeakMap<Statement, Statement>()
const mystified = new WeakMap<Statement, Statement>()

const called = new WeakMap<Statement, Map<string, Statement>>()

/** `outer` as it is when it also calls these functions. The same always give the same object. */
export function calling(outer: Statement, functions: readonly FunctionEntry[]): Statement {
  let byCalls = called.get(outer)
  if (byCalls === undefined) called.set(outer, (byCalls = new Map()))
  const facts = functions.map(({ schema, name, class: its }) => ({ schema, name, class: its }))
  const key = JSON.stringify(facts)
  let statement = byCalls.get(key)
  if (statement === undefined) {
    const detail = Object.freeze({
      ...outer.shape.detail,
      functions: union(outer.shape.detail['functions'], facts),
      readsOnly: false,
    })
    statement = Object.freeze({
      ...outer,
      shape: Object.freeze({ ...outer.shape, detail }),
      // Plans are kept by the tree.
      tree: Object.freeze({ ...outer.tree }),
      readsOnly: false,
      converting: Object.freeze([...(outer.converting ?? []), ...functions]),
    })
    byCalls.set(key, statement)
  }
  return statement
}

/** `outer` when nobody here knows what it runs, such as a cursor that a function opened. */
export function mystify(outer: Statement): Statement {
  let statement = mystified.get(outer)
  if (statement === undefined) {
    const effects = Object.freeze(['unknown', ...list(outer.shape.detail['effects'])])
    const detail = Object.freeze({ ...outer.shape.detail, effects, readsOnly: false })
    statement = Object.freeze({
      ...outer,
      shape: Object.freeze({ ...outer.shape, action: 'unknown', detail }),
      readsOnly: false,
    })
    mystified.set(outer, statement)
  }
  return statement
}

function composeShapes(outer: Shape, inner: Shape): Shape {
  const [a, b] = [outer.detail, inner.detail]
  const present = new Set([...list(a['effects']), ...list(b['effects'])])
  const effects = EFFECTS.filter((effect) => present.has(effect))
  const detail: JsonObject = {
    ...a,
    effects,
    relations: union(a['relations'], b['relations']),
    functions: union(a['functions'], b['functions']),
    settings: union(a['settings'], b['settings']),
    where: both(a['where'], b['where']),
    limit: a['limit'] ?? b['limit'] ?? null,
    role: a['role'] ?? b['role'] ?? null,
    readsOnly: a['readsOnly'] === true && b['readsOnly'] === true,
  }
  return Object.freeze({ ...outer, action: effects[0] ?? 'unknown', detail: Object.freeze(detail) })
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : []
}

function union(a: Json | undefined, b: Json | undefined): readonly Json[] {
  const seen = new Map([...list(a), ...list(b)].map((item) => [JSON.stringify(item), item]))
  return Object.freeze([...seen.values()])
}

/** Every UPDATE and DELETE in both has a WHERE; null where neither has any. */
function both(a: Json | undefined, b: Json | undefined): boolean | null {
  if (a === null || a === undefined) return b === undefined ? null : (b as boolean | null)
  return a === true && (b === null || b === undefined || b === true)
}
