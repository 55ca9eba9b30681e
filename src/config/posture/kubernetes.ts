/** What holds for a Kubernetes target. */
import { readClaims } from '../files/claims.ts'
import type { Fact } from '../posture.ts'
import type { KubernetesTargetConfig } from '../targets/kubernetes.ts'
import { formatAddress, formatDuration, formatSize } from '../values.ts'

/** Of a configuration that was checked: what its files hold can be read. */
export function kubernetesFacts(target: KubernetesTargetConfig): readonly Fact[] {
  const { listen, agent, upstream, credential, limits } = target
  const name = upstream.serverName === undefined ? '' : ` as ${upstream.serverName}`
  return [
    ['listens', formatAddress(listen)],
    [
      'shows itself',
      `a certificate of its own authority, new at each start${agent.caFile === undefined ? '' : `, which is in ${agent.caFile}`}`,
    ],
    agentsFact(agent),
    ['upstream', `${formatAddress(upstream)}${name}, verified by ${upstream.ca ?? "the system's authorities"}`],
    ['credential', credentialOf(credential)],
    ...claimsFacts(credential),
    ...actsAs(credential),
    [
      'limits',
      `${limits.connections} connections, ${limits.requests} requests at once, ${formatSize(limits.body)} a body, ${formatSize(limits.object)} an object that is masked`,
    ],
    ['timeouts', `${formatDuration(limits.handshake)} to connect, idle at most ${formatDuration(limits.idle)}`],
  ]
}

function agentsFact(agent: KubernetesTargetConfig['agent']): Fact {
  switch (agent.authenticate) {
    case 'none':
      return ['agents', 'whoever is on this loopback, as the workload; tokens that they send mean nothing']
    case 'jwt':
      return [
        'agents',
        `a token of ${agent.issuer} for ${agent.audience}, as bearer token (${agent.algorithms.join(', ')})`,
      ]
    default:
      return agent satisfies never
  }
}

function credentialOf(credential: KubernetesTargetConfig['credential']): string {
  if ('certFile' in credential) return `the certificate in ${credential.certFile}`
  if (!('serviceAccount' in credential)) return `the token in ${credential.tokenFile}, read at each use`
  const { namespace, name, audience, expiry } = credential.serviceAccount
  const where = audience === undefined ? '' : ` for ${audience}`
  return `a token of ${namespace}/${name}${where} for ${formatDuration(expiry)}, asked for with the token in ${credential.tokenFile}`
}

function actsAs({ impersonate }: KubernetesTargetConfig['credential']): Fact[] {
  if (impersonate === 'none') return []
  return [
    ['acts as', 'the principal: the API server authorises and audits the agent, not the sidecar'],
    [
      'needs',
      'impersonate on those users, serviceaccounts and groups, and on userextras/sidegate/delegates (who delegated)',
    ],
  ]
}

/** What tokens say of themselves. Nobody verified it here, and the API server will. */
function claimsFacts(credential: KubernetesTargetConfig['credential']): Fact[] {
  if (!('tokenFile' in credential)) return []
  const claims = readClaims(credential.tokenFile)
  if (claims === null) return [['token says', 'nothing: it is no JWT, and may hold for ever']]
  const { subject, audiences, expires } = claims
  const who = [
    subject === '' ? 'nobody' : subject,
    ...(audiences.length === 0 ? [] : ['for', audiences.join(', ')]),
  ].join(' ')
  if (expires === null) return [['token says', `${who}, for ever`, 'weak']]
  const until = expires.toISOString().replace('.000Z', 'Z')
  return expires.getTime() < Date.now()
    ? [['token says', `${who}, and expired at ${until}`, 'weak']]
    : [['token says', `${who}, until ${until}; the API server will verify it`]]
}
