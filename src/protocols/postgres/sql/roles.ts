/** What a statement means to the session's own bookkeeping of names. */
import type { JsonObject } from '../../../gate/json.ts'
import type { Node, Role, Statement } from '../statement.ts'
import { constant, fieldsOf, list, struct, text, type Fields } from './nodes.ts'

const CURSOR_OPT_HOLD = 0x20

const PLAIN: Role = Object.freeze({ is: 'plain' })

/** @param statement makes a statement of the query that a PREPARE or DECLARE keeps. */
export function roleOf(tree: Node, statement: (query: Node) => Statement): Role {
  const [kind] = Object.keys(tree)
  const fields = struct(tree[kind ?? '']) ?? {}
  const name = text(fields['name']) ?? ''
  switch (kind) {
    case 'PrepareStmt':
      return Object.freeze({ is: 'prepare', name, statement: statement(queryOf(fields)) })
    case 'ExecuteStmt':
      return Object.freeze({ is: 'execute', name, parameters: Object.freeze(list(fields['params']).map(parameter)) })
    case 'DeallocateStmt':
      return Object.freeze({ is: 'deallocate', name: fields['isall'] === true ? null : name })
    case 'DeclareCursorStmt':
      return Object.freeze({
        is: 'declare',
        name: text(fields['portalname']) ?? '',
        hold: (Number(fields['options'] ?? 0) & CURSOR_OPT_HOLD) !== 0,
        statement: statement(queryOf(fields)),
      })
    case 'FetchStmt':
      return Object.freeze({ is: 'fetch', name: text(fields['portalname']) ?? '', move: fields['ismove'] === true })
    case 'ClosePortalStmt':
      return Object.freeze({ is: 'close', name: text(fields['portalname']) })
    case 'CopyStmt':
      return copyRole(fields)
    case 'DiscardStmt':
      return fields['target'] === 'DISCARD_ALL' ? Object.freeze({ is: 'discard-all' }) : PLAIN
    case 'ExplainStmt':
    case 'CreateTableAsStmt':
      return wraps(fields)
    default:
      return PLAIN
  }
}

function queryOf(fields: Fields): Node {
  return struct(fields['query']) ?? {}
}

/** Only without a file or program does COPY speak the protocol's COPY. */
function copyRole(fields: Fields): Role {
  if (fields['is_program'] === true || text(fields['filename']) !== null) return PLAIN
  return Object.freeze({ is: fields['is_from'] === true ? 'copy-in' : 'copy-out' })
}

function wraps(fields: Fields): Role {
  const execute = fieldsOf(fields['query'], 'ExecuteStmt')
  if (execute !== undefined) return Object.freeze({ is: 'wraps-execute', name: text(execute['name']) ?? '' })
  const created = fieldsOf(fields['query'], 'CreateTableAsStmt')
  return created === undefined ? PLAIN : wraps(created)
}

/** An argument of EXECUTE, as `detail.parameters` has it: known where it is a constant. */
function parameter(node: unknown): JsonObject {
  const value = constant(node)
  return Object.freeze({ type: null, value: value ?? null, known: value !== undefined })
}
