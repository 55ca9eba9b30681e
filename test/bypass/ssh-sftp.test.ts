/** Ways of touching files that the starter policy does not allow, packet by packet. The host is looked at after each. */
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startGated } from '../e2e/ssh/gated.ts'
import { movedStarter } from '../e2e/ssh/starter.ts'
import { MESSAGE } from '../../src/protocols/ssh/channels/messages.ts'
import { encodeInit, encodeRequest, type SftpRequest } from '../../src/protocols/ssh/sftp/packets/requests.ts'
import { REPLY, REQUEST, STATUS } from '../../src/protocols/ssh/sftp/packets/types.ts'
import { RawSsh } from '../support/ssh-raw.ts'

const { policy, srv } = await movedStarter(t)
const gated = await startGated(t, { policy })
const home = gated.server.home
mkdirSync(join(srv, 'app/dir'))
writeFileSync(join(srv, 'agent/mine'), 'mine\n')
writeFileSync(join(home, 'keys'), readFileSync(gated.server.authorizedKeysFile))
// What somebody else has left there.
symlinkSync('../app/config.yml', join(srv, 'agent/to-config'))
symlinkSync(gated.server.authorizedKeysFile, join(srv, 'agent/to-keys'))
symlinkSync('/', join(srv, 'agent/to-root'))
symlinkSync('../app', join(srv, 'agent/to-app'))

const agent = await RawSsh.connect(gated.agent.port, { authHandler: ['none'] })
t.teardown(() => agent.destroy())

/** Everything that must stay as it is: content, modes, times and names. */
function state(): string {
  const hash = createHash('sha256')
  const walk = (path: string): void => {
    const stat = lstatSync(path)
    hash.update(`${path} ${stat.mode} ${stat.size} ${stat.mtimeMs} ${stat.nlink}\n`)
    if (stat.isSymbolicLink()) hash.update(readlinkSync(path))
    else if (stat.isDirectory()) for (const name of readdirSync(path).toSorted()) walk(join(path, name))
    else hash.update(readFileSync(path))
  }
  for (const path of [join(srv, 'app'), join(srv, 'git'), home, gated.server.authorizedKeysFile]) walk(path)
  return hash.digest('hex')
}

interface Reply {
  readonly type: number
  readonly id: number
  readonly body: Buffer
}

/** A client of sftp that sends packets as they are. */
class RawSftp {
  readonly #agent: RawSsh
  readonly #channel: { readonly local: number; readonly remote: number }
  #heard = Buffer.alloc(0)
  #closed = false

  private constructor(agent: RawSsh, channel: { readonly local: number; readonly remote: number }) {
    this.#agent = agent
    this.#channel = channel
  }

  /** A channel of its own, on one connection for them all. */
  static async open(init = encodeInit(3)): Promise<RawSftp> {
    const channel = await agent.open()
    if (channel === null || (await agent.ask(channel, 'subsystem', 'sftp')) !== true)
      throw new Error('there is no sftp')
    const sftp = new RawSftp(agent, channel)
    sftp.send(init)
    return sftp
  }

  /** Leaves the channel, and waits until the other side has. */
  async leave(): Promise<void> {
    this.#agent.send(MESSAGE.CLOSE, this.#channel.remote)
    if (!this.#closed) await this.#agent.outcome(this.#channel)
  }

  send(...packets: Buffer[]): void {
    this.#agent.send(MESSAGE.DATA, this.#channel.remote, Buffer.concat(packets))
  }

  /** The next reply, VERSION left out; null when the channel ended. */
  async next(): Promise<Reply | null> {
    for (;;) {
      const size = this.#heard.length < 4 ? Number.NaN : this.#heard.readUInt32BE()
      if (this.#heard.length >= 4 + size) {
        const packet = this.#heard.subarray(4, 4 + size)
        this.#heard = this.#heard.subarray(4 + size)
        if (packet[0] === REPLY.VERSION) continue
        return { type: packet[0] ?? 0, id: packet.readUInt32BE(1), body: packet.subarray(5) }
      }
      const came = await this.#agent.take(
        (each) => each.type !== MESSAGE.OPEN && each.recipient === this.#channel.local,
      )
      if (came?.type === MESSAGE.DATA) this.#heard = Buffer.concat([this.#heard, came.data])
      if (came?.type === MESSAGE.CLOSE) this.#closed = true
      if (came === null || came.type === MESSAGE.CLOSE || came.type === MESSAGE.EOF) return null
    }
  }

  /** Sends requests at one go and gives the code of each one's STATUS, 0 for any other reply, null where there is none. */
  async codes(...requests: SftpRequest[]): Promise<(number | null)[]> {
    this.send(...requests.map(encodeRequest))
    const codes: (number | null)[] = []
    for (const _ of requests) {
      const reply = await this.next()
      codes.push(reply === null ? null : reply.type === REPLY.STATUS ? reply.body.readUInt32BE() : 0)
      if (reply === null) break
    }
    return codes
  }

  async handle(request: SftpRequest): Promise<Buffer> {
    this.send(encodeRequest(request))
    const reply = await this.next()
    if (reply?.type !== REPLY.HANDLE) throw new Error(`no handle: ${reply?.body.toString('latin1')}`)
    return Buffer.from(reply.body.subarray(4))
  }
}

const [READ, WRITE, APPEND, CREAT, TRUNC, EXCL] = [1, 2, 4, 8, 16, 32] as const
const b = (text: string) => Buffer.from(text)
const app = (name: string) => join(srv, 'app', name)
const mine = (name: string) => join(srv, 'agent', name)

const open = (path: string | Buffer, pflags: number, id = 1): SftpRequest => ({
  type: REQUEST.OPEN,
  id,
  path: Buffer.from(path),
  pflags,
  attributes: {},
})
const write = (handle: Buffer, text: string, id = 2): SftpRequest => ({
  type: REQUEST.WRITE,
  id,
  handle,
  offset: 0n,
  data: b(text),
})
const close = (handle: Buffer, id = 3): SftpRequest => ({ type: REQUEST.CLOSE, id, handle })
const two = (
  type: typeof REQUEST.RENAME | typeof REQUEST.SYMLINK,
  first: string,
  second: string,
  id = 1,
): SftpRequest => ({ type, id, first: b(first), second: b(second) })
const onPath = (
  type:
    | typeof REQUEST.REMOVE
    | typeof REQUEST.RMDIR
    | typeof REQUEST.OPENDIR
    | typeof REQUEST.READLINK
    | typeof REQUEST.STAT,
  path: string,
  id = 1,
): SftpRequest => ({ type, id, path: b(path) })
const NO_FIELDS = { paths: [], handles: [], numbers: [], strings: [], attributes: null }
const extended = (
  name: 'posix-rename@openssh.com' | 'hardlink@openssh.com',
  first: string,
  second: string,
): SftpRequest => ({ type: REQUEST.EXTENDED, id: 1, name, fields: { ...NO_FIELDS, paths: [b(first), b(second)] } })

/** Packets that only look as if they were about something allowed. */
const REQUESTS: Readonly<Record<string, SftpRequest>> = {
  'reading that creates': open(app('new'), READ | CREAT),
  'reading that creates, exclusively': open(app('new'), READ | CREAT | EXCL),
  'reading that empties': open(app('config.yml'), READ | TRUNC),
  'reading that empties what it would create': open(app('config.yml'), READ | CREAT | TRUNC),
  writing: open(app('config.yml'), WRITE),
  appending: open(app('config.yml'), WRITE | APPEND),
  'appending without writing': open(app('config.yml'), APPEND),
  'creating alone': open(app('new'), CREAT),
  'a flag that nobody knows': open(mine('new'), WRITE | CREAT | 0x40),
  'a path that climbs out': open(mine('../app/config.yml'), WRITE),
  'a path with doubled slashes and dots': open(`${srv}//agent/.././app//config.yml`, WRITE),
  'a path through a link to a directory': open(mine('to-app/config.yml'), WRITE),
  'a path through a link to everything': open(mine(`to-root${gated.server.authorizedKeysFile}`), WRITE),
  'a link to a file': open(mine('to-config'), WRITE),
  'a link to a file, emptied': open(mine('to-config'), WRITE | CREAT | TRUNC),
  'a link to the keys': open(mine('to-keys'), WRITE | APPEND),
  'a relative path': open('.bashrc', WRITE | CREAT),
  'a path with a NUL': open(b(`${mine('x')}\0/../../app/config.yml`), WRITE | CREAT),
  'a path that is no text': open(Buffer.concat([b(mine('')), Buffer.of(0xff, 0xfe)]), WRITE | CREAT),
  'an empty path': open('', WRITE | CREAT),
  'a very long path': open(`${mine('x')}${'/x'.repeat(4000)}`, WRITE | CREAT),
  removing: onPath(REQUEST.REMOVE, app('config.yml')),
  'removing through a link': onPath(REQUEST.REMOVE, mine('to-app/config.yml')),
  'removing a directory': onPath(REQUEST.RMDIR, app('dir')),
  'removing a directory through a link': onPath(REQUEST.RMDIR, mine('to-app/dir')),
  'making a directory': { type: REQUEST.MKDIR, id: 1, path: b(app('made')), attributes: {} },
  'making a directory through a link': { type: REQUEST.MKDIR, id: 1, path: b(mine('to-app/made')), attributes: {} },
  'renaming over a file': two(REQUEST.RENAME, mine('mine'), app('config.yml')),
  'renaming over the keys': two(REQUEST.RENAME, mine('mine'), gated.server.authorizedKeysFile),
  'renaming through a link': two(REQUEST.RENAME, mine('mine'), mine('to-app/renamed')),
  'renaming away': two(REQUEST.RENAME, app('config.yml'), mine('stolen')),
  'renaming away through a link': two(REQUEST.RENAME, mine('to-app/config.yml'), mine('stolen')),
  'renaming over the keys as POSIX does': extended(
    'posix-rename@openssh.com',
    mine('mine'),
    gated.server.authorizedKeysFile,
  ),
  'renaming through a link as POSIX does': extended(
    'posix-rename@openssh.com',
    mine('mine'),
    mine('to-app/config.yml'),
  ),
  'a hard link to a file': extended('hardlink@openssh.com', app('config.yml'), mine('hard')),
  'a hard link through a link': extended('hardlink@openssh.com', mine('to-app/config.yml'), mine('hard')),
  'a symbolic link out': two(REQUEST.SYMLINK, app('config.yml'), mine('link')),
  'a symbolic link in': two(REQUEST.SYMLINK, mine('link'), app('link')),
  'a symbolic link among its own': two(REQUEST.SYMLINK, 'mine', mine('link')),
  'new rights': { type: REQUEST.SETSTAT, id: 1, path: b(app('config.yml')), attributes: { permissions: 0o777 } },
  'new rights through a link': {
    type: REQUEST.SETSTAT,
    id: 1,
    path: b(mine('to-config')),
    attributes: { permissions: 0o777 },
  },
  'a new size': { type: REQUEST.SETSTAT, id: 1, path: b(app('config.yml')), attributes: { size: 0n } },
  'a new owner of its own file': {
    type: REQUEST.SETSTAT,
    id: 1,
    path: b(mine('mine')),
    attributes: { owner: { uid: 0, gid: 0 } },
  },
  'reading what is outside': open('/etc/shadow', READ),
  'reading what is outside through a link': open(mine('to-root/etc/shadow'), READ),
  'reading the keys through a link': open(mine('to-keys'), READ),
  'listing what is outside': onPath(REQUEST.OPENDIR, '/root'),
  'listing what is outside through a link': onPath(REQUEST.OPENDIR, mine('to-root/root')),
}

t.test('no request touches what the policy does not allow, whatever it looks like', async (t) => {
  const before = state()
  for (const [what, request] of Object.entries(REQUESTS)) {
    const sftp = await RawSftp.open()
    const [code] = await sftp.codes(request)
    t.not(code, STATUS.OK, what)
    t.equal(state(), before, what)
    t.notOk(existsSync(mine('hard')) || existsSync(mine('stolen')), what)
    t.ok(existsSync(mine('mine')), what)
    await sftp.leave()
  }
})

t.test('a handle does no more than it was opened for', async (t) => {
  const before = state()
  const sftp = await RawSftp.open()
  const reading = await sftp.handle(open(app('config.yml'), READ))
  t.not((await sftp.codes(write(reading, 'pwned')))[0], STATUS.OK, 'writing through a handle for reading')
  const emptied: SftpRequest = { type: REQUEST.FSETSTAT, id: 9, handle: reading, attributes: { size: 0n } }
  t.not((await sftp.codes(emptied))[0], STATUS.OK, 'emptying through a handle for reading')
  const open_up: SftpRequest = { type: REQUEST.FSETSTAT, id: 9, handle: reading, attributes: { permissions: 0o777 } }
  t.not((await sftp.codes(open_up))[0], STATUS.OK)
  t.equal(state(), before)
})

t.test('a handle that is used again stands for what it was opened for last', async (t) => {
  const before = state()
  const sftp = await RawSftp.open()
  const first = await sftp.handle(open(mine('new'), WRITE | CREAT))
  t.same(await sftp.codes(write(first, 'fine'), close(first)), [0, 0])
  const second = await sftp.handle(open(app('config.yml'), READ))
  t.same(second, first, 'the host gives the same handle again')
  t.not((await sftp.codes(write(second, 'pwned')))[0], STATUS.OK)
  t.same(await sftp.codes(close(second)), [0])
  t.not((await sftp.codes(write(second, 'pwned')))[0], STATUS.OK, 'a closed one stands for nothing')
  t.equal(state(), before)
})

t.test('handles that are guessed, and ids that are used twice, do nothing', async (t) => {
  const before = state()
  const guess = Buffer.alloc(4)
  const pipelined = await RawSftp.open()
  const codes = await pipelined.codes(open(app('config.yml'), WRITE, 1), write(guess, 'pwned', 2), close(guess, 3))
  t.ok(
    codes.every((code) => code !== STATUS.OK),
    'a request does not wait for a handle that it guesses',
  )
  t.equal(state(), before)

  const twice = await RawSftp.open()
  twice.send(encodeRequest(open(mine('one'), WRITE | CREAT, 7)), encodeRequest(open(app('config.yml'), WRITE, 7)))
  const replies = [await twice.next(), await twice.next()]
  t.ok(replies.filter((reply) => reply?.type === REPLY.HANDLE).length <= 1)
  twice.send(encodeRequest(write(guess, 'pwned', 8)))
  await twice.next()
  t.equal(state(), before, 'the id of a request in flight is not another one')
})

t.test('what is permitted is still permitted', async (t) => {
  const sftp = await RawSftp.open()
  const handle = await sftp.handle(open(mine('permitted'), WRITE | CREAT))
  t.same(await sftp.codes(write(handle, 'content'), close(handle)), [0, 0])
  t.same(await sftp.codes(two(REQUEST.RENAME, mine('permitted'), mine('moved'))), [0])
  t.equal(readFileSync(mine('moved'), 'utf8'), 'content')
  t.same(await sftp.codes(onPath(REQUEST.REMOVE, mine('moved'))), [0])
})

const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const string = (text: string | Buffer) => Buffer.concat([uint32(Buffer.byteLength(text)), Buffer.from(text)])
const packet = (...parts: Buffer[]) => string(Buffer.concat(parts))

/** After INIT, on a channel of its own each. */
const BROKEN: Readonly<Record<string, Buffer>> = {
  'a second INIT': encodeInit(3),
  'a packet without a type': Buffer.concat([uint32(0), Buffer.of(REQUEST.OPEN)]),
  'a packet of all the memory there is': Buffer.concat([uint32(0xffff_ffff), Buffer.of(REQUEST.OPEN)]),
  'a type that nobody knows': packet(Buffer.of(99), uint32(1)),
  "a reply's type": packet(Buffer.of(REPLY.HANDLE), uint32(1), string('x')),
  'a path that ends before it should': packet(Buffer.of(REQUEST.REMOVE), uint32(1), uint32(1000), b(app('config.yml'))),
  'more than a packet holds': packet(
    Buffer.of(REQUEST.STAT),
    uint32(1),
    string(mine('mine')),
    string(app('config.yml')),
  ),
  'a REMOVE behind a path': packet(
    Buffer.of(REQUEST.STAT),
    uint32(1),
    string(mine('mine')),
    packet(Buffer.of(REQUEST.REMOVE), uint32(2), string(app('config.yml'))),
  ),
  'attributes that nobody knows': packet(
    Buffer.of(REQUEST.OPEN),
    uint32(1),
    string(mine('mine')),
    uint32(READ),
    uint32(0x10),
  ),
  'an extension that nobody knows': packet(
    Buffer.of(REQUEST.EXTENDED),
    uint32(1),
    string('remove-all@example.com'),
    string(app('config.yml')),
  ),
  'an extension with a NUL in its name': packet(
    Buffer.of(REQUEST.EXTENDED),
    uint32(1),
    string('posix-rename@openssh.com\0'),
    string(mine('mine')),
    string(app('config.yml')),
  ),
  'copying from handle to handle': packet(
    Buffer.of(REQUEST.EXTENDED),
    uint32(1),
    string('copy-data'),
    string(Buffer.alloc(4)),
    Buffer.alloc(16),
    string(Buffer.alloc(4)),
    Buffer.alloc(8),
  ),
  'owners of a link': packet(
    Buffer.of(REQUEST.EXTENDED),
    uint32(1),
    string('lsetstat@openssh.com'),
    string(app('config.yml')),
    uint32(4),
    uint32(0o777),
  ),
}

t.test('packets that are none, and extensions that are not known, change nothing', async (t) => {
  const before = state()
  for (const [what, bytes] of Object.entries(BROKEN)) {
    const sftp = await RawSftp.open()
    sftp.send(bytes)
    const reply = await sftp.next().catch(() => t.fail(`${what}: neither an answer nor an end`))
    if (typeof reply === 'boolean') continue
    t.ok(reply === null || (reply.type === REPLY.STATUS && reply.body.readUInt32BE() !== STATUS.OK), what)
    t.equal(state(), before, what)
    await sftp.leave()
  }
  for (const version of [0, 2, 4, 6, 0xffff_ffff]) {
    const sftp = await RawSftp.open(encodeInit(version))
    const [code] = await sftp.codes(open(app('new'), WRITE | CREAT))
    t.not(code, STATUS.OK, `version ${version}`)
    t.equal(state(), before, `version ${version}`)
    await sftp.leave()
  }
})

t.test('the records of all this are whole', async (t) => {
  agent.destroy()
  await gated.check(t)
})
