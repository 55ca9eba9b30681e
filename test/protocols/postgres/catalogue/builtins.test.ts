import pg from 'pg'
import t from 'tap'
import { builtinsOf } from '../../../../src/protocols/postgres/catalogue/builtins.ts'
import { FUNCTIONS, RELATIONS, type ServerFunction, type ServerRelation } from '../../../../tools/catalogs/servers.ts'
import { Review } from '../../../../tools/catalogs/review.ts'
import { POSTGRES_VERSIONS, startPostgres } from '../../../support/postgres.ts'

for (const version of POSTGRES_VERSIONS) {
  void t.test(`everything that PostgreSQL ${version} brings is classified, as it was reviewed`, async (t) => {
    const server = await startPostgres({ version })
    t.teardown(() => server.stop())
    const client = new pg.Client(server.connection())
    await client.connect()
    t.teardown(() => client.end())
    const { functions, relations, functionsByOid } = builtinsOf(version * 10_000)
    const review = new Review()
    const theirs = await client.query<ServerFunction>(FUNCTIONS)
    for (const row of theirs.rows) {
      const overloads = functions.get(`${row.schema}.${row.name}`) ?? []
      const entry = overloads.find((each) => each.arguments.join(' ') === row.arguments)
      const identity = `${row.name}(${row.types})`
      if (entry === undefined) t.fail(`${identity} is missing`)
      else if (entry.class !== review.functionClass(row)) t.fail(`${identity} is ${entry.class}`)
      else if (entry.defaults !== row.defaults || entry.variadic !== row.variadic) t.fail(`${identity} takes others`)
    }
    const known = [...functions.values()].reduce((sum, overloads) => sum + overloads.length, 0)
    t.equal(known, theirs.rows.length, 'and nothing else is')
    const others = await client.query<ServerRelation>(RELATIONS)
    for (const row of others.rows) {
      const its = relations.get(`${row.schema}.${row.name}`)
      if (its !== review.relationClass(row)) t.fail(`${row.schema}.${row.name} is ${its}`)
    }
    t.equal(relations.size, others.rows.length)
    const operators = await client.query<{ oid: number; name: string }>(
      'SELECT DISTINCT o.oprcode::oid::int AS oid, o.oprname AS name FROM pg_operator o',
    )
    const impure = operators.rows.filter(({ oid }) => functionsByOid.get(oid)?.class !== 'pure')
    t.same(impure, [], 'operators need no judgement of their own')
    // What reads values of types that are made of others is judged by these: called by name, it takes any type.
    const casts = await client.query<{ oid: number }>(
      `SELECT castfunc::int AS oid FROM pg_cast WHERE castfunc <> 0
        UNION SELECT unnest(ARRAY[typinput, typoutput]::oid[])::int FROM pg_type WHERE typtype <> 'p'
       EXCEPT SELECT oid::int FROM pg_proc WHERE proname ~ '^(array|domain|record|range|multirange)_in$'`,
    )
    t.same(
      casts.rows.filter(({ oid }) => functionsByOid.get(oid)?.class !== 'pure'),
      [],
      'nor do casts',
    )
  })
}

void t.test('what is known to be dangerous is never called pure or open', async (t) => {
  const dangerous =
    /sleep|_file|_dir$|^lo_|lowrite|loread|^dblink|_to_xml|backend$|^pg_(notify|promote|reload_conf|switch_wal|export_snapshot)|^(nextval|setval|set_config|setseed|currval)$|^pg_(try_)?advisory|replication_slot$|_slot_(get|peek)|^pg_stat_reset|^binary_upgrade|^pg_stat_get_(activity|backend_activity)$|^ts_stat$/
  const secretive =
    /authid|shadow|user_mapping(s|_options)?$|^pg_subscription$|file|statistic$|stats|_activity|largeobject$|prepared_statements/
  const harmless =
    /filenode|^pg_relation_filepath$|^pg_walfile|^pg_split_walfile|^pg_stat_get_(buf_|db_|replication_slot$)/
  const open = new Set(['user_mappings', 'pg_stat_subscription_stats'])
  for (const version of POSTGRES_VERSIONS) {
    const { functions, relations } = builtinsOf(version * 10_000)
    let judged = 0
    for (const overloads of functions.values()) {
      for (const { name, arguments: types, class: its } of overloads) {
        if (!dangerous.test(name) || harmless.test(name)) continue
        judged += 1
        t.not(its, 'pure', `${name}(${types.join(', ')}) of ${version}`)
      }
    }
    t.ok(judged > 100, `${judged} of ${version}`)
    for (const [path, its] of relations) {
      const name = path.slice(path.indexOf('.') + 1)
      if (secretive.test(name) && !open.has(name)) t.not(its, 'open', `${path} of ${version}`)
    }
  }
})

void t.test(
  'a server that is newer or older than the data gets the nearest, and unknown names stay unknown',
  async (t) => {
    t.equal(builtinsOf(190_000), builtinsOf(180_004))
    t.equal(builtinsOf(130_000), builtinsOf(140_020))
    t.not(builtinsOf(140_000), builtinsOf(150_000))
    t.equal(builtinsOf(180_000).functions.get('pg_catalog.of_the_future'), undefined)
    t.equal(builtinsOf(140_000).functions.get('pg_catalog.uuidv7'), undefined)
    t.equal(builtinsOf(180_000).functions.get('pg_catalog.uuidv7')?.length, 2)
  },
)
