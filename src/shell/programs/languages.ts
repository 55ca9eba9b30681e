/** Small languages whose programs are an argument: awk and sed. Only what is plainly without effect is let pass. */
import type { Words } from '../facts.ts'
import { hiding, nothing, type Hidden, type Program } from './hidden.ts'
import { readOptions } from './options.ts'

/** `system()`, pipes, files, coprocesses, extensions, indirect calls; `||` is no pipe. */
const AWK_REACHES_OUT = /system|[|<>@]|getline|close|fflush|load|include|\\\n/

const awk: Program = (words, { name }) => {
  if (words.length === 2 && words[1] === '--version') return nothing(name)
  const options = readOptions(words, { values: 'Fv', longValues: ['field-separator', 'assign'], flags: 'Snt' })
  if (options === null) return hiding(name, words.includes(null) ? 'words' : 'code')
  const program = words[options.next]
  if (program === null || program === undefined || words.includes(null)) return hiding(name, 'words')
  return AWK_REACHES_OUT.test(program.replaceAll('||', '')) ? hiding(name, 'code') : nothing(name)
}

/** Brackets stand whole between two marks: to BusyBox a mark in them ends nothing, to GNU's it does. */
const pattern = (mark: string) => String.raw`(?:[^${mark}\\\n[]|\\[^\n]|\[\^?\]?[^\]\\${mark}\n]*\])*`
const ADDRESS = String.raw`(?:\d+(?:~\d+)?|\$|/${pattern('/')}/I?)`
const RANGE = String.raw`(?:${ADDRESS}(?:,(?:${ADDRESS}|[+~]\d+))?\s*!?\s*)?`
/** A substitution without the flags `e` and `w`. */
const SUBSTITUTION = ['/', '|', ',', '#', '@', ':', '%', '~', '_', '!']
  .map((mark) => {
    const text = String.raw`(?:[^${mark}\\\n]|\\[^\n])*`
    const delimiter = mark === '|' ? String.raw`\|` : mark
    return `s${delimiter}${pattern(mark)}${delimiter}${text}${delimiter}[gpiIm0-9]*`
  })
  .join('|')
const COMMAND = `${RANGE}(?:[pPdDhHgGxnN=]|[qQ]\\d*|${SUBSTITUTION})`
/** Keeps the time that matching takes short. */
const SED_LENGTH = 512
/** Prints, deletes and substitutes: no `e`, `w`, `r`, no labels, no text blocks. */
const SED_CALM = new RegExp(String.raw`^\s*${COMMAND}\s*(?:;\s*${COMMAND}\s*)*;?\s*$`)

const sed: Program = (words, { name }) => {
  if (words.length === 2 && words[1] === '--version') return nothing(name)
  return words.includes(null) ? hiding(name, 'words') : sedScripts(name, words)
}

function sedScripts(name: string, words: Words): Hidden {
  const scripts: string[] = []
  const operands: string[] = []
  for (let at = 1; at < words.length; at += 1) {
    const word = words[at] ?? ''
    const [, attached] = /^(?:-[nErsuz]*e|--expression=)(.*)$/s.exec(word) ?? []
    if (attached !== undefined) scripts.push(attached === '' ? (words[(at += 1)] ?? '') : attached)
    else if (
      /^(-[nErsuz]+|-[nErsuz]*i[.\w~]*|--(quiet|silent|in-place|regexp-extended|separate|null-data))$/.test(word)
    )
      continue
    else if (word.startsWith('-') && word !== '-') return hiding(name, 'code')
    else operands.push(word)
  }
  if (scripts.length === 0) scripts.push(operands[0] ?? '')
  return scripts.every((script) => script.length <= SED_LENGTH && SED_CALM.test(script))
    ? nothing(name)
    : hiding(name, 'code')
}

export const LANGUAGES: readonly (readonly [string, Program])[] = [
  ...['awk', 'gawk', 'mawk', 'nawk', 'original-awk', 'bwk'].map((name) => [name, awk] as const),
  ...['sed', 'gsed', 'ssed'].map((name) => [name, sed] as const),
]
