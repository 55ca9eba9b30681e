import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Pool } from 'undici'
import { readSecret } from '../../../../src/credentials/secret.ts'
import { AccountToken } from '../../../../src/protocols/kubernetes/credential/account-token.ts'
import { bearerFile } from '../../../../src/protocols/kubernetes/credential/bearer.ts'
import type { UpstreamError } from '../../../../src/protocols/kubernetes/credential/failure.ts'

const HOUR_MS = 3_600_000

interface Asked {
  readonly url: string
  readonly authorization: string
  readonly body: unknown
}

/** An API server that gives tokens, numbered, in whatever way the test says. */
async function giver(t: Test) {
  const asked: Asked[] = []
  let answer: (given: number) => { readonly status: number; readonly body: unknown } = (given) => ({
    status: 201,
    body: { spec: { expirationSeconds: 3_600 }, status: { token: `token-${given}` } },
  })
  const server: Server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk.toString()))
    request.on('end', () => {
      asked.push({ url: request.url ?? '', authorization: request.headers.authorization ?? '', body: JSON.parse(text) })
      const { status, body } = answer(asked.length)
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const pool = new Pool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-account-'))
  const file = join(directory, 'token')
  writeFileSync(file, 'asks')
  t.teardown(async () => {
    await pool.destroy()
    server.close()
    rmSync(directory, { recursive: true })
  })
  const clock = { now: 1_000_000 }
  const failures: UpstreamError[] = []
  const tokens = new AccountToken({
    account: { namespace: 'agents', name: 'reader', audience: 'https://api', expiry: HOUR_MS },
    asking: bearerFile(file, readSecret),
    server: () => pool,
    failed: (error) => void failures.push(error),
    now: () => clock.now,
  })
  return { asked, failures, tokens, clock, file, answers: (by: typeof answer) => (answer = by) }
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 500) throw new Error('it did not come to be')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

t.test('a token is asked for once, with its audience and life, for all who wait for it', async (t) => {
  const { asked, tokens } = await giver(t)
  t.same(await Promise.all([tokens.current(), tokens.current(), tokens.current()]), ['token-1', 'token-1', 'token-1'])
  t.equal(tokens.current(), 'token-1', 'at once from now on')
  t.same(asked, [
    {
      url: '/api/v1/namespaces/agents/serviceaccounts/reader/token',
      authorization: 'Bearer asks',
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: 3_600, audiences: ['https://api'] },
      },
    },
  ])
})

t.test(
  'it is renewed at four fifths of its life, while whoever comes meanwhile is served with the old one',
  async (t) => {
    const { asked, tokens, clock } = await giver(t)
    await tokens.current()
    clock.now += 0.8 * HOUR_MS - 1
    t.equal(tokens.current(), 'token-1')
    t.equal(asked.length, 1)
    clock.now += 1
    t.equal(tokens.current(), 'token-1')
    await until(() => tokens.current() === 'token-2')
    t.equal(asked.length, 2, 'once')
  },
)

t.test(
  'a renewal that fails leaves the old one until it expires, is told, and is not tried at every request',
  async (t) => {
    const { asked, failures, tokens, clock, answers } = await giver(t)
    await tokens.current()
    answers(() => ({ status: 500, body: { message: 'etcd is away' } }))
    clock.now += 0.9 * HOUR_MS
    for (let times = 0; times < 3; times++) t.equal(tokens.current(), 'token-1')
    await until(() => failures.length > 0)
    t.equal(tokens.current(), 'token-1')
    t.equal(asked.length, 2)
    t.match(failures, [{ code: 'upstream.rejected', cause: { message: 'etcd is away' } }])
    clock.now += 0.1 * HOUR_MS
    await t.rejects(async () => await tokens.current(), { code: 'upstream.rejected' })
  },
)

t.test('a rejected token is replaced, but not one that was given a moment ago', async (t) => {
  const { asked, tokens, clock } = await giver(t)
  await tokens.current()
  t.equal(await tokens.replace('token-1'), 'token-1')
  clock.now += 60_000
  t.same(await Promise.all([tokens.replace('token-1'), tokens.replace('token-1')]), ['token-2', 'token-2'])
  t.equal(await tokens.replace('token-1'), 'token-2', 'somebody replaced it before')
  t.equal(asked.length, 2)
})

t.test('the token that asks is read again when it was rotated between its reading and its use', async (t) => {
  const { asked, tokens, file, answers } = await giver(t)
  answers((given) => {
    if (given === 1) writeFileSync(file, 'asks-anew')
    return given === 1
      ? { status: 401, body: {} }
      : { status: 201, body: { spec: { expirationSeconds: 3_600 }, status: { token: 'mine' } } }
  })
  t.equal(await tokens.current(), 'mine')
  t.same(
    asked.map(({ authorization }) => authorization),
    ['Bearer asks', 'Bearer asks-anew'],
  )
})

t.test('whatever else the API server answers is no token', async (t) => {
  const { tokens, answers, file } = await giver(t)
  const bodies: readonly (readonly [number, unknown])[] = [
    [200, 'no JSON'],
    [201, {}],
    [201, { spec: { expirationSeconds: 0 }, status: { token: 'x' } }],
    [201, { spec: { expirationSeconds: 3_600 }, status: { token: 7 } }],
    [403, { message: 'secret words', status: { token: 'x' }, spec: { expirationSeconds: 9 } }],
    [201, { padding: 'x'.repeat(70_000) }],
  ]
  for (const [status, body] of bodies) {
    answers(() => ({ status, body }))
    await t.rejects(async () => await tokens.current(), { code: 'upstream.rejected', message: /^the API server g/ })
  }
  writeFileSync(file, 'two words')
  await t.rejects(async () => await tokens.current(), { code: 'upstream.rejected', message: /no?t a bearer token/ })
})
