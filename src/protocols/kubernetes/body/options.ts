/** Bodies that say how something is done: DeleteOptions, Eviction, TokenRequest, Binding. */
import type { Json, JsonObject } from '../../../gate/json.ts'
import type { RequestFacts } from '../request/facts.ts'
import { isDeletion, objectOf, text } from './object.ts'
import { unparsable } from './refused.ts'

/** Created below another object, and stored nowhere. */
const REQUESTS: ReadonlySet<string> = new Set(['pods/eviction', 'pods/binding', 'serviceaccounts/token'])

export function isOptions(facts: RequestFacts): boolean {
  if (isDeletion(facts)) return true
  const { verb, group, resource, subresource } = facts
  return verb === 'create' && group === '' && (REQUESTS.has(`${resource}/${subresource}`) || resource === 'bindings')
}

/** Whether the body asks that nothing be changed. */
export function dryRunOf(object: JsonObject, facts: RequestFacts): boolean {
  if (isDeletion(facts)) return deleteDryRun(object, facts)
  if (facts.subresource !== 'eviction') return false
  const { deleteOptions } = object
  return deleteOptions !== undefined && deleteOptions !== null && asks(objectOf(deleteOptions, 'deleteOptions'))
}

/** The server reads the options of a deletion from the body alone where there is one. */
function deleteDryRun(object: JsonObject, facts: RequestFacts): boolean {
  const kind = text(object, 'kind')
  if (kind !== '' && kind !== 'DeleteOptions')
    throw unparsable(`the body of a deletion is ${kind}`, 'send DeleteOptions')
  const asked = asks(object)
  if (facts.dryRun && !asked) {
    throw unparsable('dryRun is in the query, which is not read beside a body', 'put it into the DeleteOptions')
  }
  return asked
}

function asks({ dryRun = null }: JsonObject): boolean {
  if (dryRun === null) return false
  if (!Array.isArray(dryRun)) throw unparsable('dryRun is no list', 'send ["All"]')
  const values = dryRun as readonly Json[]
  if (values.length === 0) return false
  if (values.every((value) => value === 'All')) return true
  throw unparsable('dryRun has no value but All', 'send ["All"]')
}
