import t from 'tap'
import { facts, refusalOf } from './fixture.ts'

void t.test(
  'settings that say how text is read, or who reads it, cannot be changed by any way of setting them',
  async (t) => {
    const pinned = [
      ['client_encoding', 'LATIN1'],
      ['standard_conforming_strings', 'off'],
      ['backslash_quote', 'on'],
      ['search_path', 'app'],
      ['search_path', 'public'],
      ['role', 'postgres'],
      ['session_authorization', 'postgres'],
      ['row_security', 'off'],
      ['session_replication_role', 'replica'],
      ['transform_null_equals', 'on'],
      ['local_preload_libraries', 'x'],
    ] as const
    for (const [name, value] of pinned) {
      for (const sql of [
        `SET ${name} = '${value}'`,
        `SET LOCAL ${name} TO '${value}'`,
        `SET SESSION ${name.toUpperCase()} = '${value}'`,
        `SELECT set_config('${name}', '${value}', false)`,
        `SELECT pg_catalog.set_config('${name.toUpperCase()}'::text, '${value}', true)`,
        `SELECT 1 WHERE EXISTS (SELECT set_config('${name}', $1, false))`,
        `WITH x AS (SELECT set_config('${name}', '${value}', false)) SELECT * FROM x`,
        `PREPARE p AS SELECT set_config('${name}', '${value}', false)`,
        `ALTER ROLE x SET ${name} = '${value}'`,
        `ALTER DATABASE x SET ${name} = '${value}'`,
        `ALTER SYSTEM SET ${name} = '${value}'`,
        `SELECT 1; SET ${name} = '${value}'`,
      ]) {
        t.equal(refusalOf(sql), 'command.unsupported', sql)
      }
      t.equal(refusalOf(`RESET ${name}`), null, 'RESET gives back what is pinned')
      t.equal(refusalOf(`SHOW ${name}`), null)
    }
    t.equal(refusalOf('SET ROLE postgres'), 'command.unsupported')
    t.equal(refusalOf('SET SESSION AUTHORIZATION postgres'), 'command.unsupported')
    t.equal(refusalOf("SET NAMES 'LATIN1'"), 'command.unsupported')
    t.equal(refusalOf("SET SCHEMA 'app'"), 'command.unsupported')
  },
)

void t.test('what drivers set to what it is anyway passes', async (t) => {
  for (const sql of [
    "SET client_encoding = 'UTF8'",
    "SET client_encoding TO 'utf-8'",
    "SET NAMES 'UTF8'",
    'SET standard_conforming_strings = on',
    'SET standard_conforming_strings = true',
    'SET search_path = public, pg_temp',
    'SET search_path = pg_catalog, public, pg_temp',
    "SELECT set_config('search_path', 'public, pg_temp', false)",
    'SET ROLE NONE',
    'RESET ROLE',
    'SET SESSION AUTHORIZATION DEFAULT',
    'RESET ALL',
    'SET row_security = on',
  ]) {
    t.equal(refusalOf(sql), null, sql)
    t.notOk(facts(sql).effects.includes('unknown'), sql)
  }
})

void t.test('set_config() is understood with a constant name only', async (t) => {
  for (const sql of [
    "SELECT set_config('ro' || 'le', 'x', false)",
    'SELECT set_config($1, $2, false)',
    "SELECT set_config(n, 'x', false) FROM (SELECT 'role' AS n) x",
    "SELECT set_config('role'::name, 'x', false)",
    "SELECT set_config('rolex'::char(4), 'x', false)",
    "SELECT set_config(setting_name => 'role', new_value => 'x', is_local => false)",
    "SELECT set_config(VARIADIC array['role', 'x', 'false'])",
  ]) {
    t.equal(refusalOf(sql), 'command.unsupported', sql)
  }
})

void t.test(
  'settings are told with value and scope, and effect `unknown` where nobody knows what they do',
  async (t) => {
    const settings = (sql: string) => facts(sql).settings
    t.same(settings("SET LOCAL work_mem TO '4MB'"), [
      { name: 'work_mem', value: '4MB', scope: 'transaction', known: true },
    ])
    t.same(settings("SET TIME ZONE 'UTC'"), [{ name: 'timezone', value: 'UTC', scope: 'session', known: true }])
    t.same(settings("SET TIME ZONE INTERVAL '1' HOUR TO MINUTE")[0]?.name, 'timezone')
    t.same(settings('SET DateStyle = iso, dmy'), [
      { name: 'datestyle', value: 'iso, dmy', scope: 'session', known: true },
    ])
    t.same(settings('RESET ALL'), [{ name: '*', value: null, scope: 'session', known: true }])
    t.same(settings('SHOW ALL'), [{ name: '*', value: null, scope: 'show', known: true }])
    t.same(settings("SELECT set_config('statement_timeout', $1, true)"), [
      { name: 'statement_timeout', value: null, scope: 'transaction', known: false },
    ])
    t.same(settings('BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE'), [
      { name: 'transaction_isolation', value: 'serializable', scope: 'transaction', known: true },
      { name: 'transaction_read_only', value: 'on', scope: 'transaction', known: true },
      { name: 'transaction_deferrable', value: 'on', scope: 'transaction', known: true },
    ])
    t.same(settings('SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE'), [
      { name: 'default_transaction_read_only', value: 'off', scope: 'session', known: true },
    ])
    t.same(settings("ALTER SYSTEM SET work_mem = '1GB'"), [
      { name: 'work_mem', value: '1GB', scope: 'persistent', known: true },
    ])
    t.same([...facts("SET app.tenant = '5'").effects], ['unknown', 'session'])
    t.same([...facts('SET zero_damaged_pages = on').effects], ['unknown', 'session'])
    t.same([...facts("SELECT set_config('app.tenant', '5', true)").effects], ['unknown', 'select', 'session'])
    t.same([...facts('SET enable_seqscan = off').effects], ['session'])
  },
)
