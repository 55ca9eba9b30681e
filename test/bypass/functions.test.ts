/** PostgreSQL's own functions, each of them, by what it was judged to do. */
import t from 'tap'
import pg from 'pg'
import { builtinsOf } from '../../src/protocols/postgres/catalogue/builtins.ts'
import type { FunctionEntry } from '../../src/protocols/postgres/catalogue.ts'
import { DATABASE, PLANTED } from './bank.ts'
import { besiege, codes, keepsSecrets } from './siege.ts'

const siege = await besiege(t)
const [version] = await siege.sql(`SELECT current_setting('server_version_num')::int AS number`)
const builtins = [...builtinsOf(Number(version?.['number'])).functions.values()].flat()
const types = new Map(
  (await siege.sql('SELECT oid::int, format_type(oid, NULL) AS name FROM pg_type')).map(({ oid, name }) => [
    Number(oid),
    String(name),
  ]),
)

/** Nobody can write an argument of these types, so nobody can call the function. */
const UNWRITABLE = /internal|_handler|trigger|pg_ddl_command|cstring\[\]/

const callable = builtins.filter(
  ({ arguments: of, kind, schema }) =>
    kind !== 'procedure' && schema === 'pg_catalog' && !of.some((oid) => UNWRITABLE.test(types.get(oid) ?? 'internal')),
)

function callOf({ schema, name, kind }: FunctionEntry, args: readonly string[]): string {
  const called = `${schema}."${name}"(${args.join(', ')})`
  return kind === 'window' ? `SELECT ${called} OVER ()` : `SELECT * FROM (SELECT ${called} AS v) s`
}

t.test('every function that does more than compute is refused by its name', async (t) => {
  const agent = await siege.agent()
  const allowed: string[] = []
  const more = callable.filter((entry) => entry.class !== 'pure' && entry.class !== 'session')
  t.ok(more.length > 150, `${more.length} functions`)
  await siege.watch.accept()
  for (const entry of more) {
    const text = callOf(
      entry,
      entry.arguments.map((oid) => `NULL::${types.get(oid) ?? ''}`.replace(/NULL::"?any.*/, 'NULL')),
    )
    const answers = await agent.query(text)
    if (!/^[a-z]+[.][a-z-]+$/.test(codes(answers)[0] ?? '')) allowed.push(text)
  }
  t.same(allowed, [], 'none of them ran')
  t.same(await siege.watch.changes(), [], 'nothing has changed')
  keepsSecrets(t, agent.answers)
  agent.close()
})

t.test('so is every one of them without its schema, in FROM, and within another call', async (t) => {
  const agent = await siege.agent()
  const allowed: string[] = []
  for (const text of [
    'SELECT pg_sleep(1)',
    "SELECT * FROM query_to_xml('SELECT ssn FROM customers', true, true, '')",
    "SELECT xmlserialize(DOCUMENT table_to_xml('customers', true, true, '') AS text)",
    "SELECT length(query_to_xml('DELETE FROM order_items RETURNING *', true, true, '')::text)",
    "SELECT ts_stat('SELECT to_tsvector(ssn) FROM customers')",
    "SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, ssn::tsquery FROM customers')",
    "SELECT currtid2('customers', '(0,1)')",
    'SELECT lo_get(4711)',
    'SELECT loread(lo_open(4711, 262144), 100)',
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(4711, '/tmp/x')",
    "SELECT lo_put(4711, 0, 'x')",
    "SELECT lo_from_bytea(0, 'x')",
    'SELECT lo_unlink(4711)',
    'SELECT lo_create(0)',
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_read_binary_file('PG_VERSION')",
    "SELECT * FROM pg_ls_dir('.')",
    'SELECT * FROM pg_ls_waldir()',
    "SELECT * FROM pg_stat_file('postgresql.conf')",
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity',
    'SELECT pg_terminate_backend(1)',
    'SELECT pg_cancel_backend(pg_backend_pid())',
    'SELECT pg_reload_conf()',
    'SELECT pg_rotate_logfile()',
    'SELECT pg_switch_wal()',
    "SELECT pg_create_restore_point('x')",
    "SELECT pg_backup_start('x')",
    "SELECT pg_create_physical_replication_slot('x')",
    "SELECT pg_create_logical_replication_slot('x', 'pgoutput')",
    "SELECT pg_replication_origin_create('x')",
    "SELECT pg_logical_emit_message(false, 'x', 'y')",
    'SELECT pg_export_snapshot()',
    "SELECT pg_notify('c', 'x')",
    'SELECT pg_advisory_lock(1)',
    'SELECT pg_try_advisory_lock(1)',
    'SELECT pg_advisory_xact_lock_shared(1, 2)',
    "SELECT nextval('invoice_number')",
    "SELECT setval('invoice_number', 99)",
    "SELECT pg_sequence_last_value('invoice_number')",
    'SELECT pg_stat_reset()',
    "SELECT pg_restore_relation_stats('relation', 'customers'::regclass, 'relpages', 1)",
    'SELECT pg_promote()',
    'SELECT pg_log_backend_memory_contexts(1)',
    "SELECT pg_input_is_valid('x', 'label')",
    'SELECT pg_stat_get_activity(NULL)',
    "SELECT pg_import_system_collations('public')",
    "SELECT set_config('search_path', 'evil', false)",
    "SELECT set_config('ro' || 'le', 'postgres', false)",
    "SELECT set_config('log_statement', 'all', false)",
    "SELECT set_config('session_preload_libraries', 'x', false)",
    "SELECT set_config('my.own', name, false) FROM customers",
    "SELECT pg_catalog.set_config(setting_name => 'role', new_value => 'postgres', is_local => false)",
    "SELECT set_config(VARIADIC ARRAY['role', 'postgres', 'false'])",
    "SELECT current_setting('my.own'), set_config('work_mem', '4TB', false)",
    "SELECT upper(pg_read_file('postgresql.conf'))",
    "SELECT array_agg(l) FROM pg_ls_dir('.') l",
    "SELECT * FROM generate_series(1, (SELECT length(pg_read_file('PG_VERSION'))))",
    "SELECT dblink('host=127.0.0.1', 'SELECT 1')",
    "SELECT brin_summarize_new_values('orders_pkey')",
    "SELECT gin_clean_pending_list('orders_pkey')",
    'SELECT most_common_vals FROM pg_stats',
    'SELECT stavalues1 FROM pg_statistic',
    'SELECT query FROM pg_stat_activity',
    'SELECT rolpassword FROM pg_authid',
    'SELECT passwd FROM pg_shadow',
    'SELECT data FROM pg_largeobject',
    'SELECT * FROM pg_hba_file_rules',
    'SELECT * FROM pg_file_settings',
    'SELECT last_value FROM pg_sequences',
    'SELECT last_value FROM invoice_number; SELECT * FROM pg_cursors',
    'SELECT * FROM pg_prepared_statements',
    'SELECT * FROM pg_stats_ext',
    'SELECT * FROM pg_user_mappings',
    'SELECT * FROM pg_subscription',
    'UPDATE pg_settings SET setting = 1',
    'SELECT * FROM pg_toast.pg_toast_1255',
    'SELECT * FROM statistics',
    'SELECT * FROM passwords',
  ]) {
    const answers = await agent.query(text)
    if (!codes(answers).some((code) => /^[a-z]+[.][a-z-]+$/.test(code))) allowed.push(text)
  }
  t.same(allowed, [])
  t.same(await siege.watch.changes(), [])
  keepsSecrets(t, agent.answers)
  agent.close()
})

/** Values that a function which looks things up would find something by. */
const VALUES: ReadonlyMap<string, readonly string[]> = new Map([
  ['text', ["'customers'", "'SELECT ssn FROM customers'", "'DELETE FROM order_items'"]],
  ['cstring', ["'customers'", "'(1,2)'"]],
  ['name', ["'customers'", "'bank'"]],
  ['"char"', ["'r'"]],
  ['oid', ["'customers'::regclass::oid", '4711']],
  ['regclass', ["'customers'", "'invoice_number'"]],
  ['regprocedure', ["'wipe()'"]],
  ['regproc', ["'peek'"]],
  ['regtype', ["'customers'"]],
  ['integer', ['1', '-1']],
  ['bigint', ['1']],
  ['smallint', ['1']],
  ['numeric', ['1']],
  ['boolean', ['true']],
  ['json', [`'{"a": [1]}'`]],
  ['jsonb', [`'{"a": [1]}'`]],
  ['jsonpath', [`'$.a'`]],
  ['xml', [`'<a>1</a>'`]],
  ['bytea', [`'customers'`]],
  ['tid', [`'(0,1)'`]],
  ['text[]', [`'{customers,ssn}'`]],
  ['"any"', ["'customers'::text"]],
  ['anyelement', ["'customers'::text"]],
  ['anycompatible', ["'customers'::text"]],
  ['anynonarray', ["'customers'::text"]],
  ['anyarray', ["'{customers}'::text[]"]],
  ['anycompatiblearray', ["'{customers}'::text[]"]],
  ['record', ["ROW('customers'::text)"]],
  ['void', ["''"]],
])

t.test('what is called pure changes nothing on the server, and finds no value by its name', async (t) => {
  const pure = callable.filter((entry) => entry.class === 'pure')
  t.ok(pure.length > 2000, `${pure.length} functions`)
  const client = new pg.Client(siege.server.connection(DATABASE))
  await client.connect()
  await client.query("SET statement_timeout = '500ms'; SET lock_timeout = '200ms'")
  await siege.watch.accept()
  const found: string[] = []
  const told: string[] = []
  client.on('notice', ({ message }) => void (String(message).includes(PLANTED) && told.push(String(message))))
  let ran = 0
  const calls = pure.flatMap((entry) => {
    const choices = entry.arguments.map((oid) => {
      const name = types.get(oid) ?? 'text'
      const values = VALUES.get(name)
      if (values === undefined) return [`NULL::${name}`, "'1'"]
      return values.map((value) =>
        name.startsWith('any') || name.startsWith('"any') || name === 'record' ? value : `${value}::${name}`,
      )
    })
    const most = Math.max(1, ...choices.map(({ length }) => length))
    return Array.from({ length: most }, (_, at) =>
      callOf(
        entry,
        choices.map((values) => values[at % values.length] ?? 'NULL'),
      ),
    )
  })
  for (const text of calls) {
    const result = await client.query({ text, rowMode: 'array' }).then(
      ({ rows }) => JSON.stringify(rows),
      (error: unknown) => String(error),
    )
    if (!result.startsWith('error')) ran++
    if (result.includes(PLANTED)) found.push(text)
  }
  t.ok(ran > 1000, `${ran} of ${calls.length} calls gave something`)
  t.same(found, [], 'no value came back')
  t.same(told, [], 'no notice told one')
  t.same(await siege.watch.changes(), [], 'nothing has changed')
  await client.end()
})
