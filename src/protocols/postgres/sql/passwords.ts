/** Statements that carry secrets as literals are recorded without them. */
import { scanSync } from 'libpg-query'
import type { Node } from '../statement.ts'

/** Where a password, a connection string, an option of a foreign server or a key that programs keep as a setting may stand. */
const SECRETIVE: ReadonlySet<string> = new Set([
  'CreateRoleStmt',
  'AlterRoleStmt',
  'AlterRoleSetStmt',
  'AlterDatabaseSetStmt',
  'CreateUserMappingStmt',
  'AlterUserMappingStmt',
  'CreateFdwStmt',
  'AlterFdwStmt',
  'ImportForeignSchemaStmt',
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

/** Words beside which a secret may stand in a text that was not understood. */
const SECRETIVE_WORDS = /password|passwd|conninfo|connection|user\s+mapping|options/i
/** From its first quote on, a text that was not understood may be one string to its end. */
const FIRST_QUOTE = /'|\$[\w\u0080-\uffff]*\$/

/** The text to keep of one that has no parse tree: what could hold a secret is kept up to its first string. */
export function recordedUnparsed(text: string): string {
  const quote = FIRST_QUOTE.exec(text)
  return quote !== null && SECRETIVE_WORDS.test(text) ? `${text.slice(0, quote.index)}${HIDDEN}` : text
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
