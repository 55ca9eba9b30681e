/** Command lines as people and evaders write them, over programs that the oracle has stubs for. */
import { hash } from 'node:crypto'
import fc from 'fast-check'

const NAMES = ['c1', 'c2', 'c3', 'xyz']
const TEXTS = [
  'a',
  'b c',
  'x=y',
  "it's",
  '"',
  '$x',
  '*',
  ';',
  'c2',
  '-n',
  '',
  'é',
  '\\',
  '#',
  'a\nb',
  '{}',
  '!',
  '~',
  '\r',
  'c3 a',
]

const text = fc.constantFrom(...TEXTS)

function single(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`
}
function double(value: string): string {
  return `"${value.replaceAll(/[\\$`"]/g, String.raw`\$&`)}"`
}
function escaped(value: string): string {
  return value === '' || value.includes('\n') ? single(value) : value.replaceAll(/[^a-z0-9=]/g, String.raw`\$&`)
}
function ansi(value: string): string {
  return `$'${value
    .replaceAll('\\', '\\\\')
    .replaceAll("'", String.raw`\'`)
    .replaceAll('\n', String.raw`\n`)}'`
}
/** `c1` as `c"1"`, and so on. */
function split(value: string): string {
  return [...value].map((letter, index) => (index % 2 === 0 ? single(letter) : double(letter))).join('') || "''"
}

/** A word whose value is known; ANSI-C quoting only where the shell has it. */
export function literalWord(bash: boolean): fc.Arbitrary<string> {
  const quotings = [single, double, escaped, split, ...(bash ? [ansi] : [])]
  return fc.tuple(text, fc.constantFrom(...quotings)).map(([value, quote]) => quote(value))
}

const spelledName = fc
  .tuple(
    fc.constantFrom(...NAMES),
    fc.constantFrom(
      (name: string) => name,
      single,
      double,
      split,
      (name: string) => `\\${name}`,
    ),
  )
  .map(([name, spell]) => spell(name))

/** A simple command of literal words, perhaps run by others. */
export function literalCommand(bash: boolean): fc.Arbitrary<string> {
  const plain = fc
    .tuple(
      spelledName,
      fc.array(literalWord(bash), { maxLength: 3 }),
      fc.constantFrom('', '', '', ' 2>&1', ' 2>&-', ' >&2'),
    )
    .map(([name, words, redirect]) => [name, ...words].join(' ') + redirect)
  const wrappers = [
    'nice -n 1',
    'nohup',
    'timeout 9',
    'env',
    'env TZ=x',
    'command',
    'stdbuf -o0',
    'env nice',
    'eval',
    'setsid -w',
  ]
  const wrapped = fc
    .tuple(fc.constantFrom(...wrappers), fc.constantFrom(...NAMES), fc.constantFrom('', ' a', " 'b'"))
    .map(([wrapper, name, word]) => `${wrapper} ${name}${word}`)
  const scripted = fc
    .tuple(
      fc.constantFrom('sh -c', 'dash -ec', 'sh -e -c', 'bash -c'),
      fc.constantFrom(...NAMES),
      fc.constantFrom(...NAMES),
    )
    .map(([shell, one, other]) => `${shell} ${single(`${one} 'a b'; ${other} "c" | ${one}`)}`)
  return fc.oneof({ weight: 5, arbitrary: plain }, wrapped, scripted)
}

/** Nothing in it depends on how a command ends. */
export function literalLine(bash: boolean): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.array(literalCommand(bash), { minLength: 1, maxLength: 4 }),
      fc.constantFrom('; ', ' | ', '\n', ';', '|', ' |\n'),
      fc.constantFrom('', '', ' ', '  # c1 d', '\n', ' ;'),
    )
    .map(([commands, joint, end]) => commands.join(joint) + end)
}

const EXPANSIONS = [
  '$x',
  '"$x"',
  '${x}',
  '${x:-c2}',
  '$IFS',
  '*',
  '~',
  '{a,c2}',
  '$((1+1))',
  '$((x))',
  '$"a"',
  '"$@"',
  '$0',
  '${#x}',
  '${x#a}',
  '?(a)',
  '[ab]',
  '${x[0]}',
  '${!x}',
  '${x@P}',
  'a$x',
  "$'c1'",
]
const ASSIGNMENTS = [
  'x=c2',
  "x='c2 a'",
  'x=$(c3)',
  "x='a[$(c2)]'",
  'PATH=$PATH',
  'x=c1 y=c2',
  'TZ=a',
  'IFS=a',
  'x+=c1',
  'x[0]=c1',
  'x=(c1 c2)',
]
const SPECIAL = [
  'eval "$x"',
  'eval c1 a',
  "eval 'c1; c2'",
  'alias c1=c2',
  "alias c1='c2 a'",
  "trap 'c2 t' EXIT",
  'set -- c1 c2',
  'exec c1',
  'command c1',
  'xargs c1',
  "printf 'c1 a' | xargs c2",
  "printf 'c2 a' | xargs sh -c 'c1 \"$@\"'",
  "printf 'c2\\n' | sh",
  'find . -exec c1 {} \\;',
  "find . -exec sh -c 'c1 b' \\;",
  "sh -c 'c1 $0' c2",
  `sh -c '"$@"' a c2 b`,
  'awk \'BEGIN { system("c2") }\'',
  "sed '1e c1'",
  'test -v "x[\\$(c2)]"',
  'read x',
  'let x=1',
  "printf -v 'x[$(c2)]' a",
  '[[ -n c1 ]]',
  '[[ a && c2 b ]]',
  '((x=1))',
  '((c2 a))',
  'shopt -s expand_aliases',
  'c1 <<< c2',
  'c1 &> f',
  'c1 >& f',
  'c1 > f',
  '. ./f',
  'unset x',
  'export x=c2',
  'declare -i x',
  'time c1',
  '! c1',
  'env -S "c1 a"',
  'env -i c1',
  'env "$x"',
  '!(c2)',
  'c1 |& c2',
  'coproc c1',
  "x='a[$(c2)]' sh -c c1",
]

/** Anything that the grammar has, well formed. Deeper lines are seldom in sight as a whole. */
function lines(maxDepth: number): fc.Arbitrary<string> {
  const depth = { maxDepth, depthIdentifier: fc.createDepthIdentifier() }
  return fc.letrec<{ list: string; command: string; simple: string; word: string }>((tie) => ({
    word: fc.oneof(
      depth,
      { weight: 4, arbitrary: literalWord(true) },
      { weight: 3, arbitrary: fc.constantFrom(...EXPANSIONS) },
      { weight: 1, arbitrary: tie('list').map((inner) => `$(${inner})`) },
      { weight: 1, arbitrary: tie('simple').map((inner) => `\`${inner.replaceAll(/[\\`$]/g, String.raw`\$&`)}\``) },
      { weight: 1, arbitrary: tie('list').map((inner) => `"$(${inner})"`) },
      { weight: 1, arbitrary: tie('list').map((inner) => `<(${inner})`) },
    ),
    simple: fc.oneof(
      depth,
      {
        weight: 4,
        arbitrary: fc
          .tuple(spelledName, fc.array(tie('word'), { maxLength: 2 }))
          .map(([name, words]) => [name, ...words].join(' ')),
      },
      { weight: 2, arbitrary: fc.constantFrom(...SPECIAL) },
      { weight: 1, arbitrary: fc.constantFrom(...ASSIGNMENTS) },
      { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...ASSIGNMENTS), spelledName).map((both) => both.join(' ')) },
      { weight: 1, arbitrary: tie('word') },
    ),
    command: fc.oneof(
      depth,
      { weight: 6, arbitrary: tie('simple') },
      { weight: 1, arbitrary: tie('list').map((inner) => `(${inner})`) },
      { weight: 1, arbitrary: tie('list').map((inner) => `{ ${inner}\n}`) },
      {
        weight: 1,
        arbitrary: fc.tuple(tie('list'), tie('list')).map(([test, then]) => `if ${test}\nthen ${then}\nfi`),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(tie('word'), tie('list')).map(([word, body]) => `for x in ${word} c2; do ${body}\ndone`),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(tie('word'), tie('list')).map(([word, body]) => `case ${word} in a|*) ${body}\n;; esac`),
      },
      { weight: 1, arbitrary: tie('list').map((body) => `while c1; do ${body}\nbreak; done`) },
      { weight: 1, arbitrary: tie('list').map(functionOf) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(tie('simple'), fc.constantFrom('E', "'E'", '\\E'), tie('word'))
          .map(([simple, end, body]) => `${simple} <<${end}\n${body}\nE\n`),
      },
    ),
    list: fc
      .tuple(
        tie('command'),
        fc.option(fc.tuple(fc.constantFrom('; ', ' | ', ' && ', ' || ', '\n', ' & '), tie('command')), { nil: null }),
      )
      .map(([first, more]) => (more === null || first.endsWith('\n') ? first : first + more.join(''))),
  })).list
}

/** Named by its body, so that none within it has its name: a function that calls itself never ends. */
function functionOf(body: string): string {
  const name = `fn${hash('sha256', body, 'hex').slice(0, 12)}`
  return `${name}() { ${body}\n}; ${name}`
}

export const line = lines(3)

const NOISE = [
  "'",
  '"',
  '\\',
  '`',
  '$',
  '(',
  ')',
  '{',
  '}',
  ';',
  '&',
  '|',
  '<',
  '>',
  '!',
  '#',
  '~',
  '*',
  '[',
  ']',
  '=',
  ' ',
  '\n',
  '\\\n',
  '((',
  '))',
  '[[',
  '$(',
  '\r',
  '\u00a0',
  'c2',
  '<<E',
  "$'",
  '\t',
]

/** A line with a few characters put in and taken out. */
export const noisyLine: fc.Arbitrary<string> = fc
  .tuple(
    lines(1),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(...NOISE), fc.nat({ max: 2 })), { minLength: 1, maxLength: 3 }),
  )
  .map(([base, changes]) => {
    let noisy = base
    for (const [at, noise, removed] of changes) {
      const place = at % (noisy.length + 1)
      noisy = noisy.slice(0, place) + noise + noisy.slice(place + removed)
    }
    return noisy
  })
