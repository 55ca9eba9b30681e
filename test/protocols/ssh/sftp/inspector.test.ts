import { createHash } from 'node:crypto'
import t from 'tap'
import { InputContract } from '../../../../src/policy/contract.ts'
import { MOST_IN_FLIGHT } from '../../../../src/protocols/ssh/sftp/agent.ts'
import type { ExtensionName } from '../../../../src/protocols/ssh/sftp/packets/extensions.ts'
import { encodeVersion } from '../../../../src/protocols/ssh/sftp/packets/replies.ts'
import { encodeInit, encodeRequest, type SftpRequest } from '../../../../src/protocols/ssh/sftp/packets/requests.ts'
import { ALLOW, approve, deny } from '../../../support/fakes.ts'
import { HOME, messageOf, nameOf, OK, pairsOf, SETTINGS, Stage } from './stage.ts'

const NO_FIELDS = { paths: [], handles: [], numbers: [], strings: [], attributes: null }
const b = (text: string) => Buffer.from(text)
const open = (id: number, path: string, pflags = 1): SftpRequest => ({
  type: 3,
  id,
  path: b(path),
  pflags,
  attributes: {},
})
const onPath = (type: 7 | 11 | 13 | 15 | 16 | 17 | 19, id: number, path: string): SftpRequest => ({
  type,
  id,
  path: b(path),
})
const read = (id: number, handle: string, offset: number, length: number): SftpRequest => ({
  type: 5,
  id,
  handle: b(handle),
  offset: BigInt(offset),
  length,
})
const write = (id: number, handle: string, offset: number, data: string): SftpRequest => ({
  type: 6,
  id,
  handle: b(handle),
  offset: BigInt(offset),
  data: b(data),
})
const onHandle = (type: 4 | 8 | 12, id: number, handle: string): SftpRequest => ({ type, id, handle: b(handle) })
const extended = (id: number, name: ExtensionName, fields: object): SftpRequest => ({
  type: 200,
  id,
  name,
  fields: { ...NO_FIELDS, ...fields },
})
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

t.test(
  'a connection begins with version 3, whatever the agent asks for, and the extensions that are inspected',
  async (t) => {
    const stage = new Stage()
    stage.bytes(encodeInit(6, pairsOf([['newline@vandyke.com', '\r\n']])))
    stage.send(open(1, 'a'))
    t.equal(stage.received.length, 0, 'nothing of the agent goes up before the server has greeted')
    stage.fromServer(
      encodeVersion(
        3,
        pairsOf([
          ['posix-rename@openssh.com', '1'],
          ['statvfs@openssh.com', '9'],
          ['vendor-id', 'x'],
        ]),
      ),
    )
    t.match(stage.received, [{ type: 16, path: b('.') }])
    stage.reply(nameOf(stage.received.shift()?.id ?? 0, HOME))
    t.strictSame(stage.offered, pairsOf([['posix-rename@openssh.com', '1']]))
    t.match(stage.got(), [{ type: 3, id: 1, path: b(`${HOME}/a`) }])
  },
)

t.test('other versions, other first packets and a second INIT end the channel', async (t) => {
  const violation = (run: (stage: Stage) => void): string => {
    const stage = new Stage()
    run(stage)
    stage.send(open(9, '/a'))
    t.equal(stage.received.length, 0)
    return stage.violations.join()
  }
  t.match(
    violation((stage) => stage.bytes(encodeInit(2))),
    /agent: INIT: version 2/,
  )
  t.match(
    violation((stage) => stage.send(open(1, '/a'))),
    /agent: .*first packet is not INIT/,
  )
  t.match(
    violation((stage) => stage.begin().bytes(encodeInit(3))),
    /agent: INIT: it comes once/,
  )
  t.match(
    violation((stage) => stage.begin().bytes(b('\0\0\0\x01\x63'))),
    /unknown type 99/,
  )
  t.match(
    violation((stage) => {
      stage.bytes(encodeInit(3))
      stage.fromServer(encodeVersion(4, []))
    }),
    /server: VERSION: version 4/,
  )
  t.match(
    violation((stage) => {
      stage.bytes(encodeInit(3))
      stage.reply(OK(1))
    }),
    /server: .*first packet is not VERSION/,
  )
})

t.test('facts are what the published schema says, with canonical and resolved paths', async (t) => {
  const contract = InputContract.load()
  const stage = new Stage().begin()
  const resolve = (path: string) => (path === `${HOME}/link` ? '/etc' : path)
  const attributes = { size: 0n, permissions: 0o104755 }
  stage.open(50, 'open', 3, 'h')
  stage.open(51, 'to', 3, 'g')
  const cases: [SftpRequest, object][] = [
    [
      open(1, './x/../link', 9),
      { operation: 'open', path: `${HOME}/link`, resolved: '/etc', flags: ['read', 'create'] },
    ],
    [
      open(1, 'link', 41),
      { operation: 'open', path: `${HOME}/link`, resolved: `${HOME}/link`, flags: ['read', 'create', 'exclusive'] },
    ],
    [open(1, '/a', 0x51), { operation: 'open', path: '/a', flags: ['read', 'truncate', 'unknown'] }],
    [onPath(11, 1, ''), { operation: 'opendir', path: HOME, resolved: HOME }],
    [onPath(17, 1, 'link'), { operation: 'stat', resolved: '/etc' }],
    [onPath(7, 1, 'link'), { operation: 'lstat', resolved: `${HOME}/link` }],
    [onPath(7, 1, 'link/'), { operation: 'lstat', resolved: '/etc' }],
    [onPath(13, 1, 'link/x'), { operation: 'remove', path: `${HOME}/link/x`, resolved: '/etc/x' }],
    [onPath(15, 1, '//d//'), { operation: 'rmdir', path: '/d' }],
    [onPath(16, 1, '.'), { operation: 'realpath', path: HOME }],
    [onPath(19, 1, 'link'), { operation: 'readlink', resolved: `${HOME}/link` }],
    [
      { type: 14, id: 1, path: b('d'), attributes },
      { operation: 'mkdir', attributes: ['size', 'permissions'], permissions: 0o4755 },
    ],
    [
      { type: 9, id: 1, path: b('link'), attributes },
      { operation: 'setstat', resolved: '/etc', permissions: 0o4755 },
    ],
    [
      { type: 10, id: 1, handle: b('h'), attributes },
      { operation: 'fsetstat', path: `${HOME}/open`, flags: ['read', 'write'] },
    ],
    [
      { type: 18, id: 1, first: b('link/a'), second: b('/b') },
      { operation: 'rename', resolved: '/etc/a', target: '/b', targetResolved: '/b' },
    ],
    [
      { type: 20, id: 1, first: b('../x/./y/..'), second: b('link/new') },
      { operation: 'symlink', path: `${HOME}/link/new`, resolved: '/etc/new', target: '/x', targetResolved: '/x' },
    ],
    [
      extended(1, 'posix-rename@openssh.com', { paths: [b('a'), b('link')] }),
      { operation: 'rename', targetResolved: `${HOME}/link` },
    ],
    [
      extended(1, 'hardlink@openssh.com', { paths: [b('link'), b('n')] }),
      { operation: 'link', path: `${HOME}/n`, target: `${HOME}/link`, targetResolved: '/etc' },
    ],
    [
      extended(1, 'lsetstat@openssh.com', { paths: [b('link')], attributes }),
      { operation: 'lsetstat', resolved: `${HOME}/link` },
    ],
    [extended(1, 'statvfs@openssh.com', { paths: [b('link')] }), { operation: 'statvfs', resolved: '/etc' }],
    [extended(1, 'fstatvfs@openssh.com', { handles: [b('h')] }), { operation: 'statvfs', path: `${HOME}/open` }],
    [
      extended(1, 'fsync@openssh.com', { handles: [b('h')] }),
      { operation: 'fsync', path: `${HOME}/open`, flags: ['read', 'write'] },
    ],
    [
      extended(1, 'expand-path@openssh.com', { paths: [b('~root/x')] }),
      { operation: 'expand-path', path: null, resolved: null },
    ],
    [extended(1, 'expand-path@openssh.com', { paths: [b('x')] }), { operation: 'expand-path', path: `${HOME}/x` }],
    [extended(1, 'home-directory', { strings: [b('root')] }), { operation: 'home-directory', path: null }],
    [extended(1, 'users-groups-by-id@openssh.com', { strings: [b(''), b('')] }), { operation: 'users-groups-by-id' }],
    [
      extended(1, 'copy-data', { handles: [b('h'), b('g')], numbers: [0n, 0n, 0n] }),
      { operation: 'copy-data', path: `${HOME}/open`, target: `${HOME}/to`, targetResolved: `${HOME}/to` },
    ],
  ]
  for (const [request, expected] of cases) {
    const sent = stage.one(request, resolve)
    t.match(stage.lastDetail, { kind: 'sftp', user: 'agent', ...expected }, JSON.stringify(expected))
    const command = stage.commands.at(-1)
    t.ok(command !== undefined && contract.checkCommand(command) === null, 'it fits the schema')
    t.equal(sent?.id, 1, 'it is sent')
    stage.reply(OK(1, 4))
  }
})

t.test('what is sent has the paths that were judged', async (t) => {
  const stage = new Stage().begin()
  const resolve = (path: string) => (path === `${HOME}/link` ? '/etc' : path)
  t.match(stage.one(open(1, 'link/../link'), resolve), { path: b('/etc') })
  t.match(stage.one(onPath(13, 2, 'link'), resolve), { path: b(`${HOME}/link`) })
  stage.reply(OK(2))
  t.match(stage.one({ type: 20, id: 3, first: b('a/../../up/./x'), second: b('link/n') }, resolve), {
    first: b('../up/x'),
    second: b('/etc/n'),
  })
  stage.reply(OK(3))
  t.match(stage.one(extended(4, 'hardlink@openssh.com', { paths: [b('link'), b('n')] }), resolve), {
    fields: { paths: [b('/etc'), b(`${HOME}/n`)] },
  })
})

t.test("symbolic links are made for servers that keep to the draft's order of arguments", async (t) => {
  const stage = new Stage(() => ALLOW, { order: { agent: 'target-first', server: 'link-first' } }).begin()
  t.match(stage.one({ type: 20, id: 1, first: b('/to'), second: b('/link') }), { first: b('/link'), second: b('/to') })
  t.match(stage.lastDetail, { path: '/link', target: '/to' })
})

t.test('where a path leads is found out past what does not exist', async (t) => {
  const stage = new Stage().begin()
  stage.send(open(1, 'new/deep/file', 10))
  const step = (expected: object, reply: (id: number) => Parameters<Stage['reply']>[0]): void => {
    const request = stage.received.shift()
    t.match(request, expected)
    stage.reply(reply(request?.id ?? 0))
  }
  step({ type: 16, path: b(`${HOME}/new/deep/file`) }, (id) => OK(id, 2))
  step({ type: 16, path: b(`${HOME}/new/deep`) }, (id) => OK(id, 2))
  step({ type: 16, path: b(`${HOME}/new`) }, (id) => OK(id, 2))
  step({ type: 16, path: b(HOME) }, (id) => nameOf(id, '/data'))
  step({ type: 7, path: b('/data/new') }, (id) => OK(id, 2))
  t.match(stage.lastDetail, { path: `${HOME}/new/deep/file`, resolved: '/data/new/deep/file' })
})

t.test('a link that points at nothing has no resolved path, where the server does not tell it', async (t) => {
  const stage = new Stage().begin()
  stage.send(open(1, 'link', 10))
  stage.reply(OK(stage.received.shift()?.id ?? 0, 2))
  stage.reply(nameOf(stage.received.shift()?.id ?? 0, HOME))
  stage.reply({ type: 105, id: stage.received.shift()?.id ?? 0, attributes: {} })
  t.match(stage.lastDetail, { path: `${HOME}/link`, resolved: null })
})

t.test('a server that will not say where a path leads leaves that unknown to the policy', async (t) => {
  const stage = new Stage(({ command }) =>
    command.shape.detail['resolved'] === null ? deny('unresolved') : ALLOW,
  ).begin()
  for (const reply of [
    (id: number) => OK(id, 3),
    (id: number) => nameOf(id, 'relative'),
    (id: number) => nameOf(id, '/a\0b'),
  ]) {
    stage.send(onPath(17, 1, 'x'))
    stage.reply(reply(stage.received.shift()?.id ?? 0))
    t.match(messageOf(stage.replies.shift()), /^3 unresolved/)
  }
})

t.test('where no policy looks at where paths lead, the server is not asked', async (t) => {
  const stage = new Stage(() => ALLOW, { resolves: () => false }).begin()
  stage.send(onPath(17, 1, 'a/../b'))
  t.match(stage.received, [{ type: 17, id: 1, path: b(`${HOME}/b`) }])
})

t.test(
  'a refused operation is told its code, message and remedy, never goes up, and the channel lives on',
  async (t) => {
    const stage = new Stage(({ command }) => (command.shape.detail['path'] === '/no' ? deny('team.no') : ALLOW)).begin()
    t.equal(stage.one(onPath(13, 7, '/no')), undefined)
    t.match(stage.replies, [{ type: 101, id: 7, code: 3 }])
    t.match(messageOf(stage.replies.pop()), /team\.no: refused by team\.no \(do otherwise\)/)
    t.match(stage.one(onPath(13, 8, '/yes')), { id: 8 })
  },
)

t.test('paths that cannot be judged are refused on record, and nothing is asked about them', async (t) => {
  const stage = new Stage().begin()
  const refused: [Buffer, RegExp][] = [
    [Buffer.from([0x2f, 0xff]), /command\.unparsable/],
    [b('/a\0b'), /command\.unparsable/],
    [b(`/${'a'.repeat(4096)}`), /command\.too-large/],
    [b('a'.repeat(4090)), /command\.too-large/],
  ]
  for (const [path, code] of refused) {
    stage.send({ type: 17, id: 1, path })
    t.match(messageOf(stage.replies.pop()), code)
  }
  t.equal(stage.received.length, 0)
  t.equal(stage.record.decisions.length, refused.length)
  for (const { refusal } of stage.record.decisions) t.ok(refusal)
})

t.test('relative paths are refused where the server does not say where they begin', async (t) => {
  const stage = new Stage().begin(null)
  stage.send(onPath(17, 1, 'a'))
  t.match(messageOf(stage.replies.pop()), /login directory.*absolute path/)
  t.match(stage.one(onPath(17, 2, '/a')), { id: 2 })
})

t.test('extensions that nobody inspects, or the server does not have, are unsupported', async (t) => {
  const stage = new Stage()
  stage.bytes(encodeInit(3))
  stage.fromServer(encodeVersion(3, []))
  stage.reply(nameOf(stage.received.shift()?.id ?? 0, HOME))
  stage.send({ type: 200, id: 1, name: null, unknown: b('evil@example.com'), body: b('x') })
  stage.send(extended(2, 'posix-rename@openssh.com', { paths: [b('/a'), b('/b')] }))
  t.match(stage.replies.map(messageOf), [/^8 command\.unsupported/, /^8 command\.unsupported/])
  t.equal(stage.received.length, 0)
  t.match(stage.record.decisions[0]?.command.shape.detail, { operation: 'extended' })
})

t.test('limits are told as the lower of both sides', async (t) => {
  const stage = new Stage().begin()
  stage.send(extended(3, 'limits@openssh.com', {}))
  t.match(stage.received.splice(0), [{ type: 200, id: 3, name: 'limits@openssh.com' }])
  const body = Buffer.alloc(32)
  body.writeBigUInt64BE(1n << 40n, 0)
  body.writeBigUInt64BE(1000n, 8)
  body.writeBigUInt64BE(1019n, 24)
  stage.reply({ type: 201, id: 3, body })
  const [reply] = stage.replies
  const told = reply?.type === 201 ? [0, 8, 16, 24].map((at) => Number(reply.body.readBigUInt64BE(at))) : []
  t.strictSame(told, [262_144, 1000, 261_120, SETTINGS.files])
})

t.test('nothing goes by a handle that is not open, or for what it was not opened', async (t) => {
  const stage = new Stage().begin()
  stage.open(1, '/r', 1, 'R')
  stage.open(2, '/w', 2, 'W')
  stage.one(onPath(11, 3, '/d'))
  stage.reply({ type: 102, id: 3, handle: b('D') })
  stage.replies.pop()
  const refused = [
    read(10, 'guess', 0, 1),
    write(11, 'guess', 0, 'x'),
    onHandle(4, 12, 'guess'),
    onHandle(8, 13, ''),
    write(14, 'R', 0, 'x'),
    read(15, 'W', 0, 1),
    read(16, 'D', 0, 1),
    onHandle(12, 17, 'R'),
    extended(18, 'fsync@openssh.com', { handles: [b('guess')] }),
    extended(19, 'copy-data', { handles: [b('W'), b('R')], numbers: [0n, 0n, 0n] }),
    { type: 10, id: 20, handle: b('guess'), attributes: {} } as const,
  ]
  stage.send(...refused)
  t.equal(stage.received.length, 0)
  t.strictSame(
    stage.replies.map(({ id }) => id),
    refused.map(({ id }) => id),
  )
  for (const reply of stage.replies) t.match(reply, { type: 101, code: 3 })
  t.equal(stage.record.decisions.filter(({ refusal }) => refusal !== null).length, refused.length, 'all are on record')
})

t.test('a request id that is still unanswered is refused', async (t) => {
  const stage = new Stage().begin()
  stage.one(onPath(17, 5, '/a'))
  stage.send(onPath(13, 5, '/b'))
  t.match(messageOf(stage.replies.pop()), /^3 protocol\.violation/)
  t.equal(stage.received.length, 0)
  stage.reply(OK(5, 2))
  t.match(stage.one(onPath(13, 5, '/b')), { type: 13 })
})

t.test("Sidegate's own requests are never mistaken for the agent's with the same id", async (t) => {
  const stage = new Stage().begin()
  stage.send(onPath(17, 0xffff_ffff, '/a'), onPath(17, 0xffff_fffe, '/b'))
  const [own] = stage.received.splice(0)
  t.match(own, { type: 16 })
  stage.reply(nameOf(own?.id ?? 0, '/a'))
  const [first, second] = stage.received.splice(0)
  t.match(first, { type: 17, id: 0xffff_ffff })
  t.match(second, { type: 16, path: b('/b') })
  t.not(second?.id, 0xffff_ffff)
  stage.reply(nameOf(second?.id ?? 0, '/b'))
  t.match(stage.received.splice(0), [{ type: 17, id: 0xffff_fffe }])
  stage.reply(OK(0xffff_ffff, 2), OK(0xffff_fffe, 3))
  t.match(stage.replies, [
    { id: 0xffff_ffff, code: 2 },
    { id: 0xffff_fffe, code: 3 },
  ])
})

t.test('where a path leads is not asked while something that could change it is unanswered', async (t) => {
  const stage = new Stage().begin()
  t.match(stage.one({ type: 20, id: 1, first: b('/etc'), second: b('/l') }), { type: 20 })
  stage.send(open(2, '/l/passwd'))
  t.equal(stage.received.length, 0)
  stage.reply(OK(1))
  t.match(stage.received, [{ type: 16, path: b('/l/passwd') }])
})

t.test('answers that nobody asked for, or that answer something else, end the channel', async (t) => {
  const violation = (...replies: Parameters<Stage['reply']>): string => {
    const stage = new Stage().begin()
    stage.open(1, '/a', 1, 'H')
    stage.send(read(2, 'H', 0, 10))
    stage.one(open(3, '/b'))
    stage.reply(...replies)
    t.ok(stage.record.outcomes.length >= 2, 'what was permitted has its outcome')
    return stage.violations.join()
  }
  t.match(violation(OK(77)), /an answer to 77/)
  t.match(violation(OK(2), OK(2)), /an answer to 2/)
  t.match(violation({ type: 102, id: 2, handle: b('x') }), /HANDLE is no answer/)
  t.match(violation({ type: 103, id: 2, data: Buffer.alloc(11) }), /11 bytes, and 10 were asked for/)
  t.match(violation({ type: 102, id: 3, handle: b('H') }), /another open file/)
  t.match(violation(OK(3)), /success without a handle/)
})

t.test('a transfer in order is told with its volume and digest when its handle is closed', async (t) => {
  const stage = new Stage().begin()
  stage.open(1, 'down', 1, 'D')
  stage.open(2, 'up', 26, 'U')
  stage.send(
    read(3, 'D', 0, 5),
    read(4, 'D', 5, 5),
    read(5, 'D', 10, 5),
    write(6, 'U', 0, 'abc'),
    write(7, 'U', 3, 'def'),
  )
  t.equal(stage.received.splice(0).length, 5)
  stage.reply({ type: 103, id: 3, data: b('01234') }, OK(7), { type: 103, id: 4, data: b('567') }, OK(6), OK(5, 1))
  stage.send(onHandle(4, 8, 'D'), onHandle(4, 9, 'U'))
  stage.reply(OK(9), OK(8))
  t.match(stage.transfers, [
    { operation: 'open', path: `${HOME}/up`, bytesRead: 0, bytesWritten: 6, sha256: sha256('abcdef'), note: null },
    { path: `${HOME}/down`, bytesRead: 8, bytesWritten: 0, offset: 0, sha256: sha256('01234567') },
  ])
  t.match(stage.record.outcomes.at(-1)?.outcome, { status: 'completed', code: 'SSH_FX_OK', bytes: 8 })
  t.equal(stage.relay.files.size, 0)
})

t.test('a transfer that is not one run in one direction has no digest, and says why', async (t) => {
  const note = (run: (stage: Stage) => void): unknown => {
    const stage = new Stage().begin()
    stage.open(1, 'f', 3, 'F')
    run(stage)
    stage.send(onHandle(4, 90, 'F'))
    stage.reply(OK(90))
    t.equal(stage.transfers[0]?.sha256, null)
    return stage.transfers[0]?.note
  }
  t.equal(
    note(() => {}),
    'nothing was transferred',
  )
  t.equal(
    note((stage) => {
      stage.send(read(2, 'F', 0, 1), read(3, 'F', 1, 1))
      stage.reply({ type: 103, id: 3, data: b('b') }, { type: 103, id: 2, data: b('a') })
    }),
    'not transferred in order',
  )
  t.equal(
    note((stage) => {
      stage.send(write(2, 'F', 0, 'x'))
      stage.reply(OK(2, 4))
    }),
    'a write failed',
  )
  t.equal(
    note((stage) => {
      stage.send(write(2, 'F', 0, 'x'), read(3, 'F', 0, 1))
      stage.reply(OK(2), { type: 103, id: 3, data: b('x') })
    }),
    'read and written',
  )
})

t.test('a limit in bytes stops a transfer with a STATUS, and the handle can still be closed', async (t) => {
  const limited = { ...ALLOW, limits: { rows: null, bytes: 10, seconds: null } }
  const stage = new Stage(() => limited).begin()
  stage.open(1, 'up', 2, 'U')
  stage.send(write(2, 'U', 0, '0123456789'), write(3, 'U', 10, 'x'))
  t.equal(stage.received.splice(0).length, 1)
  t.match(messageOf(stage.replies.pop()), /obligation\.limit: only 10 bytes/)
  stage.reply(OK(2))
  stage.send(onHandle(4, 4, 'U'))
  t.match(stage.received.splice(0), [{ type: 4, id: 4 }])
  stage.reply(OK(4))
  t.match(stage.record.outcomes.at(-1)?.outcome, { status: 'refused', code: 'obligation.limit', bytes: 10 })
  stage.replies.splice(0)
  stage.open(5, 'down', 1, 'D')
  stage.send(read(6, 'D', 0, 8), read(7, 'D', 8, 8))
  stage.reply({ type: 103, id: 6, data: b('01234567') }, { type: 103, id: 7, data: b('89abcdef') })
  t.match(
    stage.replies,
    [
      { type: 103, id: 6 },
      { type: 101, id: 7, code: 3 },
    ],
    'the agent gets no byte above it',
  )
})

t.test('a limit in seconds stops a handle that stays open longer', async (t) => {
  let now = 0
  const limited = { ...ALLOW, limits: { rows: null, bytes: null, seconds: 5 } }
  const stage = new Stage(() => limited, { now: () => now }).begin()
  stage.open(1, 'up', 2, 'U')
  now = 5000
  stage.send(write(2, 'U', 0, 'a'))
  t.equal(stage.received.length, 1)
  now = 5001
  stage.send(write(3, 'U', 1, 'b'))
  t.match(messageOf(stage.replies.pop()), /the time that it may be open is over/)
})

t.test('masks and row limits refuse, since nothing here could keep them', async (t) => {
  const mask = { column: null, detector: 'email', path: null, with: 'redact', policy: 'policy.test' } as const
  for (const decision of [
    { ...ALLOW, masks: [mask] },
    { ...ALLOW, limits: { rows: 1, bytes: null, seconds: null } },
  ]) {
    const stage = new Stage(() => decision).begin()
    t.equal(stage.one(open(1, 'f')), undefined)
    t.match(messageOf(stage.replies.pop()), /obligation\.unsupported/)
  }
})

t.test('a policy that changes stops what streams under the old one; the handle can only be closed', async (t) => {
  const stage = new Stage().begin()
  stage.open(1, 'f', 1, 'F')
  stage.send(read(2, 'F', 0, 5))
  stage.received.splice(0)
  stage.policy.change(() => deny('now.not'))
  stage.reply({ type: 103, id: 2, data: b('01234') })
  stage.send(read(3, 'F', 5, 5), onHandle(4, 4, 'F'))
  t.match(stage.replies.map(messageOf), [/policy\.revoked/, /policy\.revoked/])
  t.match(stage.received, [{ type: 4, id: 4, handle: b('F') }])
  stage.reply(OK(4))
  t.match(stage.record.outcomes.at(-1)?.outcome, { status: 'refused', code: 'policy.revoked', bytes: 0 })
})

t.test(
  'a packet whose permit is taken back while it waits for the journal is refused, and its close still goes up',
  async (t) => {
    const stage = new Stage().begin()
    stage.open(1, 'f', 1, 'F')
    stage.relay.fromAgent(encodeRequest(extended(9, 'fsync@openssh.com', { handles: [b('F')] })))
    stage.relay.fromAgent(Buffer.concat([read(2, 'F', 0, 5), onHandle(4, 3, 'F')].map(encodeRequest)))
    stage.policy.change(() => deny('now.not'))
    t.equal(stage.received.length, 0)
    stage.record.flush()
    t.match(stage.received, [
      { type: 200, id: 9 },
      { type: 4, id: 3 },
    ])
    t.match(messageOf(stage.replies.pop()), /policy\.revoked/)
    stage.reply(OK(9), OK(3))
    t.equal(stage.transfers.length, 1)
  },
)

t.test('what waits for people holds what is behind it, and an end withdraws it', async (t) => {
  const rule = () => approve('need.ok')
  const stage = new Stage(rule).begin()
  stage.send(onPath(13, 1, '/a'), onPath(17, 2, '/b'))
  stage.got()
  t.equal(stage.approval.holds.length, 1)
  t.equal(stage.received.length, 0)
  stage.approval.holds[0]?.settle({ grant: { by: ['x'], at: '', codes: ['need.ok'] } })
  await new Promise(setImmediate)
  stage.record.flush()
  t.match(stage.got(), [{ type: 13, id: 1 }])
  stage.reply(OK(1))
  t.same(stage.got(), [])
  t.equal(stage.approval.holds.length, 2)
  t.equal(stage.approval.holds[1]?.signal.aborted, false)
  stage.relay.end()
  t.equal(stage.approval.holds[1]?.signal.aborted, true)
  stage.record.flush()
  t.same(stage.got(), [], 'nothing of it goes to the server')
})

t.test('what is unanswered when the channel ends is on record as lost', async (t) => {
  const stage = new Stage().begin()
  stage.open(1, 'f', 1, 'F')
  stage.one(onPath(13, 2, '/a'))
  stage.relay.end()
  t.match(
    stage.record.outcomes.map(({ outcome }) => outcome.status),
    ['lost', 'lost'],
  )
  t.equal(stage.transfers.length, 1)
  stage.send(onPath(13, 3, '/a'))
  t.equal(stage.received.length, 0)
})

t.test('a decision that cannot be recorded is a refusal', async (t) => {
  const stage = new Stage().begin()
  stage.send(onPath(16, 1, '/a'))
  const [own] = stage.received.splice(0)
  stage.record.fail('record.spool-full')
  stage.reply(nameOf(own?.id ?? 0, '/a'))
  t.match(messageOf(stage.replies.pop()), /record\.spool-full/)
  t.equal(stage.received.length, 0)
})

t.test('what waits for its record is never sent when that is lost, and the connection ends', async (t) => {
  const stage = new Stage(() => ALLOW, { resolves: () => false }).begin()
  stage.relay.fromAgent(encodeRequest(onPath(13, 1, '/a')))
  stage.record.fail('record.unavailable')
  stage.record.flush()
  t.match(stage.failures, [{ code: 'record.unavailable' }])
  stage.send(onPath(13, 2, '/b'))
  t.equal(stage.received.length, 0)
})

t.test('only so many files are open at once', async (t) => {
  const stage = new Stage().begin()
  for (let index = 0; index < SETTINGS.files; index++) stage.open(index, `/f${index}`, 1, `h${index}`)
  t.equal(stage.one(open(100, '/more')), undefined)
  t.match(messageOf(stage.replies.pop()), /^4 session\.limit/)
  stage.send(onHandle(4, 101, 'h0'))
  stage.reply(OK(101))
  stage.received.splice(0)
  t.match(stage.one(open(102, '/more')), { id: 102 })
})

t.test('more requests than may wait for the server wait here, and none is lost', async (t) => {
  const stage = new Stage().begin()
  stage.open(1, 'f', 1, 'F')
  const total = MOST_IN_FLIGHT + 100
  const requests = Array.from({ length: total }, (_, index) => read(index, 'F', index, 1))
  stage.send(...requests)
  t.equal(stage.received.length, MOST_IN_FLIGHT)
  t.ok(stage.relay.buffered > 0)
  for (let index = 0; index < total; index++) stage.reply({ type: 103, id: index, data: b('x') })
  t.equal(stage.received.length, total)
  t.equal(stage.replies.length, total)
  t.equal(stage.relay.buffered, 0)
})
