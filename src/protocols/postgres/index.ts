/** PostgreSQL: https://www.postgresql.org/docs/18/protocol.html */
import type { PostgresTargetConfig } from '../../config/schema.ts'
import type { Protocol, Target, Wiring } from '../protocol.ts'
import { Database } from './databases.ts'
import { credentialOf, serve, type Shared } from './session.ts'
import { loadParser } from './sql/parse.ts'
import { ParsingThread } from './sql/thread.ts'
import { prepareAgentSide } from './startup.ts'
import { CancelKeys } from './upstream/cancel-keys.ts'
import { openQueries } from './upstream/queries.ts'

/** Rows of catalogs that wait for nobody: the catalogue connection has no slow reader. */
const CATALOGUE_LIMITS = { message: 16 * 1024 ** 2, inFlight: 1024 ** 2 }

async function prepare(config: PostgresTargetConfig, wiring: Wiring): Promise<Target> {
  await loadParser()
  const thread = new ParsingThread(config.limits)
  const databases = new Map<string, Database>()
  const shared: Shared = {
    config,
    wiring,
    side: await prepareAgentSide(config, wiring),
    keys: new CancelKeys(),
    database: (agent) => {
      const { user, passwordFile } = credentialOf(config, agent.user)
      // Which schemas of the search path a role may use differs from role to role.
      const key = JSON.stringify([agent.database, user])
      const known = databases.get(key)
      if (known !== undefined) return known
      const made = databaseOf(agent.database, user, passwordFile)
      databases.set(key, made)
      return made
    },
  }

  function databaseOf(database: string, user: string, passwordFile: string | undefined): Database {
    const connect = () =>
      openQueries(config.upstream, {
        user,
        password: async () => (passwordFile === undefined ? null : await wiring.secret(passwordFile)),
        database,
        searchPath: ['pg_catalog'],
        applicationName: 'sidegate',
        settings: [],
        protocol: 0x00030000,
        timeout: config.limits.handshake,
        signal: AbortSignal.timeout(config.limits.handshake),
        limits: CATALOGUE_LIMITS,
      })
    const { searchPath, catalogue, limits } = config
    return new Database({
      connect,
      searchPath,
      refresh: catalogue.refresh,
      limits,
      thread,
      masks: wiring.masks,
      log: wiring.log,
    })
  }

  return {
    serve: (connection) => serve(connection, shared),
    close: async () => {
      for (const database of databases.values()) database.close()
      await thread.close()
    },
  }
}

export const postgres: Protocol<PostgresTargetConfig> = { name: 'postgres', prepare }
