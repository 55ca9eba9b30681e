/** Texts that a gate could read otherwise than the server does, and names that could come to mean something else. */
import t from 'tap'
import {
  encodeBind,
  encodeExecute,
  encodeParse,
  encodeQuery,
  encodeStartup,
  encodeSync,
  PROTOCOL_3_0,
} from '../../src/protocols/postgres/messages.ts'
import { shown, WireClient } from '../support/wire.ts'
import { DATABASE } from './bank.ts'
import { besiege, bind, codes, keepsSecrets, MASKED, refused, send, STARTER, WAYS } from './siege.ts'

const siege = await besiege(t, STARTER, {
  more: 'CREATE SCHEMA later; CREATE TABLE later.spare (note text); INSERT INTO later.spare VALUES (1);',
})

/** The same DELETE, dressed up. */
const DISGUISES = [
  'dElEtE fRoM order_items',
  'DELETE/**/FROM/**/order_items',
  'DELETE -- SELECT\nFROM order_items',
  'DELETE --\rFROM order_items',
  '/* /* nested */ SELECT 1; */ DELETE FROM order_items',
  "/* ' */ DELETE FROM order_items /* ' */",
  "SELECT '/*'; DELETE FROM order_items; SELECT '*/'",
  "SELECT E'\\'; SELECT 1; --'; DELETE FROM order_items",
  "SELECT '\\'; DELETE FROM order_items; --'",
  "SELECT E'\\\\'; DELETE FROM order_items; --'",
  "SELECT U&'\\0027'; DELETE FROM order_items; --'",
  "SELECT U&'!0027' UESCAPE '!'; DELETE FROM order_items",
  'DELETE FROM U&"order\\005fitems"',
  'DELETE FROM U&"order!005fitems" UESCAPE \'!\'',
  'DELETE FROM U&"\\+00006frder_items"',
  'SELECT U&"wip!0065" UESCAPE \'!\' ()',
  'SELECT $$ $$; DELETE FROM order_items',
  'SELECT $a$ $b$ $$ $b$; $a$; DELETE FROM order_items',
  'SELECT $ä$ $a$; DELETE FROM order_items; $ä$; DELETE FROM order_items; --$a$',
  "SELECT 'a'\n'b'; DELETE FROM order_items",
  "SELECT B'1', X'1f', N'x'; DELETE FROM order_items",
  'SELECT 1\u00a0; DELETE FROM order_items',
  'DELETE\u00a0FROM order_items',
  'DELETE\u2003FROM order_items',
  'DELETE\u200bFROM order_items',
  '\ufeffDELETE FROM order_items',
  'ＤＥＬＥＴＥ FROM order_items',
  'DELETE FROM оrder_items',
  'DELETE\vFROM\forder_items',
  'SELECT 1;;;;DELETE FROM order_items;;',
  ';DELETE FROM order_items',
  'SELECT 1 AS "a;b"; DELETE FROM order_items',
  'SELECT 1 AS "a""; --"; DELETE FROM order_items',
  'SELECT "wipe"/**/()',
  'SELECT public . wipe ( )',
  'SELECT bank.public.wipe()',
  'SELECT 1::"label"; DELETE FROM order_items',
  `SELECT ${'('.repeat(2000)}1${')'.repeat(2000)}; DELETE FROM order_items`,
  `SELECT ${'1+'.repeat(20_000)}1; DELETE FROM order_items`,
  `SELECT '${'x'.repeat(300_000)}'; DELETE FROM order_items`,
  `${'SELECT 1;'.repeat(100)}DELETE FROM order_items`,
  `SELECT 1 ${'/*'.repeat(500)}${'*/'.repeat(500)}; DELETE FROM order_items`,
  `${' '.repeat(100_000)}DELETE FROM order_items`,
]

t.test('a statement is the same statement however it is written', async (t) => {
  for (const text of DISGUISES) {
    for (const [way, frames] of Object.entries(WAYS)) {
      const { answers, shown: told } = await send(siege, frames(text))
      t.match(told, /^E\(\w+\) Z\(I\)$/, `${way}: ${text.slice(0, 60)}`)
      t.match(codes(answers)[0], /^[a-z]+[.]/, 'the gate says so itself')
      t.same(await siege.watch.changes(), [], `${way}: nothing has changed`)
    }
  }
})

t.test('bytes that are no UTF-8 are refused, whatever they would mean in another encoding', async (t) => {
  const raw = (bytes: Buffer) => {
    const frame = encodeQuery(' '.repeat(bytes.length))
    bytes.copy(frame, 5)
    return frame
  }
  const attempts = [
    Buffer.from([...Buffer.from("SELECT '"), 0xbf, 0x5c, ...Buffer.from("'; DELETE FROM order_items; --'")]),
    Buffer.from([...Buffer.from("SELECT '"), 0xc0, 0xa7, ...Buffer.from("; DELETE FROM order_items; --'")]),
    Buffer.from([...Buffer.from("SELECT '"), 0xe0, 0x80, 0xa7, ...Buffer.from("'")]),
    Buffer.from([...Buffer.from("SELECT '"), 0xed, 0xa0, 0x80, ...Buffer.from("'")]),
    Buffer.from([...Buffer.from("SELECT '"), 0xff, ...Buffer.from("'")]),
    Buffer.from('SELECT 1;\0DELETE FROM order_items'),
  ]
  for (const attempt of attempts) {
    const agent = await siege.agent()
    agent.send(raw(attempt))
    t.match(shown(await agent.ready()), /^E\((08P01|42601|22021)\)/, attempt.toString('latin1'))
    agent.close()
    t.same(await siege.watch.changes(), [])
  }
})

t.test(
  'names of a database in another encoding are not confused, however the server cuts and folds them',
  async (t) => {
    const latin = await besiege(t, MASKED, { encoding: 'LATIN1' })
    const name = 'é'.repeat(40)
    const agent = await latin.agent()
    // Beyond 63 bytes of UTF-8 they are the same; as LATIN1 they are not that long.
    for (const text of [
      `PREPARE "${name}a" AS SELECT ssn FROM customers`,
      `PREPARE "${name}b" AS SELECT 'harmless'`,
      `EXECUTE "${name}a"`,
      "SELECT 'é'",
    ]) {
      t.match(shown(await agent.query(text)), /^E\(0A000\) Z\(I\)$/, text)
    }
    const secret = encodeParse(`${name}a`, 'SELECT ssn FROM customers')
    const harmless = encodeParse(`${name}b`, "SELECT 'harmless'")
    for (const frames of [
      [secret, encodeSync(), harmless, encodeSync(), bind(`${name}a`), encodeExecute(''), encodeSync()],
      [encodeParse('s', "SELECT 'harmless'"), bind('s', `${name}b`), encodeExecute(`${name}b`), encodeSync()],
    ]) {
      agent.send(...frames)
      for (const frame of frames)
        if (frame.equals(encodeSync())) t.match(shown(await agent.ready()), /E\(\w+\) Z\(I\)$/)
    }
    agent.send(encodeParse('', 'SELECT $1::text'), bind('', '', ['é']), encodeExecute(''), encodeSync())
    t.equal(shown(await agent.ready()), '1 2 D(é) C(SELECT 1) Z(I)', 'a parameter may be any text')
    t.match(shown(await agent.query('SELECT name, ssn FROM customers')), /D\(Ada Palmer,\[sidegate:masked\]\)/)
    keepsSecrets(t, agent.answers)
    agent.close()
  },
)

t.test('the settings by which text and names are read cannot be changed, in any way', async (t) => {
  for (const text of [
    "SET client_encoding = 'SJIS'",
    "SET NAMES 'GBK'",
    'SET client_encoding TO SQL_ASCII',
    'SET standard_conforming_strings = off',
    'SET LOCAL standard_conforming_strings TO off',
    'SET "standard_conforming_strings" = off',
    'SET Standard_Conforming_Strings = 0',
    "SET backslash_quote = 'on'",
    'SET search_path = evil, public',
    "SET search_path = '$user'",
    'SET search_path TO DEFAULT; SET search_path = pg_temp, public',
    "SET SCHEMA 'evil'",
    'SET LOCAL search_path = evil',
    'SET escape_string_warning = off',
    'SET transform_null_equals = on',
    "SELECT set_config('client_encoding', 'SJIS', false)",
    "SELECT set_config('Standard_Conforming_Strings', 'off', true)",
    "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'standard_conforming_strings'",
    "SELECT set_config('search_' || 'path', 'evil', false)",
    "SELECT * FROM set_config('search_path', 'evil', false)",
    "WITH s AS (SELECT set_config('search_path', 'evil', false)) SELECT * FROM s",
    "BEGIN; SET LOCAL client_encoding = 'LATIN1'; COMMIT",
    "UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'",
    "UPDATE pg_catalog.pg_settings s SET setting = 'evil' WHERE s.name = 'search_path'",
    "SELECT set_config('search_path', (SELECT 'evil'), false)",
    "SELECT set_config('search_path', $1, false)",
    'SET TIME ZONE DEFAULT; SET search_path = evil',
    'CREATE SCHEMA evil CREATE TABLE orders (id int)',
    'CREATE TEMP TABLE orders (id int)',
    'CREATE TEMP VIEW orders AS SELECT 1',
    'CREATE TABLE pg_temp.orders (id int)',
    'ALTER TABLE orders RENAME TO old_orders',
    'ALTER TABLE customers SET SCHEMA pg_temp',
    "CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE sql RETURN 'x'",
    'SELECT pg_temp.lower(1)',
  ]) {
    await refused(t, siege, text)
  }
})

t.test('nor in the same packet as what would be read by them, nor by rolling back', async (t) => {
  const smuggled = "SELECT '\\'; DELETE FROM order_items; --'"
  const agent = await siege.agent()
  agent.send(
    encodeParse('', 'SET standard_conforming_strings = off'),
    bind(),
    encodeExecute(''),
    encodeParse('', smuggled),
    bind(),
    encodeExecute(''),
    encodeSync(),
  )
  t.match(shown(await agent.ready()), /^E\(\w+\) Z\(I\)$/)
  agent.send(
    encodeQuery('BEGIN; SAVEPOINT s'),
    encodeQuery('ROLLBACK TO s; RESET standard_conforming_strings; RESET ALL'),
    encodeQuery('COMMIT; DISCARD ALL'),
  )
  for (let round = 0; round < 3; round++) await agent.ready()
  for (const name of ['standard_conforming_strings', 'client_encoding', 'search_path']) {
    const row = (await agent.query(`SHOW ${name}`)).find(({ type }) => type === 'D')
    t.match(row?.values?.[0], /^(on|UTF8|"?public"?, "?pg_temp"?)$/, name)
  }
  t.same(await siege.watch.changes(), [])
  agent.close()
})

t.test('the start-up message brings no setting but harmless ones', async (t) => {
  const attempts: [string, string][][] = [
    [['search_path', 'evil']],
    [['Search_Path', 'pg_temp']],
    [['client_encoding', 'SJIS']],
    [['standard_conforming_strings', 'off']],
    [['session_replication_role', 'replica']],
    [['role', 'postgres']],
    [['session_authorization', 'postgres']],
    [['replication', 'database']],
    [['replication', 'true']],
    [['replication', 'false']],
    [['session_preload_libraries', 'x']],
    [['local_preload_libraries', 'x']],
    [['log_statement', 'all']],
    [['row_security', 'off']],
    [['my.own', 'x']],
    [['options', '-c search_path=evil']],
    [['options', '-csearch_path=evil']],
    [['options', '--search_path=evil']],
    [['options', '--search-path=evil']],
    [['options', '-c search\\_path=evil']],
    [['options', '-c role=postgres']],
    [['options', '-d 5']],
    [['options', '-f s']],
    [['options', '-O']],
    [['options', '-P']],
    [['options', '-r /tmp/x']],
    [['options', '-c standard_conforming_strings=off -c standard_conforming_strings=on']],
    [['user', 'postgres']],
    [['database', 'postgres']],
    [['DATABASE', 'postgres']],
    [
      ['DateStyle', 'ISO'],
      ['datestyle', 'German'],
    ],
  ]
  for (const more of attempts) {
    const agent = await WireClient.open(siege.port)
    agent.send(encodeStartup(PROTOCOL_3_0, [['user', 'agent'], ['database', DATABASE], ...more]))
    const told = await agent.ready()
    t.match(shown(told), /^E\(\w+\)$/, JSON.stringify(more))
    t.notMatch(shown(told), /Z/)
    agent.close()
  }
})

t.test('a name that comes to mean something else between Parse and Execute is judged again', async (t) => {
  const agent = await siege.agent()
  agent.send(encodeParse('s', 'SELECT note FROM later.spare'), encodeSync())
  t.equal(shown(await agent.ready()), '1 Z(I)')
  agent.send(bind('s'), encodeExecute(''), encodeSync())
  t.equal(shown(await agent.ready()), '2 D(1) C(SELECT 1) Z(I)')
  t.equal(shown(await agent.query('PREPARE q AS SELECT note FROM later.spare')), 'C(PREPARE) Z(I)')
  await siege.sql(
    'ALTER TABLE later.spare RENAME TO spare_old; CREATE VIEW later.spare AS SELECT wipe()::text || ssn AS note FROM customers',
  )
  await siege.watch.accept()
  // A name that nobody knows makes the gate look at the catalogs; so does time.
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  await agent.query('SELECT * FROM nothing_of_that_name')
  agent.send(bind('s'), encodeExecute(''), encodeSync())
  t.match(shown(await agent.ready()), /^E\(\w+\) Z\(I\)$/)
  t.match(shown(await agent.query('EXECUTE q')), /^E\(\w+\) Z\(I\)$/)
  keepsSecrets(t, agent.answers)
  t.same(await siege.watch.changes(), [])
  agent.close()
})

t.test(
  'SQL in a parameter stays a value, and a function that would run it is refused before it is bound',
  async (t) => {
    for (const text of [
      'SELECT query_to_xml($1, true, true, $2)',
      'SELECT ts_stat($1)',
      'SELECT run_sql($1)',
      'SELECT dblink($1)',
      'SELECT pg_read_file($1)',
      'SELECT set_config($1, $2, false)',
      'SELECT table_to_xml($1, true, true, $2)',
      'SELECT nextval($1)',
      'SELECT lo_export($1, $2)',
      'SELECT pg_terminate_backend($1)',
      'DELETE FROM order_items WHERE $1',
      'DELETE FROM order_items WHERE $1 = $2',
      'UPDATE order_items SET item = $1',
    ]) {
      const { answers, shown: told } = await send(siege, [
        encodeParse('', text),
        bind('', '', ['DELETE FROM order_items RETURNING 1', 'x']),
        encodeExecute(''),
        encodeSync(),
      ])
      t.match(told, /^E\(\w+\) Z\(I\)$/, text)
      t.match(codes(answers)[0], /^[a-z]+[.]/)
    }
    const harmless = await send(siege, [
      encodeParse('', 'SELECT $1::text, $2::regclass::text'),
      encodeBind({
        portal: '',
        statement: '',
        parameterFormats: [0],
        parameters: [Buffer.from("'; DELETE FROM order_items; --"), Buffer.from('orders')],
        resultFormats: [],
      }),
      encodeExecute(''),
      encodeSync(),
    ])
    t.match(harmless.shown, /^1 2 D\('; DELETE FROM order_items; --,orders\) C/)
    t.same(await siege.watch.changes(), [])
  },
)

t.test('a parameter of a type whose checks run code is refused', async (t) => {
  const [row] = await siege.sql(`SELECT 'label'::regtype::oid::int AS oid, 'label[]'::regtype::oid::int AS list`)
  for (const oid of [Number(row?.['oid']), Number(row?.['list'])]) {
    const told = await send(siege, [
      encodeParse('', 'SELECT $1', [oid]),
      bind('', '', ['{x}']),
      encodeExecute(''),
      encodeSync(),
    ])
    t.match(told.shown, /^E\(\w+\) Z\(I\)$/)
    t.same(await siege.watch.changes(), [])
  }
})
