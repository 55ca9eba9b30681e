import t from 'tap'
import { passwordPrincipal, workloadPrincipal } from '../../src/identity/principals.ts'

t.test(
  'the principal beside the sidecar is its service account, or the machine itself outside a cluster',
  async (t) => {
    const workload = { namespace: 'shop', pod: 'agent-0', serviceAccount: 'agent', labels: {} }
    t.match(workloadPrincipal(workload), { subject: 'system:serviceaccount:shop:agent', issuer: 'workload' })
    t.match(workloadPrincipal({ ...workload, serviceAccount: '' }), { subject: 'local', issuer: 'workload' })
  },
)

t.test('who proved a password is named apart from workloads and tokens', async (t) => {
  t.strictSame(passwordPrincipal('agent'), { subject: 'agent', issuer: 'password', groups: [], claims: {}, chain: [] })
})
