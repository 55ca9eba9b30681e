import fc from 'fast-check'
import t from 'tap'
import { refuseVariable } from '../../../../src/protocols/ssh/channels/environment.ts'
import { isSignalName, readExit } from '../../../../src/protocols/ssh/channels/exit.ts'
import {
  ChannelViolation,
  decode,
  encodeOpen,
  encodeRequest,
  fields,
  MESSAGE,
  Reader,
} from '../../../../src/protocols/ssh/channels/messages.ts'
import { readPty, readWindowChange, writePty, writeSize } from '../../../../src/protocols/ssh/channels/terminal.ts'
import {
  Commands,
  environmentCommand,
  ptyCommand,
  shellCommand,
  subsystemCommand,
} from '../../../../src/protocols/ssh/commands.ts'
import { InputContract } from '../../../../src/policy/contract.ts'
import { heldLines, refusalLines } from '../../../../src/protocols/ssh/refusal.ts'

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })
const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array))

t.test('messages of channels are read as they were written', async (t) => {
  fc.assert(
    fc.property(uint32, uint32, uint32, bytes, (sender, window, packet, body) => {
      const open = decode(encodeOpen('direct-tcpip', sender, window, packet, body))
      t.strictSame(open, { type: MESSAGE.OPEN, channelType: 'direct-tcpip', sender, window, packet, body })
    }),
    { numRuns: 50 },
  )
  fc.assert(
    fc.property(uint32, fc.boolean(), bytes, (recipient, wantReply, body) => {
      const request = { name: 'pty-req', wantReply, body }
      t.strictSame(decode(encodeRequest(recipient, request)), { type: MESSAGE.REQUEST, recipient, request })
    }),
    { numRuns: 50 },
  )
})

t.test('arbitrary bytes are a message or a violation', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 90, max: 100 }), fc.uint8Array({ maxLength: 80 }), (type, rest) => {
      try {
        decode(Buffer.concat([Buffer.of(type), rest]))
      } catch (error) {
        if (!(error instanceof ChannelViolation)) throw error
      }
    }),
  )
  t.throws(() => new Reader(Buffer.from([0, 0, 0, 9, 1])).string(), ChannelViolation)
  t.pass('nothing else came of them')
})

t.test('a terminal goes on as it was asked for, its modes to the byte, its size within bounds', async (t) => {
  const opcode = fc.integer({ min: 1, max: 159 })
  const modes = fc
    .tuple(fc.array(fc.tuple(opcode, uint32), { maxLength: 20 }), fc.boolean())
    .map(([all, ended]) =>
      Buffer.concat([
        ...all.map(([code, value]) => Buffer.concat([Buffer.of(code), fields(value)])),
        Buffer.alloc(ended ? 1 : 0),
      ]),
    )
  const small = fc.integer({ min: 0, max: 0xffff })
  fc.assert(
    fc.property(small, small, modes, (columns, rows, mode) => {
      const body = Buffer.concat([fields('xterm-256color', columns, rows, 0, 0), fields(mode)])
      const pty = readPty(body)
      if ('code' in pty) throw new Error(pty.message)
      if (!writePty(pty).equals(body)) throw new Error('it was changed')
    }),
  )
  const huge = readPty(fields('xterm', 4_000_000_000, 70_000, 0, 0, Buffer.alloc(0)))
  t.match(huge, { size: { columns: 0xffff, rows: 0xffff } })
  t.match(readPty(fields('xterm', 80, 24, 0, 0, Buffer.of(200, 0, 0, 0, 1))), { code: 'command.unparsable' })
  t.match(readPty(fields('xterm', 80, 24, 0, 0, Buffer.of(3, 0, 0))), { code: 'command.unparsable' })
  t.match(readPty(fields('xterm;rm', 80, 24, 0, 0, '')), { code: 'command.unsupported' })
  t.throws(() => readPty(fields('xterm', 80)), ChannelViolation)
  t.strictSame(readWindowChange(writeSize({ columns: 1, rows: 2, width: 3, height: 4 })), {
    columns: 1,
    rows: 2,
    width: 3,
    height: 4,
  })
})

t.test('variables that change what a command means cannot be set', async (t) => {
  const may = (name: string, value = 'x', allowed: readonly string[] = []) =>
    refuseVariable({ name, value }, allowed)?.code ?? 'set'
  for (const name of ['LANG', 'LC_ALL', 'LC_TIME', 'TERM']) t.equal(may(name), 'set', name)
  t.equal(may('GIT_PROTOCOL', 'version=2'), 'set')
  t.equal(may('DEPLOY_ID', 'x', ['DEPLOY_ID']), 'set')
  for (const name of [
    'PATH',
    'LD_PRELOAD',
    'BASH_ENV',
    'ENV',
    'IFS',
    'PS4',
    'GIT_SSH',
    'PERL5LIB',
    'LC_',
    'lang',
    'LC_a',
  ]) {
    t.equal(may(name), 'target.forbidden', name)
  }
  t.equal(may('GIT_PROTOCOL', 'version=2:evil'), 'target.forbidden')
  t.equal(may('TERM', '../../x'), 'target.forbidden')
  t.equal(may('LANG', 'a\0b'), 'command.unparsable')
  t.equal(may('LANG', 'x'.repeat(5000)), 'command.too-large')
})

t.test('exit statuses and signals are read, and nothing else is one', async (t) => {
  t.strictSame(readExit('exit-status', fields(7)), { status: 7 })
  t.strictSame(readExit('exit-signal', fields('KILL', false, '', '')), { signal: 'KILL' })
  t.equal(readExit('keepalive@openssh.com', Buffer.alloc(0)), null)
  t.throws(() => readExit('exit-status', Buffer.alloc(2)), ChannelViolation)
  for (const name of ['TERM', 'USR1', 'RTMIN@example.com']) t.ok(isSignalName(name), name)
  for (const name of ['', 'term', 'TERM\n', '9'.repeat(40), 'A B']) t.notOk(isSignalName(name), name)
})

t.test('the same line is the same shape, and what is kept of lines is bounded', async (t) => {
  const commands = new Commands(1024, true)
  const plain = { tty: false, mode: null }
  const first = commands.line('ls -l', 'deploy', plain)
  t.equal(commands.line('ls -l', 'deploy', plain), first)
  t.not(commands.line('ls -l', 'root', plain), first, 'another login is another command')
  t.not(commands.line('ls -l', 'deploy', { tty: true, mode: null }), first)
  t.not(commands.line('ls -l', 'deploy', { tty: false, mode: 'line-gated' }), first)
  for (let n = 0; n < 2000; n++) commands.line(`echo ${n}`, 'deploy', plain)
  t.not(commands.line('ls -l', 'deploy', plain), first, 'what is not used is forgotten')
  t.match(new Commands(8, true).line('echo too long', 'deploy', plain), { refusal: { code: 'command.too-large' } })
  t.match(new Commands(99, false).line('a && b', 'deploy', plain), { refusal: { code: 'command.unsupported' } })
  const portable = new Commands(99, false).line('ls -l', 'deploy', plain)
  t.equal('bytes' in portable ? portable.bytes.toString() : '', "'ls' '-l'")
})

t.test('every kind of command has every key that the schema of its facts asks for', async (t) => {
  const contract = InputContract.load()
  const commands = new Commands(1024, true)
  const all = [
    commands.line('ls | wc', 'deploy', { tty: true, mode: 'line-gated' }).command,
    commands.line('$(', 'deploy', { tty: false, mode: null }).command,
    shellCommand('deploy', 'recorded', true),
    subsystemCommand('deploy', 'netconf', false),
    environmentCommand('deploy', 'LANG', 'C'),
    ptyCommand('deploy', 'xterm', '80x24'),
  ]
  for (const command of all) t.equal(contract.checkCommand(command), null, command.shape.action)
})

t.test('refusals are lines that nothing in them can break', async (t) => {
  const because = { code: 'a.b', message: 'no\r\n\u001b[2Jway', remedy: 'try\nthat', policy: '' }
  t.equal(refusalLines(because, false).toString(), 'sidegate: no [2Jway [a.b]\nsidegate: try that\n')
  t.equal(refusalLines({ ...because, remedy: '' }, true).toString(), 'sidegate: no [2Jway [a.b]\r\n')
  const demand = { code: 'x', groups: [], count: 1, wait: 1, validFor: 1, policy: '' }
  t.equal(heldLines([demand], false).toString(), 'sidegate: held for approval (x) [approval.pending]\n')
})
