/** The Kubernetes API: https://kubernetes.io/docs/reference/using-api/api-concepts/ */
import { X509Certificate } from 'node:crypto'
import { rename, writeFile } from 'node:fs/promises'
import type { KubernetesTargetConfig } from '../../config/targets/kubernetes.ts'
import { Authority } from '../../net/authority.ts'
import type { Protocol, Target, Wiring } from '../protocol.ts'
import { Commands } from './commands.ts'
import { serveRequest } from './exchange.ts'
import { RecentRequests } from './request/recent.ts'
import { Conversation, type Shared } from './session.ts'
import { serveUpgrade } from './streams/serve.ts'
import { ApiServer } from './transport/server.ts'
import { openUpstream } from './upstream.ts'

async function prepare(config: KubernetesTargetConfig, wiring: Wiring): Promise<Target> {
  const { agent, limits } = config
  const authority = Authority.create(`sidegate ${config.name}`)
  if (agent.caFile !== undefined) await writeWhole(agent.caFile, authority.certificate)
  const shared: Shared = {
    config,
    wiring,
    upstream: await openUpstream(config, wiring),
    commands: new Commands(),
    requests: new RecentRequests(),
    verifier: agent.authenticate === 'jwt' ? await wiring.identities.tokens(agent) : null,
    running: 0,
  }
  const conversations = new WeakMap<object, Conversation>()
  const server = new ApiServer(authority, agent.names, limits, {
    request: (request, response) => {
      const conversation = conversations.get(request.socket)
      if (conversation === undefined) response.destroy()
      else void serveRequest(conversation, request, response)
    },
    upgrade: (request, socket, head) => {
      const conversation = conversations.get(request.socket)
      if (conversation === undefined) socket.destroy()
      else void serveUpgrade(conversation, request, socket, head)
    },
    progress: (socket) => conversations.get(socket)?.progress ?? 'idle',
  })
  return {
    facts: factsOf(agent.caFile, authority),
    serve: async (connection) => {
      const conversation = new Conversation(connection, shared)
      await server.serve(connection, {
        accepted: (secured) => {
          conversation.secured(() => secured.end())
          conversations.set(secured, conversation)
        },
        leave: () => conversation.leave(),
      })
      conversation.close()
    },
    close: async () => {
      server.close()
      await shared.upstream.close()
    },
  }
}

/** What whoever writes an agent's kubeconfig must know. */
function factsOf(file: string | undefined, { certificate }: Authority): Readonly<Record<string, string>> {
  const fingerprint = `SHA256:${new X509Certificate(certificate).fingerprint256}`
  return file === undefined ? { fingerprint } : { 'certificate-authority': file, fingerprint }
}

/** At once for whoever reads it meanwhile. */
async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o644 })
  await rename(`${file}.new`, file)
}

export const kubernetes: Protocol<KubernetesTargetConfig> = { name: 'kubernetes', prepare }
