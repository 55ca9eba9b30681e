import fc from 'fast-check'
import t from 'tap'
import { parseRequest } from '../../../../src/protocols/kubernetes/request/parse.ts'
import { RecentRequests } from '../../../../src/protocols/kubernetes/request/recent.ts'

t.test('a request line means the same the first time and every other time', async (t) => {
  const recent = new RecentRequests()
  const method = fc.constantFrom('GET', 'POST', 'DELETE', 'PATCH', 'get', 'GET /api/v1')
  const target = fc.constantFrom(
    '/api/v1/pods',
    '/api/v1/pods?watch=true',
    '/api/v1/namespaces/o/pods/p',
    '/api/v1/namespaces/o/pods/p/exec?command=sh',
    '/api/v1//pods',
    '/pods',
    `/api/v1/pods?labelSelector=${'a'.repeat(2_000)}`,
  )
  fc.assert(
    fc.property(method, target, (name, at) => {
      t.same(recent.parse(name, at), parseRequest(name, at))
    }),
    { numRuns: 200 },
  )
})

t.test('what is used goes on to be known, however many others come', async (t) => {
  const recent = new RecentRequests()
  const used = recent.parse('GET', '/api/v1/pods')
  for (let other = 0; other < 5_000; other++) {
    recent.parse('GET', `/api/v1/namespaces/o/pods/p${other}`)
    recent.parse('GET', `/api/v1//${other}`)
    if (other % 1_000 === 0) t.equal(recent.parse('GET', '/api/v1/pods'), used)
  }
  const known = recent.parse('GET', '/api/v1/namespaces/o/pods/p0')
  t.equal(recent.parse('GET', '/api/v1/namespaces/o/pods/p0'), known)
})
