import { spawnSync } from 'node:child_process'
import t from 'tap'
import fc from 'fast-check'
import { analyseCommandLine } from '../../src/shell/analyse.ts'
import { factsOf } from './facts.ts'
import { Oracle, SHELLS } from './oracle.ts'
import { line, noisyLine } from './scripts.ts'

/** Raised by hand for long runs: `SHELL_RUNS=5000`. */
const RUNS = Number(process.env['SHELL_RUNS'] ?? '15')

/** As a line-gated shell puts it in front of a line. */
const PREFIX = String.raw`cd '/' || exit; export x_1='it'\''s; c3'; `

t.setTimeout(120_000)
const oracle = new Oracle()
t.teardown(() => oracle.close())

function directories(text: string): (string | null)[] {
  return factsOf(text)
    .commands.slice(2)
    .map(({ directory }) => directory)
}

t.test('what follows `cd DIRECTORY || exit;` runs in that directory', (t) => {
  for (const [text, directory] of [
    ['cd /srv || exit; ls', '/srv'],
    ['cd / || exit; ls', '/'],
    [`cd '/srv/a b/.c' || exit; ls | wc; ls *; ls && ls`, '/srv/a b/.c'],
    ['cd /srv || exit\nls', '/srv'],
    ['cd /srv || exit; for x in a; do ls $x; done', '/srv'],
  ] as const) {
    const found = directories(text)
    t.ok(found.length > 0 && found.every((each) => each === directory), text)
    t.strictSame(
      factsOf(text)
        .commands.slice(0, 2)
        .map(({ directory: first }) => first),
      [null, null],
    )
  }
  t.end()
})

t.test('a directory is not said to be known where it could be another', (t) => {
  for (const text of [
    'cd /srv && ls; ls',
    'cd /srv; ls',
    'cd /srv | exit; ls',
    'cd /srv || exit & ls',
    '! cd /srv || exit; ls',
    'cd /srv || exit || ls; ls',
    'cd /srv || exit && ls; ls',
    'cd /srv || exit $x; ls',
    'cd /srv || true; ls',
    'exit || cd /srv; ls',
    '(cd /srv || exit); ls',
    '{ cd /srv || exit; }; ls',
    'cd $x || exit; ls',
    'cd srv || exit; ls',
    'cd ./srv || exit; ls',
    'cd ~ || exit; ls',
    'cd - || exit; ls',
    'cd /srv/ || exit; ls',
    'cd //srv || exit; ls',
    'cd /srv/../etc || exit; ls',
    'cd /srv/. || exit; ls',
    'cd -P /srv || exit; ls',
    'cd /srv > x || exit; ls',
    'CDPATH=/x cd /srv || exit; ls',
    'cd /srv || exit > x; ls',
    'cd /srv || exit; cd etc; ls',
    'cd /srv || exit; chdir etc; ls',
    'cd /srv || exit; ls; (pushd /etc; ls)',
    'cd /srv || exit; popd; ls',
    String.raw`cd /srv || exit; \c\d /etc; ls`,
    'cd /srv || exit; c"d" /etc; ls',
    'cd /srv || exit; command cd /etc; ls',
    'cd /srv || exit; builtin cd /etc; ls',
    "cd /srv || exit; eval 'cd /etc'; ls",
    'cd /srv || exit; $x /etc; ls',
    'cd /srv || exit; . ./x; ls',
    'cd /srv || exit; f() { cd /etc; }; f; ls',
    "cd /srv || exit; trap 'cd /etc' DEBUG; ls",
    'cd /srv || exit; alias ls=cd; ls',
    'ls; cd /srv || exit; ls',
  ]) {
    t.ok(
      directories(text).every((each) => each === null),
      text,
    )
  }
  t.end()
})

t.test('what others run is not said to run there', (t) => {
  const { commands } = factsOf('cd /srv || exit; env -C /etc ls; sudo -D /etc ls')
  t.ok(commands.every(({ nested, directory }) => nested === 0 || directory === null))
  t.end()
})

for (const shell of SHELLS) {
  t.test(`${shell} agrees about the directory`, (t) => {
    for (const text of [
      'pwd',
      'pwd | cat',
      'pwd; pwd && pwd',
      'if true; then pwd; fi',
      '(pwd)',
      'true &\npwd',
      'x=$(pwd); pwd',
    ]) {
      const sent = `cd '/usr' || exit; ${text}`
      t.ok(
        directories(sent).every((each) => each === '/usr' || each === null),
        text,
      )
      const ran = spawnSync(shell, ['-c', sent], { cwd: '/', encoding: 'utf8' })
      t.ok(ran.stdout !== '' && ran.stdout.split('\n').every((each) => each === '' || each === '/usr'), ran.stdout)
      t.equal(spawnSync(shell, ['-c', `cd '/no such' || exit; ${text}`], { cwd: '/', encoding: 'utf8' }).stdout, '')
    }
    t.end()
  })

  t.test(`${shell} executes of a line with a directory and variables before it what it executes of the line`, (t) => {
    fc.assert(
      fc.property(fc.oneof(line, noisyLine).filter(isUnderstood), (text) => {
        const alone = oracle.executed(shell, sentOf(text)).map(String)
        const there = oracle.executed(shell, sentOf(`${PREFIX}${text}`)).map(String)
        if (JSON.stringify(there) !== JSON.stringify(alone))
          throw new Error(`${there.join()} for ${alone.join()} of ${text}`)
        const nowhere = oracle.executed(shell, sentOf(`cd '/no such' || exit; ${text}`))
        if (nowhere.length > 0) throw new Error(`${nowhere.join()} of ${text}, nowhere`)
      }),
      { numRuns: RUNS },
    )
    t.pass()
    t.end()
  })
}

/** One line, as what is typed is, that can be parsed by itself, and from which no order of execution is random. */
function isUnderstood(text: string): boolean {
  if (/\n/.test(text) || /^\s*(#.*)?$/.test(text)) return false
  const analysis = analyseCommandLine(text)
  return analysis.kind === 'commands' && !/[|&]|find|xargs|stdbuf|<\(|>\(/.test(text)
}

function sentOf(text: string): string {
  const analysis = analyseCommandLine(text)
  if (analysis.kind === 'refused') throw new Error(`refused: ${analysis.refusal.message} in ${text}`)
  return analysis.canonical ?? text
}

t.test('a line says the same with a directory and variables before it', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(line, noisyLine).filter((text) => !text.includes('\n') && !/^\s*(#.*)?$/.test(text)),
      (text) => {
        const alone = analyseCommandLine(text)
        const there = analyseCommandLine(`${PREFIX}${text}`)
        if (alone.kind === 'refused') return
        if (there.kind === 'refused') throw new Error(`${there.refusal.message} in ${text}`)
        const plain = (commands: typeof there.facts.commands) =>
          JSON.stringify(commands.map((command) => ({ ...command, directory: null })))
        if (plain(there.facts.commands.slice(3)) !== plain(alone.facts.commands)) throw new Error(text)
        if (JSON.stringify(there.facts.redirects) !== JSON.stringify(alone.facts.redirects)) throw new Error(text)
        const reasons = there.facts.reasons.filter(
          (reason) => reason !== 'declaration' || alone.facts.reasons.includes(reason),
        )
        if (reasons.join() !== alone.facts.reasons.join())
          throw new Error(`${reasons.join()} for ${alone.facts.reasons.join()} in ${text}`)
      },
    ),
    { numRuns: 500 },
  )
  t.pass()
  t.end()
})
