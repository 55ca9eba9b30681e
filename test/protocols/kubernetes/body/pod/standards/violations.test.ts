import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { JsonObject } from '../../../../../../src/gate/json.ts'
import { decoded, unpacked } from '../../requests.ts'

interface Case {
  readonly pod: JsonObject
  readonly baseline: readonly string[]
  readonly restricted: readonly string[]
}

/** The admission's own cases, and others that it judged: make protobuf. */
const CASES = unpacked<Case>(gunzipSync(readFileSync(join(import.meta.dirname, 'cases.jsonl.gz'))).toString())

t.test('The controls that forbid a pod are those that the admission of the API server names', async (t) => {
  t.ok(CASES.length > 700)
  const named = new Set(CASES.flatMap(({ baseline, restricted }) => [...baseline, ...restricted]))
  t.equal(named.size, 19, 'every control forbids some pod')
  for (const { pod, baseline, restricted } of CASES) {
    const found = decoded('POST', '/api/v1/namespaces/default/pods', { body: pod }).pod
    const wanted = { baseline, restricted }
    const got = { baseline: found?.baseline.toSorted(), restricted: found?.restricted.toSorted() }
    if (JSON.stringify(got) !== JSON.stringify(wanted)) t.same(got, wanted, JSON.stringify(pod))
  }
})

t.test('Of a patch only what it sets counts, since the rest may be there', async (t) => {
  const patched = (spec: object) =>
    decoded('PATCH', '/api/v1/namespaces/default/pods/p', {
      type: 'application/merge-patch+json',
      body: { spec: { containers: [{ name: 'c', ...spec }] } },
    }).pod?.restricted
  t.same(patched({ image: 'i' }), [])
  t.same(patched({ securityContext: { capabilities: { drop: ['KILL'] } } }), ['capabilities_restricted'])
  t.same(patched({ securityContext: { capabilities: { add: ['CHOWN'] } } }), ['capabilities_restricted'])
  t.same(patched({ securityContext: { allowPrivilegeEscalation: true } }), ['allowPrivilegeEscalation'])
  t.same(patched({ securityContext: { runAsNonRoot: false } }), ['runAsNonRoot'])
  t.same(patched({ securityContext: { seccompProfile: { type: 'Unconfined' } } }), ['seccompProfile_restricted'])
})
