/** The API server's audit log as the oracle of what a request is: it must say the same of it as we do. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { type AuditEvent, type KubernetesServer, startKubernetes } from '../../support/kubernetes.ts'
import { RawHttp, type RawAddress, type RawAnswer, rawRequest } from '../../support/kubernetes-raw.ts'
import { startKubernetesTarget } from '../../support/kubernetes-target.ts'
import { discover, encoded, type Generated, odd, plausible } from './requests.ts'

t.setTimeout(200_000)

const REQUESTS = 2_000
/** The audit log has an event a moment after its answer. */
const AUDITED_MS = 10_000
const POLL_MS = 50

const server = await startKubernetes()
t.teardown(() => server.stop())
// Without rights nothing changes and nothing is read, and the API server says of each request what it takes it for.
const target = await startKubernetesTarget(server, { token: server.tokens.nobody })
t.teardown(() => target.close())
const resources = await discover(server)

/** Audit-IDs of all that was sent, and of all that agents were answered. */
const known = new Set<string>()

/** What the API server and we say of one request, in one line. */
function audited({ verb, objectRef }: AuditEvent): string {
  return attributes({ verb, resourceRequest: objectRef !== undefined, ...objectRef })
}

function attributes(of: Readonly<Record<string, unknown>>): string {
  const part = (...names: readonly string[]): string =>
    names.map((name) => of[name]).find((value): value is string => typeof value === 'string' && value !== '') ?? ''
  if (of['resourceRequest'] !== true) return `${part('verb')} (no resource)`
  const kind = `${part('apiGroup', 'group')}/${part('apiVersion', 'version')} ${part('resource')}/${part('subresource')}`
  return `${part('verb')} ${kind} ${part('namespace')}/${part('name')}`
}

/** One connection after another, since whatever is malformed ends its own. */
class Asker {
  readonly #to: RawAddress
  #connection: RawHttp | null = null

  constructor(to: RawAddress) {
    this.#to = to
  }

  async ask({ method, target: at }: Generated, headers: readonly [string, string][]): Promise<RawAnswer | null> {
    if (this.#connection === null || this.#connection.ended) this.#connection = await RawHttp.connect(this.#to)
    const connection = this.#connection
    connection.send(rawRequest(method, at, headers))
    const answer = await connection.answer(method)
    if (answer === null || answer.headers.get('connection') === 'close' || connection.rest.length > 0) this.close()
    return answer
  }

  close(): void {
    this.#connection?.close()
    this.#connection = null
  }
}

interface Asked {
  readonly request: Generated
  /** Of the request that went through; null where we refused it. */
  readonly auditId: string | null
  /** Of the same bytes sent past the gate. */
  readonly directId: string
  /** What we said of it. */
  readonly ours: string
  readonly refusal: string
}

async function askBoth(through: Asker, direct: Asker, request: Generated): Promise<Asked> {
  const { policy } = target
  const before = policy.questions.length
  const directId = randomUUID()
  const answer = await through.ask(request, [['Audit-ID', randomUUID()]])
  await direct.ask(request, [
    ['Authorization', `Bearer ${server.tokens.nobody}`],
    ['Audit-ID', directId],
  ])
  const question = policy.questions[before]
  const forwarded = answer?.headers.get('audit-id') ?? null
  known.add(directId).add(forwarded ?? directId)
  const code = /\[([a-z]+\.[a-z-]+)\]/.exec(answer?.body ?? '')?.[1]
  return {
    request,
    auditId: forwarded,
    directId,
    ours: question === undefined ? '' : attributes(question.command.shape.detail),
    refusal: code ?? (answer === null ? 'the connection ended' : `HTTP ${answer.status}`),
  }
}

async function auditOf(of: KubernetesServer, ids: readonly string[]): Promise<ReadonlyMap<string, AuditEvent>> {
  const deadline = Date.now() + AUDITED_MS
  for (;;) {
    const events = new Map(of.audit().map((event) => [event.auditID, event]))
    if (ids.every((id) => events.has(id)) || Date.now() > deadline) return events
    await sleep(POLL_MS)
  }
}

/** Sends all, and gives what differs: nothing. */
async function compare(t: Test, requests: readonly Generated[]) {
  const [through, direct] = [new Asker(target), new Asker(server)]
  const asked: Asked[] = []
  for (const request of requests) asked.push(await askBoth(through, direct, request))
  through.close()
  direct.close()
  const forwarded = asked.filter(({ auditId }) => auditId !== null)
  const events = await auditOf(
    server,
    forwarded.map(({ auditId }) => auditId as string),
  )
  const differing: string[] = []
  for (const { request, auditId, directId, ours } of forwarded) {
    const event = events.get(auditId as string)
    const theirs = event === undefined ? 'nothing' : audited(event)
    const line = `${request.method} ${request.target}`
    if (theirs !== ours) differing.push(`${line}: the API server says ${theirs}, we said ${ours}`)
    const past = events.get(directId)
    // The same bytes past the gate: what we forwarded means what the agent sent.
    if (past === undefined || audited(past) !== ours) {
      differing.push(`${line}: sent as it is, it is ${past === undefined ? 'nothing' : audited(past)}, not ${ours}`)
    }
  }
  t.same(differing.slice(0, 20), [], `${differing.length} differ`)
  return { asked, forwarded, refused: asked.filter(({ auditId }) => auditId === null), events }
}

/** How many of the refused were what, for whoever reads the test's output. */
function told(t: Test, refused: readonly Asked[], events: ReadonlyMap<string, AuditEvent>): void {
  const counts = new Map<string, { count: number; routed: number; example: string }>()
  for (const { refusal, directId, request } of refused) {
    const known = counts.get(refusal) ?? { count: 0, routed: 0, example: `${request.method} ${request.target}` }
    if (events.get(directId)?.objectRef !== undefined) known.routed++
    known.count++
    counts.set(refusal, known)
  }
  for (const [refusal, { count, routed, example }] of counts) {
    t.comment(`${count} refused as ${refusal}, ${routed} of which the API server takes for resources; ${example}`)
  }
}

t.test('what policy judges of any request is what the API server authorises', async (t) => {
  const { forwarded, refused, events } = await compare(t, fc.sample(plausible(resources), REQUESTS))
  t.ok(forwarded.length > REQUESTS / 2, `${forwarded.length} of ${REQUESTS} were forwarded`)
  told(t, refused, events)
})

t.test('every resource and subresource that the API server has is known by each of its methods', async (t) => {
  const requests: Generated[] = []
  for (const { group, version, name, namespaced } of resources) {
    const [plural = '', subresource] = name.split('/')
    const prefix = `${group === '' ? `/api/${version}` : `/apis/${group}/${version}`}${namespaced ? '/namespaces/default' : ''}`
    const object = `${prefix}/${plural}/a${subresource === undefined ? '' : `/${subresource}`}`
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'POST']) requests.push({ method, target: object })
    if (subresource !== undefined) continue
    for (const method of ['GET', 'POST', 'DELETE']) requests.push({ method, target: `${prefix}/${plural}` })
    requests.push({ method: 'GET', target: `${prefix}/${plural}?watch=true` })
  }
  const { forwarded, refused, events } = await compare(t, requests)
  told(t, refused, events)
  t.same(
    refused.map(({ request: { method, target: at }, refusal }) => `${method} ${at}: ${refusal}`),
    [],
  )
  t.equal(forwarded.length, requests.length)
})

t.test('odd spellings are refused, or mean to the API server what they mean to us', async (t) => {
  const { forwarded, refused, events } = await compare(t, fc.sample(odd, REQUESTS))
  t.ok(forwarded.length > 30, `${forwarded.length} of ${REQUESTS} were forwarded`)
  t.ok(refused.length > 100)
  told(t, refused, events)
})

t.test('needless encoding never shows a request as another', async (t) => {
  const { forwarded, refused, events } = await compare(t, fc.sample(encoded(resources), REQUESTS / 2))
  t.ok(refused.length > 100)
  t.ok(forwarded.length > 50, `${forwarded.length} had it in a name or the query`)
  told(t, refused, events)
})

t.test('what was refused never reached the API server, and nobody else did', async (t) => {
  const by = (name: string) => (event: AuditEvent) => event.user.username === name
  const events = server.audit()
  const unknown = events.filter(by('nobody')).filter(({ auditID }) => !known.has(auditID))
  t.same(
    unknown.map(({ requestURI }) => requestURI),
    [],
    'each request came by an answer that an agent got, or past the gate',
  )
  const others = events.filter(({ user }) => !['nobody', 'admin', 'system:apiserver'].includes(user.username))
  t.same(
    others.filter((event) => !by('system:anonymous')(event)),
    [],
  )
  t.same(
    events.filter(by('nobody')).filter(({ objectRef, responseStatus }) => objectRef && responseStatus?.code === 200),
    [],
    'none of them was served',
  )
})
