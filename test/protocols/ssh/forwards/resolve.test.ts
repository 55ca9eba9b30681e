import { networkInterfaces } from 'node:os'
import t from 'tap'
import { resolve, systemLookup } from '../../../../src/protocols/ssh/forwards/resolve.ts'

const never = async (): Promise<readonly string[]> => {
  throw new Error('nothing is to be looked up')
}

t.test('an address is asked for as it is, and localhost is never looked up', async (t) => {
  t.same(await resolve('10.0.0.1', never), { addresses: ['10.0.0.1'] })
  t.same(await resolve('2001:db8::1', never), { addresses: ['2001:db8::1'] })
  t.same(await resolve('localhost', never), { addresses: ['127.0.0.1', '::1'] })
})

t.test('all addresses of a name are checked, and the first of them are tried', async (t) => {
  const many = Array.from({ length: 20 }, (_, index) => `10.0.0.${index + 1}`)
  t.same(await resolve('a.example.com', async () => many), { addresses: many.slice(0, 4) })
  t.match(await resolve('a.example.com', async () => [...many, '169.254.169.254']), {
    refusal: { code: 'target.forbidden' },
  })
  t.same(await resolve('six.example.com', async () => ['64:ff9b::a00:1']), { addresses: ['64:ff9b::a00:1'] })
  t.match(await resolve('six.example.com', async () => ['64:ff9b::7f00:1']), { refusal: { code: 'target.forbidden' } })
})

t.test("the agent's own side is not reached by way of the upstream host", async (t) => {
  const all = Object.values(networkInterfaces()).flatMap((some) => some ?? [])
  const own = all.filter(({ internal, scopeid = 0 }) => !internal && scopeid === 0).map(({ address }) => address)
  for (const address of own) {
    t.match(await resolve(address, never), { refusal: { code: 'target.forbidden' } }, address)
    t.match(await resolve('me.example.com', async () => [address]), { refusal: { code: 'target.forbidden' } })
  }
  t.pass('also where there is no network')
})

t.test('the system’s resolver answers each of many questions at once', async (t) => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => systemLookup('localhost')))
  t.ok(answers.every((addresses) => addresses.length > 0))
  await t.rejects(systemLookup('no-such-name.invalid'))
  t.ok((await systemLookup('localhost')).length > 0, 'and those after one that failed')
})
