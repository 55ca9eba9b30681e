/** Interpreters of other languages: code in an argument, in a file, or in what they read. */
import type { Words } from '../facts.ts'
import { hiding, nothing, type Program } from './hidden.ts'

/** Options that carry code, by interpreter; its name without a version. */
const CODE: Readonly<Record<string, RegExp>> = {
  python: /^-[a-zA-Z]*c/,
  pypy: /^-[a-zA-Z]*c/,
  ipython: /^-c/,
  perl: /^-[a-zA-Z0-9]*[eEM]/,
  ruby: /^-[a-zA-Z0-9]*e/,
  jruby: /^-[a-zA-Z0-9]*e/,
  irb: /^-/,
  node: /^(-[a-z]*[epr]|--(eval|print|require|import|loader))/,
  nodejs: /^(-[a-z]*[epr]|--(eval|print|require|import|loader))/,
  deno: /^(eval|repl)/,
  bun: /^(-e|--eval|-p|--print|x$)/,
  php: /^-[a-zA-Z]*[rBRE]/,
  lua: /^-[eil]/,
  luajit: /^-[eilj]/,
  Rscript: /^-e/,
  R: /^(-e|--args)/,
  julia: /^(-[eEL]|--(eval|print|load))/,
  elixir: /^(-e|--eval|--rpc-eval)/,
  erl: /^-(eval|run|s)/,
  groovy: /^-e/,
  scala: /^-e/,
  guile: /^-c/,
  racket: /^-e/,
  ocaml: /^-e/,
  ghc: /^-e/,
  clojure: /^-e/,
  swipl: /^-g/,
  wish: /^-c/,
  expect: /^-c/,
  octave: /^--eval/,
  gnuplot: /^-e/,
  osascript: /^-e/,
  java: /^-/,
  jshell: /^-/,
  jrunscript: /^-e/,
  jjs: /^-/,
  ghci: /^-/,
  iex: /^-e/,
  m4: /^-/,
  gimp: /^-b/,
  sbcl: /^--eval/,
  emacs: /^--?e/,
  emacsclient: /^-e/,
}

const ASKING = new Set(['--version', '-V', '-v', '--help', '-h'])

function interpreter(code: RegExp): Program {
  return (words, { name }) => {
    const [, only] = words
    if (words.length === 2 && typeof only === 'string' && ASKING.has(only)) return nothing(name)
    return hiding(name, kind(words, code))
  }
}

function kind(words: Words, code: RegExp): 'code' | 'file' | 'input' {
  const others = words.slice(1)
  if (others.some((word) => word === null || code.test(word))) return 'code'
  return others.some((word) => word !== null && !word.startsWith('-')) ? 'file' : 'input'
}

export const INTERPRETERS: readonly (readonly [string, Program])[] = Object.entries(CODE).map(([name, code]) => [
  name,
  interpreter(code),
])
