import t from 'tap'
import {
  certificatePrincipal,
  keyPrincipal,
  passwordPrincipal,
  workloadPrincipal,
} from '../../src/identity/principals.ts'

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

t.test('who holds a configured key is its user, and the claims say which key', async (t) => {
  t.strictSame(keyPrincipal('agent', 'SHA256:abc'), {
    subject: 'agent',
    issuer: 'key',
    groups: [],
    claims: { fingerprint: 'SHA256:abc' },
    chain: [],
  })
})

t.test('who holds a certificate is named by it, and issued by the authority that signed', async (t) => {
  const certified = {
    user: 'deploy',
    keyId: 'agent@ci',
    serial: '18446744073709551615',
    principals: ['deploy', 'read'],
    fingerprint: 'SHA256:key',
    authority: 'SHA256:ca',
  }
  t.strictSame(certificatePrincipal(certified), {
    subject: 'deploy',
    issuer: 'SHA256:ca',
    groups: [],
    claims: {
      keyId: 'agent@ci',
      serial: '18446744073709551615',
      principals: ['deploy', 'read'],
      fingerprint: 'SHA256:key',
    },
    chain: [],
  })
})
