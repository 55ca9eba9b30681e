import { validateHeaderName, validateHeaderValue } from 'node:http'
import fc from 'fast-check'
import t from 'tap'
import type { Principal } from '../../../../src/gate/principal.ts'
import { checkImpersonation, impersonation } from '../../../../src/protocols/kubernetes/credential/impersonation.ts'

const principal = (over: Partial<Principal> = {}): Principal => ({
  subject: 'zoe',
  issuer: 'https://issuer.test',
  groups: [],
  claims: {},
  chain: [],
  ...over,
})

/** As the API server reads a header: bytes, which are UTF-8. */
const read = (value: string | string[] | undefined): string[] =>
  [value ?? []].flat().map((one) => Buffer.from(one, 'latin1').toString('utf8'))

t.test('the API server reads the very names that were proven', async (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.array(fc.string({ unit: 'binary', minLength: 1 })),
      fc.array(fc.record({ subject: fc.string({ unit: 'binary' }), issuer: fc.string({ unit: 'binary' }) })),
      (subject, groups, chain) => {
        const who = principal({ subject, groups, chain })
        if (checkImpersonation(who) !== null) return
        const headers = impersonation(who)
        for (const [name, values] of Object.entries(headers)) {
          validateHeaderName(name)
          for (const value of [values].flat()) {
            validateHeaderValue(name, value)
            if (/^[ \t]|[ \t]$/.test(value)) throw new Error('blanks at the ends are lost on the way')
          }
        }
        t.same(read(headers['impersonate-user']), [subject])
        t.same(read(headers['impersonate-group']), groups)
        const delegates = read(headers['impersonate-extra-sidegate%2fdelegates']).map((entry) =>
          entry.split('|').map(decodeURIComponent),
        )
        t.same(
          delegates,
          chain.map(({ subject: by, issuer }) => [by.toWellFormed(), issuer.toWellFormed()]),
        )
      },
    ),
    { numRuns: 100 },
  )
})

t.test('a principal without groups and delegates leaves them out, so that the API server adds its own', async (t) => {
  t.same(impersonation(principal({ subject: 'system:serviceaccount:agents:reader' })), {
    'impersonate-user': 'system:serviceaccount:agents:reader',
  })
})

t.test('names that the cluster keeps for itself, and names that a header would change, are refused', async (t) => {
  const refused = (over: Partial<Principal>) => checkImpersonation(principal(over))?.code ?? null
  for (const subject of [
    '',
    'system:admin',
    'system:node:worker',
    'system:anonymous',
    'system:serviceaccount:kube-system',
    'system:serviceaccount:a:b:c',
    'system:serviceaccount:A:b',
    ' zoe',
    'zoe\t',
    'zo\r\nimpersonate-group: system:masters',
    'zo\u0000e',
    'zo\u007f',
    'zo\ud800',
    '\u00a0zoe',
  ]) {
    t.equal(refused({ subject }), 'identity.restricted', JSON.stringify(subject))
  }
  for (const group of ['', 'system:masters', 'system:authenticated', ' crew', 'a\nb']) {
    t.equal(refused({ groups: ['crew', group] }), 'identity.restricted', JSON.stringify(group))
  }
  for (const subject of [
    'zoe',
    'Zoë',
    'zoe@example.org',
    'a b',
    'system:serviceaccount:agents:reader.v2',
    'System:x',
  ]) {
    t.equal(refused({ subject }), null, subject)
  }
})
