/** The walk over a line's syntax tree: every simple command, wherever it stands. Whatever is not known is opaque. */
import { forEachChild } from 'unbash'
import type { Command, Coproc, Function as FunctionNode, ParsedScript, Pipeline, Statement, SyntaxNode } from 'unbash'
import type { LiteralCommand } from './canonical.ts'
import { harmlessInShell } from './assignments.ts'
import type { Collection, Place } from './collection.ts'
import type { Reason } from './facts.ts'
import { redirection } from './redirects.ts'
import { unparsable } from './text.ts'
import { noFindings, readNested, type Findings } from './words.ts'

/** What is done with a simple command; in another file because it walks further scripts in turn. */
export type CommandVisitor = (walk: Walk, command: Command, source: string, place: Place) => void

export class Walk {
  readonly found: Collection
  /** The commands of the line itself that its canonical form can hold. */
  readonly literal = new Map<Command, LiteralCommand>()
  readonly #visitCommand: CommandVisitor

  constructor(found: Collection, visitCommand: CommandVisitor) {
    this.found = found
    this.#visitCommand = visitCommand
  }

  script(script: ParsedScript, source: string, place: Place): void {
    const [error] = script.errors ?? []
    if (error !== undefined) throw unparsable(error.message)
    const own = script.source ?? source
    // Shells differ in where they join lines, and tokens across them.
    if (own.includes('\\\n')) this.unportable(place)
    for (const statement of script.commands) this.#statement(statement, own, place)
  }

  /** Words that stand alone, and what else was found in words. */
  findings(found: Findings, source: string, place: Place): void {
    for (const reason of found.reasons) this.found.reasons.add(reason)
    if (found.unportable) this.unportable(place)
    if (found.opaque) this.found.opaque(place, 'words')
    for (const { script, via } of found.scripts) {
      if (place.nested >= this.found.limits.depth) {
        this.found.reasons.add('depth')
        this.found.opaque({ ...place, nested: place.nested + 1, via }, 'depth')
        continue
      }
      this.script(script, source, { ...place, nested: place.nested + 1, via })
    }
  }

  unportable(place: Place): void {
    this.found.unportable = true
    if (place.script) this.found.reasons.add('unportable')
  }

  visit(node: SyntaxNode, source: string, place: Place): void {
    switch (node.type) {
      case 'Script':
        return this.script(node, source, place)
      case 'Statement':
        return this.#statement(node, source, place)
      case 'Command':
        return this.#visitCommand(this, node, source, place)
      case 'Pipeline':
        return this.#pipeline(node, source, place)
      case 'AndOr':
      case 'CompoundList':
      case 'Redirected':
      case 'CaseItem':
      case 'Elif':
        return this.#children(node, source, place)
      case 'If':
      case 'While':
      case 'Case':
      case 'Subshell':
      case 'BraceGroup':
        return this.#construct('compound', node, source, place)
      case 'For':
        if (!harmlessInShell(node.name.value)) this.found.opaque(place, 'escape')
        return this.#construct('compound', node, source, place)
      default:
        return this.#special(node, source, place)
    }
  }

  #special(node: SyntaxNode, source: string, place: Place): void {
    switch (node.type) {
      case 'Function':
        return this.#function(node, source, place)
      case 'Coproc':
        return this.#coprocess(node, source, place)
      case 'Redirect':
      case 'HereString':
      case 'HereDoc':
        return this.findings(redirection(node, this.found), source, place)
      case 'Word':
      case 'ArithmeticWord':
      case 'ArithmeticBinary':
      case 'ArithmeticUnary':
      case 'ArithmeticTernary':
      case 'ArithmeticGroup':
      case 'ArithmeticCommandExpansion':
        return this.#word(node, source, place)
      case 'TestUnary':
      case 'TestBinary':
      case 'TestLogical':
      case 'TestNot':
      case 'TestGroup':
        return this.#children(node, source, place)
      case 'Negation':
      case 'Time':
        return
      case 'TestCommand':
        return this.#bashOnly('test', node, source, place)
      case 'ArithmeticCommand':
        return this.#bashOnly('arithmetic', node, source, place)
      case 'ArithmeticFor':
      case 'Select':
        return this.#bashOnly('compound', node, source, place)
      default:
        return this.#bashOnly('unsupported', node, source, place)
    }
  }

  #statement(node: Statement, source: string, place: Place): void {
    if (node.background !== true) return this.visit(node.command, source, place)
    this.found.reasons.add('background')
    this.visit(node.command, source, { ...place, background: true })
  }

  #pipeline(node: Pipeline, source: string, place: Place): void {
    for (const prefix of node.prefixes) {
      this.found.reasons.add(prefix.type === 'Time' ? 'time' : 'negation')
      // A program to shells that do not know the word.
      if (prefix.type === 'Time') this.unportable(place)
    }
    if (node.operators.includes('|&')) {
      this.found.reasons.add('redirect')
      this.unportable(place)
    }
    for (const command of node.commands) this.visit(command, source, place)
  }

  #construct(reason: Reason, node: SyntaxNode, source: string, place: Place): void {
    this.found.reasons.add(reason)
    this.#children(node, source, place)
  }

  /** Other shells read these as commands; and arithmetic in them evaluates what variables hold. */
  #bashOnly(reason: Reason, node: SyntaxNode, source: string, place: Place): void {
    this.unportable(place)
    this.found.opaque(place, 'words')
    this.#construct(reason, node, source, place)
  }

  #function(node: FunctionNode, source: string, place: Place): void {
    this.found.reasons.add('function')
    if (source.startsWith('function', node.pos)) this.unportable(place)
    this.visit(node.body, source, { ...place, nested: place.nested + 1, via: 'function' })
  }

  #coprocess(node: Coproc, source: string, place: Place): void {
    this.found.reasons.add('coprocess')
    this.unportable(place)
    if (node.name !== undefined) this.#word(node.name, source, place)
    this.visit(node.body, source, { ...place, background: true })
  }

  #children(node: SyntaxNode, source: string, place: Place): void {
    forEachChild(node, (child) => this.visit(child, source, place))
  }

  #word(node: SyntaxNode, source: string, place: Place): void {
    const found = noFindings()
    readNested(node, found)
    this.findings(found, source, place)
  }
}
