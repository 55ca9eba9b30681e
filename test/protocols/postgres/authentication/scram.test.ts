import fc from 'fast-check'
import t from 'tap'
import {
  saslprep,
  saltedPassword,
  keysOf,
  hmac,
  xor,
  base64,
} from '../../../../src/protocols/postgres/authentication/scram.ts'
import { ScramServer } from '../../../../src/protocols/postgres/authentication/scram-server.ts'
import { ScramClient } from '../../../../src/protocols/postgres/upstream/scram-client.ts'

const plain = { encrypted: false, verified: false, binding: null }
const tls = (binding: Buffer | null, verified = true) => ({ encrypted: true, verified, binding })
const hash = Buffer.alloc(32, 7)

/** A whole exchange; says how it ended. */
async function exchange(
  server: ScramServer,
  client: ScramClient,
  password: string | null,
  tamper: { first?: (text: string) => string; reply?: (text: string) => string; final?: (text: string) => string } = {},
): Promise<string> {
  const change = (bytes: Buffer, how: (text: string) => string = (text) => text) => Buffer.from(how(bytes.toString()))
  const first = server.first(client.mechanism, change(client.first(), tamper.first))
  if (typeof first === 'string') return first
  const final = change(await client.final(change(first, tamper.reply)), tamper.final)
  const proof = await server.final(final, password)
  if (proof.kind === 'refused') return proof.why
  client.verify(proof.final)
  return 'proven'
}

const both = (binding: Buffer | null, channel = binding === null ? plain : tls(binding)) => {
  const server = new ScramServer('agent', binding)
  return { server, client: (password: string) => new ScramClient(password, server.mechanisms, channel) }
}

t.test('whoever knows the password is proven, and nobody else, with and without channel binding', async (t) => {
  for (const binding of [null, hash]) {
    const right = both(binding)
    t.equal(await exchange(right.server, right.client('secret'), 'secret'), 'proven')
    const wrong = both(binding)
    t.equal(await exchange(wrong.server, wrong.client('other'), 'secret'), 'the password is not right')
    const unknown = both(binding)
    t.equal(await exchange(unknown.server, unknown.client('secret'), null), 'the password is not right')
  }
})

t.test('any password is proven by itself', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), async (password) => {
      const { server, client } = both(null)
      const result = await exchange(server, client(password), password)
      if (result !== 'proven') throw new Error(result)
    }),
    { numRuns: 30 },
  )
  t.pass('30 passwords')
})

t.test('a channel that ends elsewhere is noticed, however the proof is bent', async (t) => {
  const other = both(hash, tls(Buffer.alloc(32, 8)))
  t.equal(await exchange(other.server, other.client('secret'), 'secret'), 'the proof is bound to another channel')
  const stripped = new ScramServer('agent', hash)
  const fooled = new ScramClient('secret', ['SCRAM-SHA-256'], tls(hash))
  t.equal(await exchange(stripped, fooled, 'secret'), 'the channel binding was stripped from the offer')
  const mixed = new ScramServer('agent', hash)
  await t.rejects(
    exchange(mixed, new ScramClient('secret', ['SCRAM-SHA-256'], plain), 'secret', {
      first: (text) => text.replace('n,', 'p=tls-server-end-point,'),
    }),
    { code: 'protocol.violation' },
  )
  const header = new ScramServer('agent', hash)
  const honest = new ScramClient('secret', ['SCRAM-SHA-256'], plain)
  const bent = await exchange(header, honest, 'secret', { final: (text) => text.replace('c=biws', 'c=eSws') })
  t.equal(bent, 'the proof is bound to another channel')
})

t.test('a client without binding may use SCRAM-SHA-256 where -PLUS is offered too', async (t) => {
  const server = new ScramServer('agent', hash)
  t.strictSame(server.mechanisms, ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'])
  t.equal(await exchange(server, new ScramClient('secret', ['SCRAM-SHA-256'], plain), 'secret'), 'proven')
})

t.test('messages that were changed on the way prove nothing', async (t) => {
  const attempt = async (tamper: Parameters<typeof exchange>[3]) => {
    const { server, client } = both(null)
    try {
      return await exchange(server, client('secret'), 'secret', tamper)
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  t.equal(await attempt({ first: (text) => text.replace('r=', 'r=x') }), 'upstream.untrusted')
  t.equal(
    await attempt({ first: (text) => text.replace('n,,', 'n,a=root,') }),
    'an authorization identity is not supported',
  )
  t.equal(await attempt({ first: (text) => text.replace('n,,', 'n,,m=x,') }), 'protocol.violation')
  t.equal(await attempt({ reply: (text) => text.replace('r=', 'r=x') }), 'upstream.untrusted')
  t.equal(await attempt({ reply: (text) => text.replace('i=4096', 'i=1') }), 'upstream.untrusted')
  t.equal(await attempt({ reply: (text) => text.replace('i=4096', 'i=99999999') }), 'upstream.untrusted')
  t.equal(await attempt({ reply: (text) => text.replace('i=4096', 'i=5000') }), 'the password is not right')
  t.equal(await attempt({ final: (text) => text.replace('r=', 'r=x') }), 'protocol.violation')
  t.equal(await attempt({ final: (text) => text.replace(/p=..../, 'p=AAAA') }), 'the password is not right')
})

t.test('a server that does not know the password cannot show that it does', async (t) => {
  const client = new ScramClient('secret', ['SCRAM-SHA-256'], plain)
  const nonce = /r=(.+)/.exec(client.first().toString())?.[1] ?? ''
  await client.final(Buffer.from(`r=${nonce}more,s=c2FsdA==,i=4096`))
  t.throws(() => client.verify(Buffer.from(`v=${Buffer.alloc(32).toString('base64')}`)), { code: 'upstream.untrusted' })
  t.throws(() => client.verify(Buffer.from('v=AAAA')), { code: 'upstream.untrusted' })
  t.throws(() => client.verify(Buffer.from('e=other-error')), { code: 'upstream.rejected' })
  const early = new ScramClient('secret', ['SCRAM-SHA-256'], plain)
  t.throws(() => early.verify(Buffer.from('v=AAAA')), { code: 'upstream.untrusted' })
})

t.test('arbitrary messages are refused with a code, and nothing else happens', async (t) => {
  const codes = /^(protocol\.violation|upstream\.(untrusted|rejected))$/
  const coded = async (work: () => unknown) => {
    try {
      await work()
    } catch (error) {
      if (!codes.test((error as { code?: string }).code ?? '')) throw error
    }
  }
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.boolean(), async (bytes, shaped) => {
      const noise = shaped ? Buffer.concat([Buffer.from('n,,n=,r='), Buffer.from(bytes)]) : Buffer.from(bytes)
      await coded(() => new ScramServer('agent', hash).first('SCRAM-SHA-256', noise))
      await coded(async () => await new ScramServer('agent', null).final(noise, 'x'))
      await coded(async () => await new ScramClient('x', ['SCRAM-SHA-256'], plain).final(noise))
    }),
  )
  t.pass('no other error')
})

t.test('RFC 7677’s own example comes out to the letter', async (t) => {
  const salt = base64('W22ZaJ0SNY7soEsUEjb6gQ==')
  const keys = keysOf(await saltedPassword('pencil', salt ?? Buffer.alloc(0), 4096))
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const message = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${nonce}`
  const proof = xor(keys.clientKey, hmac(keys.storedKey, message)).toString('base64')
  t.equal(proof, 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=')
  t.equal(hmac(keys.serverKey, message).toString('base64'), '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
})

t.test('RFC 4013’s own examples come out, and a prohibited password stays as it is', async (t) => {
  t.equal(saslprep('I\u00adX'), 'IX')
  t.equal(saslprep('user'), 'user')
  t.equal(saslprep('USER'), 'USER')
  t.equal(saslprep('\u00aa'), 'a')
  t.equal(saslprep('\u2168'), 'IX')
  t.equal(saslprep('\u0007'), '\u0007')
  t.equal(saslprep('\u06271'), '\u06271')
})
