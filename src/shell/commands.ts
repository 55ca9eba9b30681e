/** One simple command: its words, what it assigns and where it redirects, and what it runs in turn. */
import { parse } from 'unbash'
import type { Assignment, Command, Redirection } from 'unbash'
import { harmlessInEnvironment, harmlessInShell } from './assignments.ts'
import type { Place } from './collection.ts'
import type { Hides, Word, Words } from './facts.ts'
import { hiddenCommands, type Hidden } from './programs/index.ts'
import { givenInput, joined, redirection } from './redirects.ts'
import { checkText, unparsable } from './text.ts'
import type { Walk } from './walk.ts'
import { noFindings, readNested, readWord, type Findings } from './words.ts'

/** Between the parts of a command there is nothing but blanks, nor a parenthesis behind it. */
const GAP = /^(?:[ \t]|\\\n)*$/
const PARENTHESIS = /(?:[ \t]|\\\n)*\(/y

export function visitCommand(walk: Walk, node: Command, source: string, place: Place): void {
  checkWhole(node, source)
  const found = noFindings()
  const argv: Word[] = node.name === undefined ? [] : [readWord(node.name, found)]
  for (const item of node.args) {
    argv.push(item.type === 'Assignment' ? declared(item, found) : readWord(item, found))
  }
  const harmless = assignments(node, argv.length > 0, found)
  const redirects = node.redirects.map((redirect) => follow(walk, redirect, found))

  const assigns = node.prefix.some((item) => item.type === 'Assignment')
  const redirected = redirects.includes(null)
  if (argv.length > 0) {
    const literal = !assigns && !redirected
    const input = givenInput(node.redirects)
    // Substitutions of its words stand before what it runs itself: the shell runs them first.
    runCommand(walk, { argv, literal, input, hides: harmless ? null : 'escape' }, place, () => {
      walk.findings(found, source, place)
    })
    if (literal && isLiteral(argv) && !place.script && place.nested === 0) {
      walk.literal.set(node, { argv, redirects: redirects.filter((redirect) => redirect !== null) })
    }
    return
  }
  if (!assigns) walk.found.reasons.add('redirect')
  if (!harmless) walk.found.opaque(place, 'escape')
  walk.findings(found, source, place)
}

/** The parser leaves a parenthesis out that stands where none may. */
function checkWhole(node: Command, source: string): void {
  const name = node.name === undefined ? [] : [node.name]
  let at = node.pos
  for (const { pos, end } of [...node.prefix, ...name, ...node.suffix]) {
    if (!GAP.test(source.slice(at, pos))) throw unparsable('it has a character where none is expected')
    at = end
  }
  PARENTHESIS.lastIndex = at
  if (PARENTHESIS.test(source)) throw unparsable("unexpected token '('")
}

interface Running {
  readonly argv: Words
  /** Nothing is assigned for it, and only descriptors are redirected. */
  readonly literal: boolean
  readonly input: Word | undefined
  readonly hides: Hides | null
}

function runCommand(walk: Walk, running: Running, place: Place, between: () => void): void {
  const { argv } = running
  const hidden = hiddenCommands(argv, { input: running.input, terminal: walk.found.terminal })
  const tooDeep = hidden.runs.length > 0 && place.nested >= walk.found.limits.depth
  const hides = tooDeep ? 'depth' : (running.hides ?? hidden.hides)
  const background = place.background || hidden.background
  const literal = running.literal && isLiteral(argv)
  walk.found.command({
    name: argv[0] ?? null,
    argv,
    literal,
    nested: place.nested,
    via: place.via,
    hides,
    user: place.user,
    background,
  })
  if (hidden.reason !== null) walk.found.reasons.add(hidden.reason)
  if (tooDeep) walk.found.reasons.add('depth')
  if (hides !== null) walk.found.reasons.add('hidden-commands')
  between()
  if (!tooDeep) runHidden(walk, hidden, { ...place, background }, running)
}

function runHidden(walk: Walk, hidden: Hidden, place: Place, running: Running): void {
  const inner = { ...place, nested: place.nested + 1, via: hidden.via, user: hidden.user ?? place.user, script: true }
  for (const run of hidden.runs) {
    if (run.kind === 'script') {
      checkText(run.text)
      walk.script(parse(run.text), run.text, inner)
      continue
    }
    // What is added to its words only then is not in the line.
    if (!isLiteral(run.argv)) walk.found.reasons.add('hidden-commands')
    runCommand(walk, { ...running, argv: run.argv, hides: null }, inner, () => {})
  }
}

function isLiteral(argv: Words): argv is readonly string[] {
  return !argv.includes(null)
}

/** @returns as the canonical form writes it, null where that cannot hold it */
function follow(walk: Walk, redirect: Redirection, found: Findings): string | null {
  const inner = redirection(redirect, walk.found)
  for (const reason of inner.reasons) found.reasons.add(reason)
  found.scripts.push(...inner.scripts)
  found.unportable ||= inner.unportable
  found.opaque ||= inner.opaque
  return inner.reasons.size > 0 ? null : joined(redirect)
}

/** An argument of `export` and its like. */
function declared(node: Assignment, found: Findings): Word {
  const value = assigned(node, found)
  return value === null || node.index !== undefined ? null : `${node.name}${node.append === true ? '+' : ''}=${value}`
}

/** @returns nothing that is run depends on them */
function assignments(node: Command, forCommand: boolean, found: Findings): boolean {
  let harmless = true
  for (const item of node.prefix) {
    if (item.type !== 'Assignment') continue
    found.reasons.add('assignment')
    assigned(item, found)
    // A subscript is arithmetic, whose variables may hold substitutions.
    if (item.index !== undefined || item.append === true) harmless = false
    if (!(forCommand ? harmlessInEnvironment(item.name) : harmlessInShell(item.name))) harmless = false
  }
  return harmless
}

function assigned(node: Assignment, found: Findings): Word {
  if (node.index !== undefined) {
    readWord(node.index, found)
    found.unportable = true
  }
  if (node.append === true) found.unportable = true
  if (node.value.type === 'Word') return readWord(node.value, found)
  found.unportable = true
  for (const element of node.value.elements) readNested(element, found)
  return null
}
