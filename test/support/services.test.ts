import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import t from 'tap'
import { sharedPostgres, startPostgres } from './postgres.ts'
import { run, startProgram } from './process.ts'
import { startRedis } from './redis.ts'
import { createAuthority } from './tls.ts'

t.test('A test has a PostgreSQL server of its own, which leaves nothing behind', async (t) => {
  const server = await startPostgres({ settings: { work_mem: '1234kB' } })
  t.teardown(() => server.stop())
  t.same(await server.sql('SHOW work_mem'), [{ work_mem: '1234kB' }])
  t.ok(existsSync(server.directory))
  await server.stop()
  t.notOk(existsSync(server.directory))
  await t.rejects(server.sql('SELECT 1'), { code: 'ECONNREFUSED' })
})

t.test('Databases of the shared server do not see each other', async (t) => {
  const server = await sharedPostgres()
  const [one, other] = [await server.createDatabase(), await server.createDatabase()]
  await server.sql('CREATE TABLE mark (n int)', undefined, one)
  t.same(await server.sql("SELECT to_regclass('mark') AS mark", undefined, other), [{ mark: null }])
  t.equal(await sharedPostgres(), server)
})

t.test('PostgreSQL asks for the password, and speaks TLS with the certificate that it was given', async (t) => {
  const authority = createAuthority()
  const server = await startPostgres({
    tls: authority.issue({ names: ['DNS:db.test'] }),
    hba: ['hostssl all all all scram-sha-256'],
  })
  t.teardown(() => server.stop())
  await t.rejects(server.sql('SELECT 1'), { code: '28000' }, 'without TLS there is no line for it')
  const psql = await run('psql', ['-XAtc', 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()', server.url()], {
    env: { ...process.env, PGSSLMODE: 'require' },
  })
  t.equal(psql.stdout, 't\n', psql.stderr)
  const wrong = await run('psql', ['-XAtc', 'SELECT 1', server.url()], {
    env: { ...process.env, PGSSLMODE: 'disable' },
  })
  t.match(wrong.stderr, /no encryption/)
})

t.test('Redis stalls, crashes and comes back with what it held', async (t) => {
  const redis = await startRedis({ persistent: true, password: 'a-word' })
  t.teardown(() => redis.stop())
  t.match(await redis.command('SET k v'), /\+OK/)
  redis.pause()
  const answer = redis.command('GET k')
  t.equal(await Promise.race([answer, sleep(100, 'silence')]), 'silence')
  redis.resume()
  t.match(await answer, /\$1\r\nv/)
  await redis.kill()
  await t.rejects(redis.command('PING'), { code: 'ECONNREFUSED' })
  await redis.restart()
  t.match(await redis.command('GET k'), /\$1\r\nv/)
})

t.test('A program that a test forgot ends with the test process', async (t) => {
  const support = new URL('process.ts', import.meta.url).href
  const script = `const { startProgram } = await import('${support}')
    const program = await startProgram('sleep', ['60'])
    console.log(program.pid)
    program.unref()`
  const host = await run(process.execPath, ['--input-type=module', '-e', script])
  const pid = Number(host.stdout)
  t.ok(pid > 0, host.stderr)
  await sleep(50)
  // A machine whose first process does not reap orphans keeps it as a zombie.
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => `${pid} (gone) Z`)
  t.match(state, /\) [ZX]/)
})

t.test('Waiting for output says what was written when the program ends without it', async (t) => {
  const program = await startProgram('sh', ['-c', 'echo something else >&2; exit 3'])
  await t.rejects(program.output(/never/), { message: /something else/ })
  t.same(await program.exited, { code: 3, signal: null })
  await t.rejects(startProgram('/no/such/program'), { code: 'ENOENT' })
})

t.test('A test authority is trusted for the names that it issues, and not past their time', async (t) => {
  const authority = createAuthority()
  const attempt = async (certificate: { cert: string; key: string }): Promise<string> => {
    const server = createServer(certificate).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const client = connect({ host: '127.0.0.1', port, ca: authority.cert })
    const outcome = await once(client, 'secureConnect').then(
      () => 'trusted',
      (error: unknown) => (error as { code: string }).code,
    )
    client.destroy()
    server.close()
    return outcome
  }
  t.equal(await attempt(authority.issue()), 'trusted')
  t.equal(await attempt(authority.issue({ names: ['DNS:elsewhere.test'] })), 'ERR_TLS_CERT_ALTNAME_INVALID')
  t.equal(await attempt(authority.issue({ expired: true })), 'CERT_HAS_EXPIRED')
  t.equal(await attempt(createAuthority().issue()), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  t.equal(new X509Certificate(authority.issue().cert).publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
})
