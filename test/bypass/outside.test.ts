/** Ways from a statement to files, programs, other servers, other sessions and the configuration. */
import t from 'tap'
import { besiege, refused } from './siege.ts'

const siege = await besiege(t)

const FILES_AND_PROGRAMS = [
  "COPY orders TO '/tmp/sidegate-bypass-out'",
  "COPY orders FROM '/etc/passwd'",
  "COPY orders TO PROGRAM 'cat > /tmp/sidegate-bypass-out'",
  "COPY orders FROM PROGRAM 'id'",
  "COPY (SELECT 1) TO PROGRAM 'touch /tmp/sidegate-bypass-out'",
  "COPY (SELECT 1) TO '/tmp/sidegate-bypass-out'",
  "LOAD 'plpgsql'",
  "LOAD '$libdir/../x'",
  "CREATE FUNCTION system(cstring) RETURNS int LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'system'",
  "CREATE FUNCTION f() RETURNS int LANGUAGE internal AS 'pg_reload_conf'",
  "CREATE TABLESPACE t LOCATION '/tmp'",
  'DROP TABLESPACE pg_default',
  'ALTER TABLE orders SET TABLESPACE pg_global',
  'CREATE EXTENSION dblink',
  'CREATE EXTENSION IF NOT EXISTS file_fdw CASCADE',
  'ALTER EXTENSION plpgsql UPDATE',
  'DROP EXTENSION plpgsql CASCADE',
  'CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = ispell, DictFile = passwd)',
  "CREATE COLLATION c (provider = icu, locale = 'x')",
]

const OTHER_SERVERS = [
  'CREATE FOREIGN DATA WRAPPER w',
  'CREATE SERVER s FOREIGN DATA WRAPPER w',
  'CREATE USER MAPPING FOR CURRENT_USER SERVER s',
  'CREATE FOREIGN TABLE f (a int) SERVER s',
  'IMPORT FOREIGN SCHEMA public FROM SERVER s INTO public',
  "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p",
  "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p WITH (connect = false)",
  'DROP SUBSCRIPTION s',
  'CREATE PUBLICATION p FOR ALL TABLES',
  'CREATE PUBLICATION p FOR TABLE customers (ssn)',
]

const ROLES_AND_CONFIGURATION = [
  "ALTER SYSTEM SET log_statement = 'all'",
  'ALTER SYSTEM RESET ALL',
  "ALTER ROLE bank_root SET search_path = 'evil'",
  "ALTER ROLE ALL SET search_path = 'evil'",
  "ALTER ROLE bank_root IN DATABASE bank SET role = 'postgres'",
  "ALTER DATABASE bank SET search_path = 'evil'",
  'ALTER DATABASE bank SET standard_conforming_strings = off',
  'ALTER DATABASE bank CONNECTION LIMIT 0',
  'ALTER DATABASE bank RENAME TO other',
  "ALTER USER bank_root PASSWORD 'mine'",
  'ALTER ROLE CURRENT_USER WITH PASSWORD NULL',
  'CREATE ROLE mine SUPERUSER LOGIN',
  "CREATE USER mine PASSWORD 'mine'",
  'DROP ROLE IF EXISTS bank_root',
  'GRANT ALL ON customers TO PUBLIC',
  'GRANT pg_read_server_files TO bank_root',
  'REVOKE ALL ON customers FROM bank_root',
  'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC',
  'REASSIGN OWNED BY bank_root TO postgres',
  'DROP OWNED BY bank_root',
  'ALTER TABLE customers OWNER TO postgres',
  'ALTER TABLE filtered DISABLE ROW LEVEL SECURITY',
  'SET ROLE postgres',
  "SET ROLE 'postgres'",
  'SET LOCAL ROLE postgres',
  'SET SESSION AUTHORIZATION postgres',
  'BEGIN; SET LOCAL SESSION AUTHORIZATION postgres; COMMIT',
  "SELECT set_config('role', 'postgres', false)",
  "SELECT set_config('session_authorization', 'postgres', true)",
  'SET session_replication_role = replica',
  'SET row_security = off',
  'SET allow_system_table_mods = on',
  "SET session_preload_libraries = 'x'",
  "SET dynamic_library_path = '/tmp'",
  'SET log_min_messages = debug5',
  'SET debug_print_parse = on',
  'SET zero_damaged_pages = on',
  "SET my.own = 'x'",
  "SET TRANSACTION SNAPSHOT '00000003-0000001B-1'",
  "PREPARE TRANSACTION 'x'",
  "BEGIN; SELECT 1; PREPARE TRANSACTION 'x'",
  "COMMIT PREPARED 'x'",
  'CREATE DATABASE mine',
  'CREATE DATABASE mine TEMPLATE bank',
  'DROP DATABASE IF EXISTS postgres',
  'LISTEN c',
  "NOTIFY c, 'x'",
  "COMMENT ON TABLE customers IS 'x'",
  "SECURITY LABEL ON TABLE customers IS 'x'",
]

t.test('files, programs and libraries cannot be reached', async (t) => {
  for (const text of FILES_AND_PROGRAMS) await refused(t, siege, text)
})

t.test('other servers cannot be reached', async (t) => {
  for (const text of OTHER_SERVERS) await refused(t, siege, text)
})

t.test('roles, rights, other sessions and the configuration stay as they are', async (t) => {
  for (const text of ROLES_AND_CONFIGURATION) await refused(t, siege, text)
})

t.test('the password in a refused statement is not kept', async (t) => {
  await refused(t, siege, "ALTER ROLE bank_root PASSWORD 'KEEP-THIS-OUT'")
  await refused(t, siege, 'CREATE ROLE mine LOGIN PASSWORD $pw$KEEP-THIS-OUT$pw$')
  await refused(t, siege, "SELECT 1; ALTER USER bank_root WITH ENCRYPTED PASSWORD U&'\\004b\\0045EP-THIS-OUT'")
  await refused(t, siege, "ALTER ROLE bank_root PASSWORD 'KEEP-THIS-OUT' AND SO ON")
  await refused(t, siege, 'ALTER ROLE bank_root PASSWORD $pw$KEEP-THIS-OUT$pw')
  await refused(t, siege, "CREATE SUBSCRIPTION s CONNECTION 'password=KEEP-THIS-OUT' PUBLICATION p")
  await refused(t, siege, "ALTER SYSTEM SET primary_conninfo = 'password=KEEP-THIS-OUT'")
  await refused(t, siege, "ALTER DATABASE bank SET app.jwt_secret = 'KEEP-THIS-OUT'")
  await refused(t, siege, "ALTER ROLE bank_root IN DATABASE bank SET app.key TO 'KEEP-THIS-OUT'")
  await refused(t, siege, "CREATE FOREIGN DATA WRAPPER w OPTIONS (token 'KEEP-THIS-OUT')")
  await refused(t, siege, "IMPORT FOREIGN SCHEMA s FROM SERVER x INTO public OPTIONS (password 'KEEP-THIS-OUT')")
  t.notOk(siege.journal().includes('KEEP-THIS-OUT'), 'the journal does not hold it')
  t.notOk(siege.log().includes('KEEP-THIS-OUT'), 'nor does the log')
})
