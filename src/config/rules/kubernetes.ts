/** What a Kubernetes target must keep, and what weakens it. */
import { isLoopback } from '../../net/listener.ts'
import { type Problem, problem } from '../problem.ts'
import type { KubernetesTargetConfig } from '../targets/kubernetes.ts'

export function checkKubernetes(target: KubernetesTargetConfig): Problem[] {
  return [...checkAgent(target), ...checkUpstream(target), ...checkLimits(target)]
}

function checkAgent({ agent, listen }: KubernetesTargetConfig): Problem[] {
  const found: Problem[] = []
  if (agent.authenticate === 'none' && !isLoopback(listen.host)) {
    const message = `anyone who reaches ${listen.host}:${listen.port} could act`
    const remedy = 'listen on the loopback, or authenticate by jwt'
    found.push(problem('config.exposed', ['agent', 'authenticate'], message, remedy))
  }
  if (agent.caFile === undefined) {
    const message = 'agents cannot know the certificate that the sidecar makes for itself at each start'
    const remedy = 'name a file that agents can read and the sidecar writes'
    found.push(problem('config.authority', ['agent', 'caFile'], message, remedy, 'weakness'))
  }
  return found
}

function checkUpstream({ upstream, listen, agent, credential }: KubernetesTargetConfig): Problem[] {
  const found: Problem[] = []
  if (isLoopback(upstream.host) && isLoopback(listen.host) && upstream.port === listen.port) {
    found.push(
      problem('config.loop', ['upstream', 'port'], 'the target would connect to itself', 'choose another port'),
    )
  }
  if (agent.caFile !== undefined && agent.caFile === upstream.ca) {
    const message = 'is written by the sidecar for its agents, and would replace what the API server is known by'
    found.push(problem('config.conflict', ['agent', 'caFile'], message, 'name another file'))
  }
  if (credential.impersonate === 'principal' && agent.authenticate === 'none') {
    const message = 'the workload that stands beside the sidecar is who the API server sees'
    const remedy = 'give it the rights of this name, or let agents prove themselves by jwt'
    found.push(problem('config.impersonate', ['credential', 'impersonate'], message, remedy, 'weakness'))
  }
  return found
}

/** The headers of the shortest request that a client library sends. */
const LEAST_HEADERS = 4 * 1024
/** An API server gives nothing shorter. */
const LEAST_EXPIRY_MS = 600_000

function checkLimits({ limits, credential }: KubernetesTargetConfig): Problem[] {
  const found: Problem[] = []
  if (limits.headers < LEAST_HEADERS) {
    const message = 'is so small that no request would fit'
    found.push(problem('config.value', ['limits', 'headers'], message, 'at least 4KiB; 32KiB is the default'))
  }
  if (limits.handshake < 100) {
    const message = 'is so short that no agent could connect'
    found.push(problem('config.value', ['limits', 'handshake'], message, 'at least 100ms; 10s is the default'))
  }
  if ('serviceAccount' in credential && credential.serviceAccount.expiry < LEAST_EXPIRY_MS) {
    const path = ['credential', 'serviceAccount', 'expiry']
    found.push(problem('config.value', path, 'is shorter than an API server gives', 'at least 10m; 1h is the default'))
  }
  return found
}
