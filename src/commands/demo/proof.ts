/** Past the gate: what the targets themselves say of all that. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from './cluster.ts'
import type { Host } from './host.ts'
import type { Stage } from './stage.ts'
import type { Teller } from './teller.ts'

export async function prove({ ask, host, cluster }: Stage, teller: Teller): Promise<void> {
  teller.title('And the targets themselves say')
  teller.say(...(await ofDatabase(ask)), ofHost(host))
  if (cluster !== null) teller.say(await ofCluster(cluster))
  teller.say('')
}

async function ofDatabase(ask: Stage['ask']): Promise<string[]> {
  const [row] = await ask(
    `SELECT (SELECT count(*)::int FROM customers) AS customers, (SELECT count(*)::int FROM orders) AS orders,
            (SELECT string_agg(id || ' ' || status, ', ' ORDER BY id) FROM orders WHERE id IN (101, 103, 104)) AS changed,
            (SELECT count(*)::int FROM orders WHERE status = 'cancelled') AS cancelled`,
  )
  const { customers, orders, changed, cancelled } = row ?? {}
  return [
    `   ${String(customers)} customers and ${String(orders)} orders are there, ${String(cancelled)} of them cancelled.`,
    `   What was permitted has happened: ${String(changed)}.`,
  ]
}

function ofHost({ home }: Host): string {
  const keys = readFileSync(join(home, '.ssh/authorized_keys'), 'utf8').trim()
  return `   On the host lie ${readdirSync(home).toSorted().join(', ')}; its authorized_keys say "${keys}".`
}

async function ofCluster({ ask }: Cluster): Promise<string> {
  const web = (await ask('/apis/apps/v1/namespaces/default/deployments/web')) as { spec: { replicas: number } }
  const names = async (path: string) => {
    const { items } = (await ask(path)) as { items: readonly { metadata: { name: string } }[] }
    return items.map(({ metadata }) => metadata.name).join(', ') || 'none'
  }
  const [pods, secrets, bindings] = [
    await names('/api/v1/namespaces/default/pods'),
    await names('/api/v1/namespaces/default/secrets'),
    await names('/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings'),
  ]
  return `   In the cluster web has ${web.spec.replicas} replicas; pods: ${pods}; Secrets: ${secrets}; bindings of roles: ${bindings}.`
}
