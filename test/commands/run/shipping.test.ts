import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { startSidecar } from '../../../src/commands/run/sidecar.ts'
import { buildBundle } from '../../support/bundle.ts'
import { startRedis } from '../../support/redis.ts'
import { configured, dial, folder, LINES, QUIET, say, until } from './fixture.ts'

const OPTIONS = { log: QUIET, protocols: [LINES] }

t.test('records reach Redis; while it is away commands go on and the lag shows; closing ships the rest', async (t) => {
  const base = folder(t)
  const redis = await startRedis({ persistent: true })
  t.teardown(() => redis.stop())
  const record = {
    journal: { directory: join(base, 'journal'), maxSize: '16MiB', segmentSize: '4MiB' },
    redis: { url: redis.url, prefix: 'test' },
  }
  const sidecar = await startSidecar(configured(base, await buildBundle('bundles/permissive'), { record }), OPTIONS)
  t.teardown(() => sidecar.close())
  const agent = await dial(sidecar.ports.targets['lines'] ?? 0)
  const shipping = () => sidecar.status().shipping
  /** Of each command the decision and its outcome are entries of one stream. */
  const entries = async () => {
    const reply = await redis.command(`XLEN test:decisions:${sidecar.status().record.instance}`)
    return reply.split('\r\n', 1)[0]
  }

  t.equal(await say(agent, 'SELECT 1'), 'permitted SELECT 1')
  await until(
    () => shipping()?.connected === true && shipping()?.lag.records === 0 && sidecar.status().record.position === 4,
  )
  t.equal(await entries(), ':2')

  await redis.kill()
  t.equal(await say(agent, 'SELECT 2'), 'permitted SELECT 2')
  await until(() => shipping()?.connected === false)
  t.ok((shipping()?.lag.records ?? 0) > 0)
  const metrics = await (await fetch(`http://127.0.0.1:${sidecar.ports.probes}/metrics`)).text()
  t.match(metrics, 'sidegate_redis_up 0')
  t.match(metrics, 'sidegate_ready 1')

  await redis.restart()
  t.equal(await say(agent, 'SELECT 3'), 'permitted SELECT 3')
  agent.end()
  await once(agent, 'close')
  await sidecar.close()
  t.equal(await entries(), ':6')
})
