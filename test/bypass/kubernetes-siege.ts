/** A target before a real API server that holds nothing back, and agents that try to get past it. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Decision } from '../../src/gate/decision.ts'
import type { Question } from '../../src/gate/ports.ts'
import { ALLOW, deny } from '../support/fakes.ts'
import { type AuditEvent, type KubernetesServer, startKubernetes } from '../support/kubernetes.ts'
import { RawHttp } from '../support/kubernetes-raw.ts'
import { type KubernetesTarget, startKubernetesTarget } from '../support/kubernetes-target.ts'

/** What no agent may read, wherever it stands. */
const SECRETS = ['what-nobody-may-read', 'what-is-shown-masked'] as const
const FORMS = SECRETS.flatMap((secret) => [secret, Buffer.from(secret).toString('base64').replace(/=+$/, '')])
/** Of the test's own requests in the audit log. */
const OWN = 'own-'
/** Its events are there a moment after the answer. */
const AUDITED_MS = 300
const ANSWER_MS = 3_000
const QUIET_MS = 20
const WATCHED = ['configmaps', 'secrets', 'pods', 'serviceaccounts', 'services'] as const

export interface Siege {
  readonly server: KubernetesServer
  readonly target: KubernetesTarget
  /**
   * Sends these bytes over a connection of their own, and gives everything that came back until it was quiet. Fails the test
   * where a secret is in that.
   */
  attack(t: Test, name: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<string>
  /** Fails the test where the API server was sent what policy does not permit, or its state is not as it was. */
  holds(t: Test): Promise<void>
}

/** What agents may: read config maps of `open`, but not watch them; write those called `fine…`; read its secrets masked. */
function rule({ command: { shape } }: Question): Decision {
  const { resourceRequest, verb, namespace, resource, subresource, name } = shape.detail as Record<string, unknown>
  if (shape.action === 'unknown') return deny('test.refused')
  if (resourceRequest === false) return ALLOW
  if (namespace !== 'open' || subresource !== '') return deny('test.refused')
  if (resource === 'configmaps') {
    const writes = ['create', 'update', 'patch'].includes(String(verb)) && String(name).startsWith('fine')
    return verb === 'get' || verb === 'list' || writes ? ALLOW : deny('test.refused')
  }
  const reads = ['get', 'list', 'watch'].includes(String(verb))
  if (resource !== 'secrets' || !reads) return deny('test.refused')
  return { ...ALLOW, masks: [{ column: null, detector: null, path: 'data.*', with: 'redact', policy: 'policy.test' }] }
}

/** The same of what the API server says that it was asked. */
function permitted({ verb, objectRef, requestURI }: AuditEvent): boolean {
  if (objectRef === undefined)
    return verb === 'get' && /^\/(api|apis|version|openapi|healthz|livez|readyz)/.test(requestURI)
  const { namespace, resource, subresource = '', name = '' } = objectRef
  if (namespace !== 'open' || subresource !== '') return false
  if (resource === 'secrets') return ['get', 'list', 'watch'].includes(verb)
  if (resource !== 'configmaps') return false
  return verb === 'get' || verb === 'list' || (['create', 'update', 'patch'].includes(verb) && /^(fine|$)/.test(name))
}

export async function besiegeCluster(t: Test): Promise<Siege> {
  const server = await startKubernetes()
  t.teardown(() => server.stop())
  const [forbidden, masked] = SECRETS
  const secret = (value: string) => ({ metadata: { name: 'kept' }, stringData: { value } })
  for (const namespace of ['open', 'closed']) {
    await server.namespace(namespace)
    const path = `/api/v1/namespaces/${namespace}`
    await server.call('POST', `${path}/secrets`, secret(namespace === 'open' ? masked : forbidden))
    await server.call('POST', `${path}/configmaps`, { metadata: { name: 'plain' }, data: { a: 'b' } })
  }
  const target = await startKubernetesTarget(server)
  t.teardown(() => target.close())
  target.policy.rule = rule
  let seen = server.audit().length

  async function state(): Promise<string> {
    const found: string[] = []
    for (const kind of WATCHED) {
      const headers = { 'audit-id': `${OWN}${randomUUID()}` }
      const { body } = await server.call('GET', `/api/v1/${kind}`, null, { headers })
      const { items } = JSON.parse(body) as { items: { metadata: Record<string, string> }[] }
      for (const { metadata } of items) {
        const { namespace = '', name = '', resourceVersion = '' } = metadata
        const own = kind === 'configmaps' && namespace === 'open' && name.startsWith('fine')
        if (!own) found.push(`${kind} ${namespace}/${name} ${resourceVersion}`)
      }
    }
    return found.toSorted().join('\n')
  }

  const before = await state()
  return {
    server,
    target,
    async attack(at, name, bytes) {
      const connection = await RawHttp.connect(target)
      for (const part of bytes instanceof Uint8Array ? [bytes] : bytes) connection.send(part)
      await quiet(connection)
      const told = connection.rest.toString('latin1')
      connection.close()
      const leaked = FORMS.filter((form) => told.includes(form))
      // What is packed could hide them.
      if (/^content-encoding:/im.test(told)) leaked.push('something packed')
      at.same(leaked, [], name)
      return told
    },
    async holds(at) {
      await sleep(AUDITED_MS)
      const events = server.audit()
      const asked = events
        .slice(seen)
        .filter(({ auditID, user }) => !auditID.startsWith(OWN) && user.username !== 'system:apiserver')
      seen = events.length
      const wrong = asked.filter(
        (event) => event.user.username !== 'admin' || event.impersonatedUser !== undefined || !permitted(event),
      )
      const named = wrong.map(({ user, verb, requestURI }) => `${user.username}: ${verb} ${requestURI}`)
      at.same(named, [], 'the API server was asked nothing that policy does not permit')
      at.equal(await state(), before, 'the cluster is as it was')
    },
  }
}

/** Until nothing comes any more: an answer that is over, a connection that ended, or silence. */
async function quiet(connection: RawHttp): Promise<void> {
  const deadline = Date.now() + ANSWER_MS
  let length = -1
  while (Date.now() < deadline && !connection.ended) {
    const { length: now } = connection.rest
    if (now > 0 && now === length) return
    length = now
    await sleep(QUIET_MS)
  }
}
