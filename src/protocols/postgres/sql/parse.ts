/** PostgreSQL's own grammar over one message's text, behind the guards without which it must not be asked. */
import { setFlagsFromString } from 'node:v8'
import { hasSqlDetails, loadModule, parseSync } from 'libpg-query'
import type { Node } from '../statement.ts'
import { list, struct } from './nodes.ts'
import { Refused } from './refused.ts'
import type { ParseLimits } from './limits.ts'
import { recordedUnparsed } from './passwords.ts'

export interface ParsedStatement {
  readonly tree: Node
  readonly text: string
}

/** To be awaited once before anything is parsed. */
export function loadParser(): Promise<void> {
  loading ??= load()
  return loading
}

let loading: Promise<void> | null = null

/**
 * V8 would optimise the grammar's one huge function as soon as it is hot, and take 550 MB for that, once, in a sidecar that
 * otherwise needs a quarter of it. Code that is compiled while these flags are off never asks to be optimised: the first parse
 * compiles that function, and costs the later ones a third of their speed. Measured on Node 24: 636 MB and 97 MB at most.
 */
const TIERING = ['wasm-tier-up', 'wasm-dynamic-tiering'] as const

async function load(): Promise<void> {
  for (const flag of TIERING) setFlagsFromString(`--no-${flag}`)
  try {
    await loadModule()
    parseSync('SELECT 1')
  } finally {
    for (const flag of TIERING) setFlagsFromString(`--${flag}`)
  }
}

/** Throws what must be refused before the parser sees it: the parser stops at a NUL and mends what is not Unicode. */
export function guard(text: string, limits: ParseLimits): void {
  if (text.length > limits.statement) throw tooLong(limits)
  if (text.includes('\0')) throw unparsable('the text has a NUL byte', 'remove it')
  if (!text.isWellFormed()) throw unparsable('the text is not well-formed Unicode', 'send UTF-8')
}

/** Parses; throws `Refused` when it is not SQL that the grammar knows, and RangeError where the stack is too small. */
export function parse(text: string, limits: ParseLimits): readonly ParsedStatement[] {
  if (text === '') return []
  return statementsOf(parsed(text), text, limits)
}

function parsed(text: string): unknown {
  try {
    return parseSync(text)
  } catch (error) {
    if (!hasSqlDetails(error)) throw error
    // The parser quotes the text, and the refusal is recorded.
    const said = recordedUnparsed(text) === text ? error.message : 'syntax error'
    throw unparsable(`it is not SQL that this gate's PostgreSQL grammar knows: ${said}`, 'correct the syntax')
  }
}

/** Places in the tree are offsets in UTF-8. */
function statementsOf(result: unknown, text: string, limits: ParseLimits): readonly ParsedStatement[] {
  const statements = list(struct(result)?.['stmts'])
  if (statements.length > limits.statements) {
    throw new Refused(
      'command.too-large',
      `the message has ${statements.length} statements: at most ${limits.statements}`,
      'send them in several messages',
    )
  }
  if (statements.length === 1) return [{ tree: treeOf(statements[0]), text }]
  const bytes = Buffer.from(text)
  return statements.map((raw) => ({ tree: treeOf(raw), text: textOf(raw, bytes) }))
}

function treeOf(raw: unknown): Node {
  const tree = struct(struct(raw)?.['stmt'])
  if (tree === undefined) throw unparsable('a statement has no parse tree', 'correct the syntax')
  return tree
}

function textOf(raw: unknown, bytes: Buffer): string {
  const { stmt_location: start = 0, stmt_len: length = 0 } = raw as { stmt_location?: number; stmt_len?: number }
  return bytes.toString('utf8', start, length === 0 ? bytes.length : start + length).trim()
}

function tooLong(limits: ParseLimits): Refused {
  return new Refused(
    'command.too-large',
    `the text is longer than ${limits.statement} bytes`,
    'send data as parameters or with COPY, and statements in several messages',
  )
}

function unparsable(message: string, remedy: string): Refused {
  return new Refused('command.unparsable', message, remedy)
}
