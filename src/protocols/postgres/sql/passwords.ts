/** Statements that carry secrets as literals are recorded without them. */
import { scanSync } from 'libpg-query'
import type { Node } from '../statement.ts'

/** Where a password, a connection string or an option of a foreign server may stand. */
const SECRETIVE: ReadonlySet<string> = new Set([
  'CreateRoleStmt',
  'AlterRoleStmt',
  'CreateUserMappingStmt',
  'AlterUserMappingStmt',
  'CreateForeignServerStmt',
  'AlterForeignServerStmt',
  'CreateForeignTableStmt',
  'CreateSubscriptionStmt',
  'AlterSubscriptionStmt',
  'AlterSystemStmt',
])

const STRING = /^(?:[ebnx]|u&)?'|^\$/i
const PARAMETER = /^\$\d+$/
const HIDDEN = "'***'"

/** The text to keep; every string literal of a statement that may carry a secret is replaced. */
export function recordedText(tree: Node, text: string): string {
  const [kind] = Object.keys(tree)
  return kind !== undefined && SECRETIVE.has(kind) ? withoutLiterals(text) : text
}

function withoutLiterals(text: string): string {
  const bytes = Buffer.from(text)
  const kept: string[] = []
  let from = 0
  for (const { start, end } of scanSync(text).tokens) {
    const token = bytes.toString('utf8', start, end)
    if (!STRING.test(token) || PARAMETER.test(token)) continue
    kept.push(bytes.toString('utf8', from, start), HIDDEN)
    from = end
  }
  return kept.join('') + bytes.toString('utf8', from)
}
