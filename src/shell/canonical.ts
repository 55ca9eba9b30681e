/** A line of literal words in Sidegate's own quoting: every word in single quotes, which no POSIX shell reads twice. */
import type { Command, CommandNode, ParsedScript, Pipeline, SyntaxNode } from 'unbash'
import { isBuiltin } from './programs/index.ts'

export interface LiteralCommand {
  readonly argv: readonly string[]
  /** Such as `2>&1`, in order. */
  readonly redirects: readonly string[]
}

/** @returns null where anything but lists and pipelines of literal commands is in it */
export function canonicalLine(script: ParsedScript, literal: ReadonlyMap<Command, LiteralCommand>): string | null {
  const statements: string[] = []
  for (const statement of script.commands) {
    const text = statement.background === true ? null : nodeText(statement.command, literal)
    if (text === null) return null
    statements.push(text)
  }
  return statements.length === 0 ? null : statements.join('; ')
}

/** One program, whose words csh and fish read in single quotes as POSIX shells do. */
export function isPortable(script: ParsedScript, literal: ReadonlyMap<Command, LiteralCommand>): boolean {
  const [statement, ...others] = script.commands
  if (statement === undefined || others.length > 0 || statement.command.type !== 'Command') return false
  const { argv, redirects } = literal.get(statement.command) ?? { argv: [], redirects: [] }
  const [name] = argv
  if (name === undefined || isBuiltin(name) || redirects.length > 0) return false
  return argv.every((word) => !/[\\!\r\n]/.test(word))
}

function nodeText(node: SyntaxNode, literal: ReadonlyMap<Command, LiteralCommand>): string | null {
  if (node.type === 'Command') return commandText(node, literal)
  if (node.type === 'Pipeline') return pipelineText(node, literal)
  if (node.type !== 'AndOr') return null
  return joined(node.commands, node.operators, literal)
}

function pipelineText(node: Pipeline, literal: ReadonlyMap<Command, LiteralCommand>): string | null {
  if (node.prefixes.length > 0 || node.operators.includes('|&')) return null
  return joined(node.commands, node.operators, literal)
}

function joined(
  nodes: readonly (CommandNode | Pipeline)[],
  operators: readonly string[],
  literal: ReadonlyMap<Command, LiteralCommand>,
): string | null {
  let text = ''
  for (const [index, node] of nodes.entries()) {
    const part = nodeText(node, literal)
    if (part === null) return null
    text += index === 0 ? part : ` ${operators[index - 1]} ${part}`
  }
  return text
}

function commandText(node: Command, literal: ReadonlyMap<Command, LiteralCommand>): string | null {
  const command = literal.get(node)
  if (command === undefined) return null
  return [...command.argv.map(quoted), ...command.redirects].join(' ')
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
