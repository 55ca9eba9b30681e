import t from 'tap'
import fc from 'fast-check'
import type { Running } from '../../../../src/protocols/ssh/lines/host.ts'
import { refusal } from '../../../../src/gate/refusal.ts'
import { ALL, Model, typing } from './model.ts'
import { directories, settle, Stage, XTERM } from './stage.ts'

const PROMPT = 'deploy@build-host:~$ '

t.test('the shell says honestly what it is, and shows where it is', async (t) => {
  const stage = new Stage(XTERM)
  await settle()
  const seen = stage.seen()
  t.match(seen, /line-gated shell on build-host/)
  t.match(seen, /no full-screen programs, no job control/)
  t.ok(seen.endsWith(`\n${PROMPT}`))
  t.equal(stage.lines.length, 0)
})

t.test('each line runs by itself, with what it writes on rows of its own', async (t) => {
  const stage = new Stage(XTERM, (_, { output, error }) => {
    output.write('one\ntwo')
    error.write(' three')
    return { status: 0 }
  })
  await settle()
  stage.seen()
  await stage.type('ls -l\r')
  t.strictSame(stage.lines, ['ls -l'])
  t.equal(stage.seen(), `ls -l\none\ntwo three\n${PROMPT}`)
})

t.test('a refusal is told in two lines with its code, and the shell lives on', async (t) => {
  const stage = new Stage(XTERM, () => ({
    refused: { code: 'commands.unlisted', message: 'no\x1b[2J', remedy: 'ls', policy: '' },
  }))
  await settle()
  stage.seen()
  await stage.type('rm x\r')
  t.equal(stage.seen(), `rm x\nsidegate: no [2J [commands.unlisted]\nsidegate: ls\n${PROMPT}`)
  stage.runner = () => ({ status: 0 })
  await stage.type('ls\r')
  await stage.type('exit\r')
  t.equal(await stage.served, 0)
  t.strictSame(stage.lines, ['rm x', 'ls'])
})

t.test('the exit status is that of the last line, or the one that is said', async (t) => {
  for (const [typed, expected] of [
    ['false\r\x04', 1],
    ['refused\rexit\r', 126],
    ['killed\rexit\r', 137],
    ['false\rexit 7\r', 7],
    ['false\rexit 256\r\x04', 2],
    ['false\rexit "1 2"\r\x04', 2],
    ['\x03\x04', 130],
    ['false\r\r  \r# nothing\r\x04', 1],
    ['true\r\x04', 0],
  ] as const) {
    const stage = new Stage(XTERM, (line) => {
      if (line === 'refused') return { refused: refusal('policy.no-match') }
      return line === 'killed' ? { signal: 'KILL' } : { status: line === 'false' ? 1 : 0 }
    })
    await settle()
    await stage.type(typed)
    t.equal(await stage.served, expected, typed)
  }
})

t.test('the working directory is asked of the host, and stands in front of each later line', async (t) => {
  const stage = new Stage(
    XTERM,
    directories({
      '/srv/app': '/srv/app',
      '/srv': '/mnt/srv',
      '/mnt/srv/a b': "/mnt/srv/it's",
      './x': '/home/deploy/x',
    }),
  )
  await settle()
  await stage.type('cd /srv/./app/\rls\r')
  t.ok(stage.seen().endsWith('deploy@build-host:/srv/app$ '))
  await stage.type('cd ..\rcd "a b"\rls | wc -l; ls\r')
  await stage.type('cd -\rls\rcd\rls\rcd ~/x\rls\rcd ~\rls\r')
  t.strictSame(stage.lines, [
    "cd '/srv/app' && pwd -P",
    "cd '/srv/app' || exit; ls",
    "cd '/srv' && pwd -P",
    "cd '/mnt/srv/a b' && pwd -P",
    String.raw`cd '/mnt/srv/it'\''s' || exit; ls | wc -l; ls`,
    "cd '/mnt/srv' || exit; ls",
    'ls',
    "cd './x' && pwd -P",
    "cd '/home/deploy/x' || exit; ls",
    'ls',
  ])
})

t.test('a directory that the host does not confirm, word for word, is not entered', async (t) => {
  for (const answer of [
    '',
    '/a\n/b\n',
    'a\n',
    '/a',
    '/a/../b\n',
    '/a\x1b[m\n',
    '/a//b\n',
    '/a\uFFFD\n',
    `/${'a'.repeat(5000)}\n`,
    'noise\n/a\n',
  ]) {
    const stage = new Stage(XTERM, (line, { output }) => {
      if (line.includes('pwd')) output.write(answer)
      return { status: 0 }
    })
    await settle()
    await stage.type('cd /a\rls\r')
    t.equal(stage.lines[1], 'ls', JSON.stringify(answer))
    t.match(stage.seen(), /the host did not say which directory that is/)
  }
  const stage = new Stage(XTERM, directories({}))
  await settle()
  await stage.type('cd /nowhere\rls\r')
  t.match(stage.seen(), /can't cd to \/nowhere/)
  t.equal(stage.lines[1], 'ls')
  const refusing = new Stage(XTERM, (line, { output }) => {
    output.write('/a\n')
    return line.includes('pwd') ? { refused: refusal('policy.no-match') } : { status: 0 }
  })
  await settle()
  await refusing.type('cd /a\rls\r')
  t.equal(refusing.lines[1], 'ls')
})

t.test('exported variables stand in front of each later line, quoted, once the host has taken them', async (t) => {
  const stage = new Stage(XTERM, (line) => ({ status: line.includes('BAD') ? 1 : 0 }))
  await settle()
  await stage.type(`export LANG=C 'A=it'"'"'s; rm -rf /'\rexport BAD=1\rls\runset A\rls\runset LANG\rls\r`)
  t.strictSame(stage.lines, [
    String.raw`export LANG='C' A='it'\''s; rm -rf /'`,
    String.raw`export LANG='C' A='it'\''s; rm -rf /'; export BAD='1'`,
    String.raw`export LANG='C' A='it'\''s; rm -rf /'; ls`,
    "export LANG='C'; ls",
    'ls',
  ])
})

t.test('variables that would be too many or too long are not kept', async (t) => {
  const stage = new Stage(XTERM)
  await settle()
  await stage.type(`export ${Array.from({ length: 65 }, (_, index) => `v${index}=1`).join(' ')}\r`)
  await stage.type(`export v=${'x'.repeat(5000)}\r`)
  t.strictSame(stage.lines, [])
  t.match(stage.seen(), /more variables than go with a line/)
})

t.test('what cannot be kept, and what is not literal, is told at once and not run', async (t) => {
  for (const typed of [
    'cd $HOME',
    'cd /srv/*',
    'cd a b',
    'cd -P /srv',
    'export A',
    'export A=$(id)',
    'export 1=2',
    'A=b',
    'alias l=ls',
    'set -e',
    'fg',
    'unset X',
    'history -c',
    'cd -',
  ]) {
    const stage = new Stage(XTERM)
    await settle()
    stage.seen()
    await stage.type(`${typed}\r`)
    t.strictSame(stage.lines, [], typed)
    t.match(stage.seen(), /\nsidegate: /, typed)
  }
})

t.test('what holds a builtin and more goes to the host as it is', async (t) => {
  const stage = new Stage(XTERM)
  await settle()
  const typed = [
    'cd /srv && ls',
    'export A=b; ls',
    'ls > x',
    'cd /srv > /dev/null',
    'exit 3 | cat',
    'A=b ls',
    'pwd -L',
    'pwd',
    '(cd /x)',
    'cd /x &',
  ]
  for (const line of typed) await stage.type(`${line}\r`)
  t.strictSame(stage.lines, typed)
})

t.test('a line that is not finished goes by itself, to be refused and recorded, whatever the directory', async (t) => {
  const stage = new Stage(XTERM, directories({ '/srv': '/srv' }))
  await settle()
  await stage.type('cd /srv\r')
  for (const line of ["echo 'a", 'if true', 'cat <<EOF', 'ls |', '&& ls', ') ls', 'for x in 1; do', 'a\\'])
    await stage.type(`${line}\r`)
  t.strictSame(stage.lines.slice(1), [
    "echo 'a",
    'if true',
    'cat <<EOF',
    'ls |',
    '&& ls',
    ') ls',
    'for x in 1; do',
    'a\\',
  ])
})

t.test('help, history and the variables are shown by the shell itself', async (t) => {
  const stage = new Stage(XTERM)
  await settle()
  await stage.type('ls\rexport a=1\rhistory\r')
  t.match(stage.seen(), /1 {2}ls\n {4}2 {2}export a=1\n {4}3 {2}history\n/)
  await stage.type('export\r')
  t.match(stage.seen(), /export a=1\n/)
  await stage.type('help\r')
  t.match(stage.seen(), /cd \[DIRECTORY/)
  t.equal(stage.lines.length, 2)
})

/** A command that runs until it is told to end. */
class Held {
  running: Running | null = null
  input = ''
  readonly signals: string[] = []
  finish: (status: number) => void = () => {}

  readonly runner = (_: string, running: Running): Promise<{ status: number } | { signal: string }> => {
    this.running = running
    running.input.setEncoding('utf8').on('data', (text: string) => (this.input += text))
    running.onSignal((name) => this.signals.push(name))
    return new Promise((resolve) => {
      this.finish = (status) => resolve({ status })
      running.signal.addEventListener('abort', () => resolve({ signal: 'KILL' }))
    })
  }
}

t.test('what is typed while a command runs is its input, line by line, and is echoed', async (t) => {
  const held = new Held()
  const stage = new Stage(XTERM, held.runner)
  await settle()
  await stage.type('cat\r')
  held.running?.begun()
  stage.seen()
  await stage.type('hel')
  await stage.type('x\x7flo\rw\x1b')
  t.equal(held.input, 'hello\n')
  t.equal(stage.seen(), 'helx\b \blo\nw^[')
  await stage.type('\x15wo\r')
  t.equal(held.input, 'hello\nwo\n')
  await stage.type('half\x04')
  t.equal(held.input, 'hello\nwo\nhalf')
  await stage.type('\x04')
  t.equal(held.running?.input.readableEnded, true)
  await stage.type('next\r')
  held.finish(0)
  await settle()
  t.strictSame(stage.lines, ['cat', 'next'], 'what follows ^D is the next line')
})

t.test('what was begun and not entered while a command ran is the beginning of the next line', async (t) => {
  const held = new Held()
  const stage = new Stage(XTERM, held.runner)
  await settle()
  await stage.type('sleep 1\r')
  held.running?.begun()
  await stage.type('ech')
  held.finish(0)
  await settle()
  await stage.type('o hi\r')
  t.strictSame(stage.lines, ['sleep 1', 'echo hi'])
})

t.test('lines that were pasted together run one after another, and are no input of each other', async (t) => {
  const held = new Held()
  const stage = new Stage(XTERM, held.runner)
  await settle()
  await stage.type('\x1b[200~cat\nsecond\nthi')
  held.running?.begun()
  await stage.type('rd\x1b[201~')
  t.strictSame(stage.lines, ['cat'])
  held.finish(0)
  await settle()
  t.strictSame(stage.lines, ['cat', 'second'])
  held.finish(0)
  await settle()
  t.ok(stage.seen().endsWith(`${PROMPT}third`))
  t.equal(held.input, '')
  await stage.type('\r')
  t.strictSame(stage.lines, ['cat', 'second', 'third'])
})

t.test(
  '^C interrupts what runs, forgets what was entered ahead, and kills what does not listen when it comes again',
  async (t) => {
    const held = new Held()
    const stage = new Stage(XTERM, held.runner)
    await settle()
    await stage.type('sleep 9\rrm ahead\r')
    held.running?.begun()
    await stage.type('\x03')
    t.strictSame(held.signals, ['INT'])
    t.equal(held.running?.signal.aborted, false)
    await stage.type('\x03')
    t.equal(held.running?.signal.aborted, true)
    t.strictSame(held.signals, ['INT', 'KILL'])
    t.strictSame(stage.lines, ['sleep 9'])
    await stage.type('\x04')
    t.equal(await stage.served, 137)
  },
)

t.test('^C withdraws a line that waits for people', async (t) => {
  const stage = new Stage(XTERM, (_, running) => {
    running.error.write('sidegate: held for approval\n')
    return new Promise((resolve) => {
      running.signal.addEventListener('abort', () => resolve({ refused: refusal('approval.withdrawn') }))
    })
  })
  await settle()
  stage.seen()
  await stage.type('reboot\rls')
  await stage.type('\x03')
  t.equal(
    stage.seen(),
    `reboot\nsidegate: held for approval\n^C\nsidegate: the request for approval was withdrawn [approval.withdrawn]\n${PROMPT}`,
  )
})

t.test('signals that the agent sends by name reach what runs', async (t) => {
  const held = new Held()
  const stage = new Stage(XTERM, held.runner)
  await settle()
  await stage.type('sleep 9\r')
  held.running?.begun()
  stage.shell.signalled('TERM')
  stage.shell.signalled('INT')
  t.strictSame(held.signals, ['TERM', 'INT'])
  held.finish(0)
})

t.test('revocation, an end by an operator and a channel that is gone end the shell and what runs', async (t) => {
  for (const because of [refusal('policy.revoked'), null]) {
    const held = new Held()
    const stage = new Stage(XTERM, held.runner)
    await settle()
    await stage.type('sleep 9\rls\r')
    stage.seen()
    stage.shell.end(because)
    stage.shell.end(because)
    if (because !== null) t.equal(await stage.served, 126)
    await stage.served
    t.equal(held.running?.signal.aborted, true)
    t.equal(
      stage.seen(),
      because === null ? '' : 'sidegate: the policy changed, and no longer permits this [policy.revoked]\n',
    )
    t.equal(await stage.type('ls\r'), true)
    t.strictSame(stage.lines, ['sleep 9'])
  }
})

t.test('a shell that ends at its prompt leaves the terminal as it was', async (t) => {
  const stage = new Stage(XTERM)
  await settle()
  await stage.type('half')
  stage.shell.end(refusal('policy.revoked'))
  await stage.served
  t.ok(stage.out.lastIndexOf('\x1b[?2004l') > stage.out.lastIndexOf('\x1b[?2004h'))
  t.match(stage.seen(), /half\nsidegate: the policy changed/)
  const left = new Stage(XTERM)
  await settle()
  await left.type('half')
  left.shell.ended()
  t.equal(await left.served, 0)
  t.strictSame(left.lines, [], 'a line that was not entered does not run')
})

t.test('an agent that does not read stops the shell, the command, and what it may send', async (t) => {
  let flushed = false
  const stage = new Stage(XTERM, async (_, { output }) => {
    await new Promise<void>((resolve) => output.write('x'.repeat(1000), () => resolve()))
    flushed = true
    return { status: 0 }
  })
  await settle()
  await stage.type('one\r')
  flushed = false
  stage.reads = false
  await stage.type('two\r'.repeat(100))
  t.equal(stage.lines.length, 2)
  t.equal(flushed, false)
  t.equal(await stage.type('three\r'), false)
  stage.shell.drained()
  await settle()
  t.equal(stage.lines.length, 2)
  stage.reads = true
  for (let turns = 0; turns < 10; turns += 1) {
    stage.shell.drained()
    await settle()
  }
  t.equal(stage.lines.length, 102)
  t.ok(stage.resumed > 0)
})

t.test('input that a command does not take is kept back, and taken again when it ends', async (t) => {
  const stage = new Stage(XTERM, (_, running) => {
    running.begun()
    return new Promise((resolve) => running.onSignal(() => resolve({ status: 130 })))
  })
  await settle()
  await stage.type('sleep 9\r')
  let more = true
  let sent = 0
  while (more && sent < 10_000_000) {
    more = await stage.type('a line of input\r'.repeat(500))
    sent += 8000
  }
  t.ok(sent < 200_000, `${sent}`)
  t.equal(stage.resumed, 0)
  stage.shell.signalled('INT')
  await settle()
  t.ok(stage.resumed > 0)
})

t.test('a failure of the session is the shell’s', async (t) => {
  const stage = new Stage(XTERM, () => Promise.reject(new Error('the journal')))
  await settle()
  stage.shell.typed(Buffer.from('ls\r'))
  await t.rejects(stage.served, /the journal/)
})

t.test('without a terminal each line of the input runs, and nothing else is said', async (t) => {
  const stage = new Stage(null, (line, { output, error }) => {
    output.write(`out ${line}\n`)
    error.write('err\n')
    return { status: line === 'last' ? 3 : 0 }
  })
  await stage.type('one\ntw')
  await stage.type('o\n\n# a comment\nlast')
  t.strictSame(stage.lines, ['one', 'two'])
  stage.shell.ended()
  t.equal(await stage.served, 3)
  t.strictSame(stage.lines, ['one', 'two', 'last'])
  t.equal(stage.out, 'out one\nout two\nout last\n')
  t.equal(stage.err, 'err\nerr\nerr\n')
})

t.test(
  'without a terminal commands have no input, refusals are on standard error, and long lines are refused',
  async (t) => {
    let ended = false
    const stage = new Stage(
      null,
      async (line, { input }) => {
        for await (const _ of input) throw new Error('input')
        ended = true
        return line === 'no' ? { refused: refusal('policy.no-match', 'no', 'yes') } : { status: 0 }
      },
      { command: 8 },
    )
    await stage.type('no\n')
    t.ok(ended)
    t.equal(stage.err, 'sidegate: no [policy.no-match]\nsidegate: yes\n')
    await stage.type('123456789')
    await stage.type('x'.repeat(100_000))
    await stage.type('\nok\n漢漢漢\n')
    t.strictSame(stage.lines, ['no', 'ok'])
    t.equal(stage.err.match(/command\.too-large/g)?.length, 2)
    await stage.type('123456789')
    stage.shell.ended()
    t.equal(await stage.served, 126)
    t.equal(stage.out, '')
  },
)

t.test('without a terminal cd, export and exit are kept as with one', async (t) => {
  const stage = new Stage(null, directories({ '/srv': '/srv' }))
  await stage.type('cd /srv\nexport a=1\npwd\nls\nexit 4\nls\n')
  t.equal(await stage.served, 4)
  t.strictSame(stage.lines, [
    "cd '/srv' && pwd -P",
    "cd '/srv' || exit; export a='1'",
    "cd '/srv' || exit; export a='1'; ls",
  ])
  t.equal(stage.out, '/srv\n')
})

t.test('what runs is what was entered, line by line and in order, however it came', async (t) => {
  const acts = ALL.filter((act) => act !== 'up' && act !== 'down' && act !== 'interrupt')
  await fc.assert(
    fc.asyncProperty(
      fc.array(typing(acts), { maxLength: 40, size: 'max' }),
      fc.infiniteStream(fc.integer({ min: 1, max: 30 })),
      fc.boolean(),
      async (typed, sizes, slow) => {
        const model = new Model()
        for (const [index, typing] of typed.entries()) {
          if (typing.kind !== 'enter' || typing.bytes !== '\n' || typed[index - 1]?.bytes !== '\r') model.apply(typing)
        }
        const stage = new Stage(XTERM, async () => {
          if (slow) await settle()
          return { status: 0 }
        })
        const bytes = Buffer.from(typed.map((each) => each.bytes).join(''))
        for (let at = 0; at < bytes.length;) {
          const size = sizes.next().value ?? 1
          stage.shell.typed(bytes.subarray(at, at + size))
          at += size
        }
        stage.shell.ended()
        await stage.served
        const expected = model.entered.filter((line) => line.trim() !== '')
        if (JSON.stringify(stage.lines) !== JSON.stringify(expected))
          throw new Error(JSON.stringify([stage.lines, expected]))
      },
    ),
    { numRuns: 100 },
  )
  t.pass()
})
