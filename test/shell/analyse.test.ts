import { readFileSync } from 'node:fs'
import t from 'tap'
import fc from 'fast-check'
import { analyseCommandLine } from '../../src/shell/analyse.ts'
import { SHELL_LIMITS } from '../../src/shell/limits.ts'
import { canonicalOf, factsOf, refusalOf, shown } from './facts.ts'
import { line, noisyLine } from './scripts.ts'

t.test('a line of plain commands is literal, and is sent in single quotes', (t) => {
  const lines: readonly (readonly [string, string])[] = [
    ['ls', "'ls'"],
    ['ls -l "a b" c\\ d', "'ls' '-l' 'a b' 'c d'"],
    [`echo "it's" ''`, "'echo' 'it'\\''s' ''"],
    ['cat a | grep -v b 2>&1 && c || d; e', "'cat' 'a' | 'grep' '-v' 'b' 2>&1 && 'c' || 'd'; 'e'"],
    ['a\nb # c', "'a'; 'b'"],
    ["echo $'a\\tb'", "'echo' 'a\tb'"],
    ['echo é a#b %s a=b {} [ a ]', "'echo' 'é' 'a#b' '%s' 'a=b' '{}' '[' 'a' ']'"],
    ['2>&1 ls >&2 3>&-', "'ls' 2>&1 >&2 3>&-"],
    ['git diff HEAD~1', "'git' 'diff' 'HEAD~1'"],
    ['l\\\ns', "'ls'"],
    ['a;', "'a'"],
    ['ls\r', "'ls\r'"],
  ]
  for (const [text, canonical] of lines) {
    t.strictSame(factsOf(text).reasons, [], text)
    t.ok(factsOf(text).literal, text)
    t.equal(canonicalOf(text), canonical)
  }
  t.end()
})

t.test('what is not literal says why, and its words that are not known are null', (t) => {
  const lines: readonly (readonly [string, string])[] = [
    ['echo $x', 'parameter'],
    ['echo "a${x}"', 'parameter'],
    ['echo $(id)', 'command-substitution'],
    ['echo `id`', 'command-substitution'],
    ['cat <(id)', 'process-substitution'],
    ['echo $((1+1))', 'arithmetic'],
    ['ls *.c', 'glob'],
    ['ls [ab]', 'glob'],
    ['ls a?', 'glob'],
    ['echo {a,b}', 'brace'],
    ['echo {1..3}', 'brace'],
    ['ls ~', 'tilde'],
    ['ls ~/a', 'tilde'],
    ['ls ~bob', 'tilde'],
    ['dd of=~/x', 'tilde'],
    ['ls a:~/x', 'tilde'],
    ['echo $"a"', 'locale-quoting'],
    ['x=1', 'assignment'],
    ['TZ=x ls', 'assignment'],
    ['export a=b', 'declaration'],
    ['ls > f', 'redirect'],
    ['ls < f', 'redirect'],
    ['2>&1', 'redirect'],
    ['2>&1; ls', 'redirect'],
    ['> f', 'redirect'],
    ['ls >& f', 'redirect'],
    ['ls 2>/dev/null', 'redirect'],
    ['cat <<E\na\nE', 'here-document'],
    ['cat <<< a', 'here-document'],
    ['(ls)', 'compound'],
    ['if a; then b; fi', 'compound'],
    ['f() { ls; }', 'function'],
    ['coproc ls', 'coprocess'],
    ['[[ -f a ]]', 'test'],
    ['! ls', 'negation'],
    ['time ls', 'time'],
    ['ls &', 'background'],
    ['set -k', 'shell-state'],
    ['vim a', 'hidden-commands'],
    ['sudo '.repeat(9) + 'ls', 'depth'],
    ["sh -c 'ls |& cat'", 'unportable'],
    ["echo $'\\xff'", 'unsupported'],
    ['a > =(b c)', 'unsupported'],
  ]
  for (const [text, reason] of lines) {
    const facts = factsOf(text)
    t.ok(facts.reasons.includes(reason as (typeof facts.reasons)[number]), `${text}: ${facts.reasons.join()}`)
    t.notOk(facts.literal, text)
  }
  t.ok(shown("sh -c 'ls \\\n-l'").includes(' !words'))
  t.strictSame(factsOf('echo a $x').commands[0]?.argv, ['echo', 'a', null])
  t.end()
})

t.test('a line that shells read differently has a command that is not known', (t) => {
  const lines = [
    'ls &> f',
    '((rm x))',
    '[[ a && b ]]',
    "FOO=1 ls $'a'",
    'a |& b',
    'cat <<< x',
    '> f echo é',
    'time a',
    'ls {fd}> f',
    'ls 12>&1',
    'function f { a; }',
    'ls $"x"',
    'echo ${x/a/b}',
    'select x in a; do b; done',
    'coproc rm x',
    '> f l\\\ns',
    'a=(b)',
  ]
  for (const text of lines) {
    const { commands, literal } = factsOf(text)
    t.notOk(literal, text)
    t.ok(
      commands.some(({ name, hides }) => name === null && hides === 'words'),
      text,
    )
    t.equal(canonicalOf(text), null, text)
  }
  t.end()
})

t.test('a line that cannot be parsed, or not be trusted to be what it seems, is refused', (t) => {
  const lines = [
    '',
    '   ',
    '# a',
    '\n',
    "ls 'a",
    'ls "a',
    'ls `a',
    'ls $(a',
    'ls ${a',
    'ls $((1',
    'a ;; b',
    'a | | b',
    'a &&',
    '| a',
    '; a',
    'if a; then',
    '(a',
    'a)',
    '{ a',
    'a; }',
    'for x',
    'case x in',
    'f() {',
    'cat <<E',
    'cat <<E\nx',
    'ls \\',
    'ls \\\\\\',
    'ls >',
    'a & & b',
    'ls a\0b',
    'ls a\uFFFDb',
    'ls \uD800',
    "echo $'a",
    '[[ a',
    "sh -c 'ls ('",
    'echo $(a ;; b)',
    'echo "$(if a)"',
    'echo `a ;; b`',
    "sudo sh -c 'a | | b'",
    "eval 'if'",
    'cat <<E\n$(a ;; b)\nE',
    'echo ${x:-$(a ;; b)}',
    'x=$(a ;; b)',
    'x=(a $(b ;;))',
  ]
  // The parser alone lets these pass.
  lines.push('ls (', 'ls (\nrm x', 'ls (;rm x', 'ls (a', 'a | ls (', 'ls (`rm x`', 'echo `ls (`', '2>&1 ls (')
  for (const text of lines) t.equal(refusalOf(text), 'command.unparsable', JSON.stringify(text))
  t.end()
})

t.test('a line beyond a limit is refused, or opaque where it is too deep', (t) => {
  t.equal(refusalOf(`echo ${'a'.repeat(SHELL_LIMITS.bytes)}`), 'command.too-large')
  t.equal(refusalOf(`echo ${'é'.repeat(SHELL_LIMITS.bytes / 2)}`), 'command.too-large')
  t.equal(refusalOf('a;'.repeat(SHELL_LIMITS.commands)), null)
  t.equal(refusalOf('a;'.repeat(SHELL_LIMITS.commands + 1)), 'command.too-large')
  let nested = 'rm x'
  for (let level = 0; level < 8; level += 1) nested = `echo $(${nested})`
  t.ok(shown(nested).some((command) => command.endsWith('!depth')))
  t.notOk(factsOf(nested).literal)
  t.type(refusalOf('('.repeat(5000) + 'a' + ')'.repeat(5000)), 'string')
  t.end()
})

t.test('only one program with words that csh and fish read alike is portable', (t) => {
  const portable = (text: string): boolean => {
    const analysis = analyseCommandLine(text)
    return analysis.kind === 'commands' && analysis.portable
  }
  for (const text of ['ls', "ls 'a b' \"it's\"", 'sudo ls']) t.ok(portable(text), text)
  for (const text of [
    'a; b',
    'a | b',
    'ls 2>&1',
    "echo 'a!b'",
    "echo 'a\\b'",
    "echo 'a\nb'",
    'eval ls',
    'ls $x',
    '. f',
  ]) {
    t.notOk(portable(text), text)
  }
  t.end()
})

t.test('the facts are never beyond the words of their schema, and nothing is ever thrown', (t) => {
  const schema = JSON.parse(readFileSync(new URL('../../rego/schemas/ssh.json', import.meta.url), 'utf8'))
  const { commands, redirects, reasons, transfer } = schema.properties
  const reasonWords = new Set<string>(reasons.items.enum)
  const hides = new Set<string | null>(commands.items.properties.hides.enum)
  const operations = new Set<string>(redirects.items.properties.operation.enum)
  const accesses = new Set<string>(redirects.items.properties.access.enum)
  const same = (value: object, { required }: { required: string[] }): boolean =>
    JSON.stringify(Object.keys(value).toSorted()) === JSON.stringify(required.toSorted())
  fc.assert(
    fc.property(fc.oneof(line, noisyLine, fc.string(), fc.string({ unit: 'binary' })), (text) => {
      const analysis = analyseCommandLine(text)
      if (analysis.kind === 'refused') return true
      const { facts } = analysis
      return (
        facts.reasons.every((reason) => reasonWords.has(reason)) &&
        facts.commands.every((command) => same(command, commands.items) && hides.has(command.hides)) &&
        facts.redirects.every(
          (redirect) =>
            same(redirect, redirects.items) && operations.has(redirect.operation) && accesses.has(redirect.access),
        ) &&
        (facts.transfer === null || same(facts.transfer, transfer.anyOf[0])) &&
        facts.literal === (facts.reasons.length === 0) &&
        (!facts.literal || analysis.canonical !== null) &&
        (!facts.literal || facts.commands.every(({ hides: hidden, literal }) => literal && hidden === null))
      )
    }),
    { numRuns: 150 },
  )
  t.pass()
  t.end()
})

t.test('redirections say what they open and how', (t) => {
  const { redirects } = factsOf('a > f 2>> g < h <> i >| j 2>&1 >&- &> k >& l < $x <<E <<< m\nE')
  t.strictSame(
    redirects.map(({ operation, access, target, descriptor }) => [operation, access, target, descriptor]),
    [
      ['>', 'write', 'f', 1],
      ['>>', 'write', 'g', 2],
      ['<', 'read', 'h', 0],
      ['<>', 'read-write', 'i', 0],
      ['>|', 'write', 'j', 1],
      ['>&', 'descriptor', '1', 2],
      ['>&', 'descriptor', '-', 1],
      ['&>', 'write', 'k', null],
      ['>&', 'write', 'l', null],
      ['<', 'read', null, 0],
      ['<<', 'text', null, 0],
      ['<<<', 'text', null, 0],
    ],
  )
  t.strictSame(factsOf('{ a; } > f').redirects.length, 1)
  t.strictSame(factsOf('echo $(a > f)').redirects[0]?.target, 'f')
  t.strictSame(factsOf("sh -c 'a > f'").redirects[0]?.target, 'f')
  t.strictSame(shown('a > >(tee f)'), ['a', '> tee f', ' !words'])
  t.end()
})
