/** Builtins of shells that run other commands, or change what later ones mean. */
import { harmlessInShell } from '../assignments.ts'
import type { Hides, Reason, Words } from '../facts.ts'
import { hiding, nothing, reading, textOf, type Program } from './hidden.ts'

const evaluate: Program = (words, { name }) =>
  words.length === 1 ? nothing(name) : reading(name, textOf(words[1] === '--' ? words.slice(2) : words.slice(1)))

const trap: Program = (words, { name }) => {
  const [, action, ...signals] = words[1] === '--' ? words.slice(1) : words
  if (action === undefined || action === '-' || action === '' || signals.length === 0) {
    return hiding(name, action === null ? 'words' : null, 'shell-state')
  }
  return { ...reading(name, action), reason: 'shell-state' }
}

const set: Program = (words, { name }) => {
  const first = words[1]
  if (first === undefined || first === '--') return nothing(name)
  if (first === null) return hiding(name, 'words', 'shell-state')
  const plain = words
    .slice(1)
    .every(
      (word, index, all) =>
        word !== null &&
        (/^[-+][eufvx]*o?$/.test(word) ||
          (/^[-+][eux]*o$/.test(all[index - 1] ?? '') && /^(errexit|nounset|pipefail|xtrace|noglob)$/.test(word))),
    )
  return plain ? nothing(name) : hiding(name, 'escape', 'shell-state')
}

/** Arithmetic in subscripts, and variables that mean something to the shell. */
function namesOf(reason: Reason, hides: Hides): Program {
  return (words, { name }) => hiding(name, words.slice(1).every(isPlainName) ? null : hides, reason)
}

function isPlainName(word: string | null): boolean {
  return word !== null && !word.includes('[') && (word.startsWith('-') || harmlessInShell(word))
}

/** `-i`, `-n`, `-a` and `-A` make later assignments evaluate arithmetic. */
const declaration: Program = (words, { name }) => {
  const plain = words.slice(1).every((word) => {
    if (word === null) return false
    const [variable = ''] = word.split('=', 1)
    return /^-[gprx]*$/.test(word) || harmlessInShell(variable)
  })
  return hiding(name, plain ? null : 'escape', 'declaration')
}

/** Some shells evaluate what should be a number, and arithmetic runs the substitutions in its subscripts. */
function counting(further: (words: Words) => boolean): Program {
  return (words, { name }) => {
    const evaluated = words.slice(1).some((word) => word === null || /\[[^]*[$`]/.test(word))
    return evaluated || further(words) ? hiding(name, 'words') : nothing(name)
  }
}

const numbers = counting(() => false)
/** `-v` assigns to a variable, which may be a subscript. */
const printf = counting((words) => words[1]?.startsWith('-v') === true)
/** `-v` and `-R` evaluate subscripts. */
const test = counting((words) => words.includes('-v') || words.includes('-R'))

function always(hides: Hides, reason: Reason | null = null): Program {
  return (_words, { name }) => hiding(name, hides, reason)
}

function unless(idle: (words: Words) => boolean, hides: Hides, reason: Reason | null = null): Program {
  return (words, { name }) => (idle(words) ? nothing(name) : hiding(name, hides, reason))
}

const alone = (words: Words): boolean => words.length === 1

export const BUILTINS: readonly (readonly [string, Program])[] = [
  ['eval', evaluate],
  ['trap', trap],
  ['set', set],
  ['.', always('file', 'shell-state')],
  ['source', always('file', 'shell-state')],
  ['alias', unless(alone, 'escape', 'shell-state')],
  ['unalias', always('words', 'shell-state')],
  ['shopt', unless(alone, 'escape', 'shell-state')],
  ['enable', unless(alone, 'escape', 'shell-state')],
  ['hash', unless((words) => alone(words) || words[1] === '-r', 'escape', 'shell-state')],
  ['fc', always('escape')],
  ['bind', always('escape')],
  ['complete', always('escape')],
  ['compgen', always('escape')],
  ['compopt', always('escape')],
  ['coproc', always('words')],
  ['jobs', unless((words) => !words.some((word) => word === null || word.includes('x')), 'escape')],
  ['wait', unless((words) => !words.some((word) => word === null || word.includes('p')), 'words')],
  ['let', always('words', 'arithmetic')],
  ['read', namesOf('shell-state', 'words')],
  // `-C` is a command.
  ['mapfile', always('words', 'shell-state')],
  ['readarray', always('words', 'shell-state')],
  ['unset', namesOf('shell-state', 'words')],
  ['getopts', (words, { name }) => hiding(name, words.slice(2, 3).every(isPlainName) ? null : 'words', 'shell-state')],
  ['export', declaration],
  ['readonly', declaration],
  ['declare', declaration],
  ['typeset', declaration],
  ['local', declaration],
  ['nameref', declaration],
  ['integer', always('words', 'declaration')],
  ['printf', printf],
  ['test', test],
  ['[', test],
  ['exit', numbers],
  ['return', numbers],
  ['break', numbers],
  ['continue', numbers],
  ['shift', numbers],
  ['ulimit', numbers],
  ['umask', numbers],
  ['kill', numbers],
  ['cd', numbers],
  ['pushd', numbers],
  ['popd', numbers],
]
