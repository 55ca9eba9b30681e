/** Random agents and servers around the inspector, against a model of what each of them knows. */
import fc from 'fast-check'
import t from 'tap'
import { denial } from '../../../../src/gate/decision.ts'
import { encodeReply, type SftpReply } from '../../../../src/protocols/ssh/sftp/packets/replies.ts'
import { encodeRequest, type SftpRequest } from '../../../../src/protocols/ssh/sftp/packets/requests.ts'
import { ALLOW } from '../../../support/fakes.ts'
import { cut } from './arbitraries.ts'
import { nameOf, OK, Stage } from './stage.ts'

const NO_FIELDS = { paths: [], handles: [], numbers: [], strings: [], attributes: null }
const FORBIDDEN = '/forbidden'
/** Everything below it is somewhere else. */
const LINK = '/ok/link'

/** What the simulated server has for a path. */
const real = (path: string): string => (path.startsWith(LINK) ? FORBIDDEN + path.slice(LINK.length) : path)

const ids = fc.integer({ min: 1, max: 12 })
const paths = fc
  .constantFrom('/ok/a', '/ok/b', '/ok/../forbidden/x', '/ok/link/y', '/ok/./b', '/forbidden', '/ok', '/ok/\0', '/ok/é')
  .map((path) => Buffer.from(path))
/** Handles are small numbers and used again, as a server's are: most of these are or were open. */
const handles = fc.integer({ min: 0, max: 5 }).map((index) => Buffer.from(`h${index}`))

function record<T>(model: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> {
  return fc.record(model)
}

const requests: fc.Arbitrary<SftpRequest> = fc.oneof(
  {
    weight: 4,
    arbitrary: record({
      type: fc.constant(3),
      id: ids,
      path: paths,
      pflags: fc.constantFrom(1, 2, 3, 10, 42),
      attributes: fc.constant({}),
    }),
  },
  { weight: 1, arbitrary: record({ type: fc.constant(11), id: ids, path: paths }) },
  {
    weight: 4,
    arbitrary: record({ type: fc.constant(5), id: ids, handle: handles, offset: fc.bigInt(0n, 9n), length: fc.nat(9) }),
  },
  {
    weight: 3,
    arbitrary: record({
      type: fc.constant(6),
      id: ids,
      handle: handles,
      offset: fc.bigInt(0n, 9n),
      data: fc.constant(Buffer.from('data')),
    }),
  },
  { weight: 3, arbitrary: record({ type: fc.constantFrom(4, 8, 12), id: ids, handle: handles }) },
  { weight: 3, arbitrary: record({ type: fc.constantFrom(7, 13, 16, 17, 19), id: ids, path: paths }) },
  { weight: 1, arbitrary: record({ type: fc.constantFrom(18, 20), id: ids, first: paths, second: paths }) },
  {
    weight: 1,
    arbitrary: record({ type: fc.constant(10), id: ids, handle: handles, attributes: fc.constant({ size: 0n }) }),
  },
  {
    weight: 1,
    arbitrary: handles.chain((handle) =>
      record({
        type: fc.constant(200),
        id: ids,
        name: fc.constant('fsync@openssh.com'),
        fields: fc.constant({ ...NO_FIELDS, handles: [handle] }),
      }),
    ),
  },
) as fc.Arbitrary<SftpRequest>

type Action =
  | { readonly do: 'send'; readonly requests: readonly SftpRequest[]; readonly places: readonly number[] }
  | { readonly do: 'answer'; readonly which: number; readonly fail: boolean; readonly cut: number }
  | { readonly do: 'revoke' }

const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: record({
        do: fc.constant('send' as const),
        requests: fc.array(requests, { minLength: 1, maxLength: 4 }),
        places: fc.array(fc.nat(), { maxLength: 3 }),
      }),
    },
    {
      weight: 9,
      arbitrary: record({ do: fc.constant('answer' as const), which: fc.nat(), fail: fc.boolean(), cut: fc.nat() }),
    },
    { weight: 1, arbitrary: record({ do: fc.constant('revoke' as const) }) },
  ),
  { minLength: 20, maxLength: 60, size: 'max' },
)

const isOwn = (request: SftpRequest): boolean => request.id > 0xffff_0000

class World {
  readonly stage: Stage
  /** The server's own table: what is open, and what has not been answered. */
  readonly open = new Map<string, { readonly directory: boolean; readonly pflags: number }>()
  readonly owed: SftpRequest[] = []
  /** Handles that the agent was told and did not close. */
  readonly told = new Set<string>()
  readonly sent: number[] = []
  readonly answered: number[] = []
  judged = 0

  constructor() {
    this.stage = new Stage(({ command: { shape } }) => {
      const { path, resolved, target, targetResolved } = shape.detail
      const touches = [path, resolved, target, targetResolved].some(
        (one) => typeof one === 'string' && one.startsWith(FORBIDDEN),
      )
      return touches ? denial('test.forbidden', '', '') : ALLOW
    }).begin()
  }

  act(action: Action): void {
    if (action.do === 'send') this.#send(action.requests, action.places)
    else if (action.do === 'answer') this.#answer(action)
    else this.#revoke()
    this.#look()
  }

  /** Every answer is given. */
  drain(): void {
    for (let left = 10_000; this.owed.length > 0; left--) {
      if (left === 0) throw new Error('there is no end to it')
      this.act({ do: 'answer', which: left, fail: left % 3 === 0, cut: left })
    }
  }

  #send(list: readonly SftpRequest[], places: readonly number[]): void {
    for (const chunk of cut(Buffer.concat(list.map(encodeRequest)), places)) this.stage.bytes(chunk)
    this.sent.push(...list.map(({ id }) => id))
  }

  #answer({ which, fail, cut: place }: Extract<Action, { do: 'answer' }>): void {
    if (this.owed.length === 0) return
    const [request] = this.owed.splice(which % this.owed.length, 1)
    if (request === undefined) return
    for (const chunk of cut(encodeReply(this.#reply(request, fail)), [place])) this.stage.fromServer(chunk)
  }

  /** Another policy for a moment: what is open may do nothing more. */
  #revoke(): void {
    const { rule } = this.stage.policy
    this.stage.policy.change(() => denial('test.changed', '', ''))
    this.stage.policy.change(rule)
  }

  #reply(request: SftpRequest, fail: boolean): SftpReply {
    const { id } = request
    if (request.type === 16) return nameOf(id, real(request.path.toString()))
    if (fail) return OK(id, 4)
    if (request.type === 5) return { type: 103, id, data: Buffer.alloc(request.length) }
    if (request.type === 7 || request.type === 8 || request.type === 17) return { type: 105, id, attributes: {} }
    if (request.type === 12 || request.type === 19) return { type: 104, id, entries: [] }
    if (request.type !== 3 && request.type !== 11) return OK(id)
    let handle = 0
    while (this.open.has(`h${handle}`)) handle++
    this.open.set(`h${handle}`, { directory: request.type === 11, pflags: request.type === 3 ? request.pflags : 0 })
    this.told.add(`h${handle}`)
    return { type: 102, id, handle: Buffer.from(`h${handle}`) }
  }

  #look(): void {
    for (const request of this.stage.received.splice(0)) {
      this.#forwarded(request)
      this.owed.push(request)
    }
    for (const reply of this.stage.replies.splice(0)) this.answered.push(reply.id)
  }

  /** Nothing reaches the server but what was judged and allowed, goes by a handle that is open, or looks for itself. */
  #forwarded(request: SftpRequest): void {
    if (isOwn(request)) {
      if (request.type !== 16 && request.type !== 7) throw new Error(`Sidegate itself sent ${request.type}`)
      return
    }
    if (this.owed.some(({ id }) => id === request.id)) throw new Error('two requests with one id')
    if (!('handle' in request) || request.type === 10) this.#wasJudged(request)
    else this.#wasOpened(request, request.handle.toString())
  }

  #wasJudged(request: SftpRequest): void {
    this.judged++
    const texts = ['path', 'first', 'second'].flatMap((key) => {
      const value: unknown = Reflect.get(request, key)
      return Buffer.isBuffer(value) ? [value.toString()] : []
    })
    for (const text of texts) {
      if (real(text).startsWith(FORBIDDEN) && !(request.type === 7 || request.type === 19 || request.type === 13)) {
        throw new Error(`${request.type} of ${text} was forwarded`)
      }
      if (/\0|\.\.|\/\.\//.test(text)) throw new Error(`${JSON.stringify(text)} is not canonical`)
    }
  }

  #wasOpened(request: SftpRequest, handle: string): void {
    const file = this.open.get(handle)
    if (file === undefined || !this.told.has(handle)) throw new Error(`${request.type} on ${handle}, which is not open`)
    if (request.type === 5 && (file.pflags & 1) === 0) throw new Error('a READ of what is not open to read')
    if (request.type === 6 && (file.pflags & 2) === 0) throw new Error('a WRITE to what is not open to write')
    if (request.type === 12 && !file.directory) throw new Error('a READDIR of a file')
    if (request.type !== 4) return
    this.open.delete(handle)
    this.told.delete(handle)
  }
}

const inOrder = (ids: readonly number[]): number[] => ids.toSorted((a, b) => a - b)

t.test('whatever agent and server do, nothing unjudged is forwarded and every request is answered once', async (t) => {
  let forwarded = 0
  fc.assert(
    fc.property(actions, (list) => {
      const world = new World()
      for (const action of list) {
        world.act(action)
        t.strictSame([...world.stage.relay.files.keys()].sort(), [...world.told].sort())
      }
      world.drain()
      t.strictSame(world.stage.violations, [])
      t.strictSame(world.stage.failures, [])
      t.strictSame(inOrder(world.answered), inOrder(world.sent))
      const { decisions, outcomes } = world.stage.record
      const allowed = decisions.filter(({ refusal }) => refusal === null).length
      t.equal(world.judged, allowed, 'what was allowed, and that alone, was forwarded')
      world.stage.relay.end()
      t.equal(world.stage.record.outcomes.length, allowed, 'each has one outcome')
      t.ok(outcomes.length <= allowed)
      forwarded += world.judged
    }),
    { numRuns: 100 },
  )
  t.ok(forwarded > 200, `${forwarded} were forwarded`)
})
