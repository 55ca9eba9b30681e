/** Where a command reads from and writes to. */
import type { Redirect, RedirectDescriptor, Redirection, HereDoc, HereString } from 'unbash'
import type { Collection } from './collection.ts'
import type { RedirectFacts, Word } from './facts.ts'
import { unparsable } from './text.ts'
import { noFindings, readNested, readWord, type Findings } from './words.ts'

const ACCESS = {
  '<': 'read',
  '>': 'write',
  '>>': 'write',
  '>|': 'write',
  '<>': 'read-write',
  '&>': 'write',
  '&>>': 'write',
  '<&': 'read',
  '>&': 'write',
} as const satisfies Record<Redirect['operator'], RedirectFacts['access']>

/** POSIX shells need not know more descriptors, and some read `10>` as a word. */
const DESCRIPTOR = /^[0-9-]$/
/** Bash closes what it copies from where `-` follows. */
const MOVED = /^[0-9]+-?$/
/** What every shell takes a here-document's end from in the same way. */
const PLAIN_DELIMITER = /^(\w+|'\w+'|"\w+"|\\\w+)$/

/** Adds a redirection to the facts; what was found in its words is for the caller to follow. */
export function redirection(node: Redirection, facts: Collection): Findings {
  const found = noFindings()
  if (node.descriptor?.type === 'FileDescriptorVariable') {
    found.reasons.add('assignment')
    found.unportable = true
  }
  if (node.type === 'Redirect') file(node, facts, found)
  else text(node, facts, found)
  return found
}

/** `2>&1` and its like, as the canonical form writes it; null for every other redirection. */
export function joined(node: Redirection): string | null {
  if (node.type !== 'Redirect' || (node.operator !== '>&' && node.operator !== '<&')) return null
  const from = node.descriptor === undefined ? '' : descriptorOf(node.descriptor, 0)
  const target = node.target === undefined ? null : readWord(node.target, noFindings())
  if (from === null || (from !== '' && from > 9) || target === null || !DESCRIPTOR.test(target)) return null
  return `${from}${node.operator}${target}`
}

/** What the command will read as its input where the line says it word for word; undefined: it inherits its input. */
export function givenInput(redirects: readonly Redirection[]): Word | undefined {
  let input: Word | undefined
  for (const node of redirects) {
    if (descriptorOf(node.descriptor, node.type === 'Redirect' && node.operator.includes('>') ? 1 : 0) !== 0) continue
    if (node.type === 'Redirect') input = null
    else if (node.type === 'HereString') input = node.target === undefined ? null : readWord(node.target, noFindings())
    else input = bodyOf(node)
  }
  return input
}

function bodyOf(node: HereDoc): Word {
  const plain = node.delimiter?.quoted === true || !/[\\$`]/.test(node.body.text)
  return plain && node.operator === '<<' ? node.body.text : null
}

function file(node: Redirect, facts: Collection, found: Findings): void {
  const { operator } = node
  const target = node.target === undefined ? null : readWord(node.target, found)
  const joins = operator.endsWith('&') && target !== null && (target === '-' || MOVED.test(target))
  if (joined(node) === null) {
    found.reasons.add('redirect')
    if (joins || operator.includes('&')) found.unportable = true
  }
  const both = operator.startsWith('&') || (operator === '>&' && !joins)
  facts.redirects.push({
    operation: operator,
    access: joins ? 'descriptor' : ACCESS[operator],
    target,
    descriptor: both ? null : descriptorOf(node.descriptor, operator.startsWith('<') ? 0 : 1),
  })
  const descriptor = descriptorOf(node.descriptor, 0)
  if (descriptor !== null && descriptor > 9) found.unportable = true
}

function text(node: HereDoc | HereString, facts: Collection, found: Findings): void {
  found.reasons.add('here-document')
  const descriptor = descriptorOf(node.descriptor, 0)
  facts.redirects.push({ operation: node.operator, access: 'text', target: null, descriptor })
  if (node.type === 'HereString') {
    found.unportable = true
    if (node.target !== undefined) readWord(node.target, found)
    return
  }
  if (node.closing === undefined) throw unparsable('a here-document has no end')
  if (node.delimiter === undefined || !PLAIN_DELIMITER.test(node.delimiter.text)) found.unportable = true
  for (const part of node.body.parts ?? []) if (part.type !== 'Literal') readNested(part, found)
}

function descriptorOf(descriptor: RedirectDescriptor | undefined, otherwise: number): number | null {
  if (descriptor === undefined) return otherwise
  return descriptor.type === 'FileDescriptor' ? descriptor.value : null
}
