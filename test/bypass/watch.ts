/** What an attack could have changed on a server, looked at from outside the gate. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { PostgresServer } from '../support/postgres.ts'

/** One row each: a name and what it is now. */
const STATE = `
SELECT 'relation ' || c.oid::regclass || ' ' || c.relkind::text, concat_ws(' ', c.relnamespace::regnamespace, c.relowner, c.relacl, c.reloptions,
       c.relrowsecurity, c.relfilenode, c.relpersistence,
       (SELECT string_agg(concat_ws(',', attname, atttypid, attnotnull, attacl, attisdropped), ';' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0))
  FROM pg_class c WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND c.relnamespace::regnamespace::text !~ '^pg_'
UNION ALL SELECT 'rows of ' || c.oid::regclass, md5(query_to_xml('SELECT t::text FROM ' || c.oid::regclass || ' AS t ORDER BY 1', true, false, '')::text)
  FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384 AND c.relnamespace = 'public'::regnamespace
UNION ALL SELECT 'sequence ' || schemaname || '.' || sequencename, coalesce(last_value::text, 'unused') FROM pg_sequences
UNION ALL SELECT 'role ' || rolname, md5(concat_ws(' ', a.*)) FROM pg_authid a
UNION ALL SELECT 'member ' || m.oid, concat_ws(' ', m.*) FROM pg_auth_members m
UNION ALL SELECT 'kept setting ' || setdatabase || '/' || setrole, setconfig::text FROM pg_db_role_setting
UNION ALL SELECT 'database ' || datname, concat_ws(' ', datdba, datallowconn, datconnlimit, datacl) FROM pg_database
UNION ALL SELECT 'schema ' || nspname, concat_ws(' ', nspowner, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast_temp)'
UNION ALL SELECT 'function ' || oid::regprocedure, md5(concat_ws(' ', prosrc, proowner, proacl, proconfig, prosecdef)) FROM pg_proc WHERE oid >= 16384
UNION ALL SELECT 'builtins', md5(string_agg(concat_ws(' ', oid, proname, prosrc, proacl), ';' ORDER BY oid)) FROM pg_proc WHERE oid < 16384
UNION ALL SELECT 'system acl', md5(string_agg(concat_ws(' ', oid, relacl), ';' ORDER BY oid)) FROM pg_class WHERE oid < 16384
UNION ALL SELECT 'large object ' || m.oid, concat_ws(' ', m.lomowner, m.lomacl, md5(lo_get(m.oid))) FROM pg_largeobject_metadata m
UNION ALL SELECT 'lock ' || locktype || ' ' || mode, concat_ws(' ', classid, objid, relation::regclass) FROM pg_locks
  WHERE locktype = 'advisory' OR (locktype = 'relation' AND mode <> 'AccessShareLock' AND relation >= 16384)
UNION ALL SELECT 'prepared ' || gid, owner::text FROM pg_prepared_xacts
UNION ALL SELECT 'slot ' || slot_name, slot_type::text FROM pg_replication_slots
UNION ALL SELECT 'origin ' || roname, roident::text FROM pg_replication_origin
UNION ALL SELECT 'extension ' || extname, extversion FROM pg_extension
UNION ALL SELECT 'publication ' || pubname, puballtables::text FROM pg_publication
UNION ALL SELECT 'subscription ' || subname, subenabled::text FROM pg_subscription
UNION ALL SELECT 'server ' || srvname, srvoptions::text FROM pg_foreign_server
UNION ALL SELECT 'wrapper ' || fdwname, fdwoptions::text FROM pg_foreign_data_wrapper
UNION ALL SELECT 'tablespace ' || spcname, spcoptions::text FROM pg_tablespace
UNION ALL SELECT 'event trigger ' || evtname, evtenabled::text FROM pg_event_trigger
UNION ALL SELECT 'trigger ' || tgname || ' ' || tgrelid, tgenabled::text FROM pg_trigger
UNION ALL SELECT 'rule ' || rulename || ' ' || ev_class, ev_enabled::text FROM pg_rewrite WHERE ev_class >= 16384
UNION ALL SELECT 'policy ' || polname, polrelid::text FROM pg_policy
UNION ALL SELECT 'type ' || oid, concat_ws(' ', typname, typowner) FROM pg_type WHERE oid >= 16384 AND typnamespace::regnamespace::text !~ '^pg_(temp|toast)'
UNION ALL SELECT 'statistics', md5(coalesce(string_agg(concat_ws(' ', starelid, staattnum, stadistinct, stavalues1), ';' ORDER BY starelid, staattnum), '')) FROM pg_statistic WHERE starelid >= 16384
UNION ALL SELECT 'label ' || objoid, label FROM pg_seclabel
UNION ALL SELECT 'comment ' || objoid || '/' || objsubid, description FROM pg_description WHERE objoid >= 16384
UNION ALL SELECT 'the bystander', pid::text FROM pg_stat_activity WHERE application_name = 'bystander'
UNION ALL SELECT 'a sleeper', pid::text FROM pg_stat_activity WHERE wait_event IN ('PgSleep')
UNION ALL SELECT 'backup or recovery', pg_is_in_recovery()::text
UNION ALL SELECT 'configuration', md5(string_agg(name || coalesce(setting, ''), ';' ORDER BY name)) FROM pg_settings WHERE source NOT IN ('session', 'client')
`

/** Folders and files that a server writes to on its own. */
const RESTLESS =
  /^(base|global|pg_wal|pg_xact|pg_subtrans|pg_multixact|pg_stat|pg_stat_tmp|pg_notify|pg_serial|pg_snapshots|pg_dynshmem|pg_commit_ts|postmaster[.]pid|postmaster[.]opts|pg_logical|pg_internal[.]init)$/

export interface Watch {
  /** What differs from the state that was last accepted; empty when nothing does. Accepts what it found. */
  changes(): Promise<readonly string[]>
  /** Forgets what has changed so far. */
  accept(): Promise<void>
  close(): Promise<void>
}

export async function watchServer(server: PostgresServer, database: string): Promise<Watch> {
  const connect = async (name: string): Promise<pg.Client> => {
    const client = new pg.Client({ ...server.connection(database), application_name: name })
    client.on('error', () => {})
    await client.connect()
    return client
  }
  const bystander = await connect('bystander')
  const watcher = await connect('watcher')
  const look = async (): Promise<Map<string, string>> => {
    const { rows } = await watcher.query<string[]>({ text: STATE, rowMode: 'array' })
    const state = new Map(rows.map(([name = '', value]) => [name, value ?? '']))
    for (const [name, value] of files(server.directory)) state.set(name, value)
    return state
  }
  let accepted = await look()
  return {
    async changes() {
      const now = await look()
      const names = new Set([...accepted.keys(), ...now.keys()])
      const changed = [...names].filter((name) => accepted.get(name) !== now.get(name))
      accepted = now
      return changed.map((name) => name)
    },
    async accept() {
      accepted = await look()
    },
    async close() {
      await bystander.end().catch(() => {})
      await watcher.end()
    },
  }
}

/** The data directory and what lies beside it, by name and content. */
function files(directory: string): [string, string][] {
  const found: [string, string][] = []
  for (const [folder, prefix] of [
    [join(directory, '..'), 'beside: '],
    [directory, 'file '],
    [join(directory, 'pg_replslot'), 'slot file '],
    [join(directory, 'pg_tblspc'), 'tablespace file '],
    [join(directory, 'pg_twophase'), 'two-phase file '],
  ] as const) {
    for (const name of readdirSync(folder)) {
      if (RESTLESS.test(name) || name.startsWith('.s.PGSQL')) continue
      const path = join(folder, name)
      const content = statSync(path).isFile() ? createHash('md5').update(readFileSync(path)).digest('hex') : ''
      found.push([prefix + name, content])
    }
  }
  return found
}
