/** What is asked of a server to know its names. Every answer is text; nothing of an agent's is ever part of a query. */

import { FIRST_USER_OID } from '../catalogue.ts'

/** Relations that a query can name; indexes are known by name only, temporary ones are other sessions'. */
const NAMED = `('r', 'p', 'v', 'm', 'f', 'S', 't', 'c')`
/** Those of them whose columns are somebody's choice. */
const WITH_COLUMNS = `('r', 'p', 'v', 'm', 'f', 'c')`
/** The type `internal`, which no SQL has a value of. */
const INTERNAL = `'pg_catalog.internal'::pg_catalog.regtype::oid`
const LASTING = `c.relpersistence <> 't'`

/** The oldest transaction that is still running: what it and later ones write may not be seen yet. */
export const HORIZON = `
  SELECT (pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::numeric % 4294967296)::text`

/**
 * One row that is another one whenever a name may mean something else: how many rows each catalog has, and which
 * transactions have written those that are not older than the horizon. Also what the role may use of the path: the
 * server leaves other schemas out.
 */
export function probe(path: readonly string[], horizon: string): string {
  if (!/^\d+$/.test(horizon)) throw new Error('a transaction id is a number')
  const written = (from: string, key: string) =>
    `(SELECT concat(count(*), ':', sum(${key} * (t.xmin::text::int8 % 1000003 + 7))
        FILTER (WHERE pg_catalog.age(t.xmin) <= pg_catalog.age('${horizon}'::xid))) FROM ${from})`
  return `SELECT ${[
    written('pg_catalog.pg_namespace t', 't.oid::int8'),
    written(`pg_catalog.pg_class t WHERE t.relpersistence <> 't' AND t.relkind IN ${NAMED}`, 't.oid::int8'),
    written(
      `pg_catalog.pg_attribute t JOIN pg_catalog.pg_class c ON c.oid = t.attrelid
        WHERE t.attnum > 0 AND ${LASTING} AND c.relkind IN ${WITH_COLUMNS}`,
      '(t.attrelid::int8 * 2000 + t.attnum)',
    ),
    written('pg_catalog.pg_inherits t', '(t.inhrelid::int8 + 3 * t.inhparent::int8)'),
    written('pg_catalog.pg_rewrite t', 't.oid::int8'),
    written('pg_catalog.pg_constraint t', 't.oid::int8'),
    written('pg_catalog.pg_attrdef t', 't.oid::int8'),
    written('pg_catalog.pg_index t', 't.indexrelid::int8'),
    written('pg_catalog.pg_policy t', 't.oid::int8'),
    written('pg_catalog.pg_cast t', 't.oid::int8'),
    written('pg_catalog.pg_trigger t WHERE NOT t.tgisinternal', 't.oid::int8'),
    written('pg_catalog.pg_event_trigger t', 't.oid::int8'),
    written('pg_catalog.pg_amproc t', 't.oid::int8'),
    written('pg_catalog.pg_amop t', 't.oid::int8'),
    written('pg_catalog.pg_proc t', 't.oid::int8'),
    written(MEMBERS, 't.objid::int8'),
    written('pg_catalog.pg_operator t', 't.oid::int8'),
    written(`pg_catalog.pg_type t WHERE t.typtype <> 'c'`, 't.oid::int8'),
    `(${searchPath(path)})`,
  ].join(', ')}`
}

/** The schemas of the path that the role may use, in the path's order, as one JSON array. */
export function searchPath(path: readonly string[]): string {
  const names = path.map((name) => `'${name.replaceAll("'", "''")}'`).join(', ')
  return `SELECT coalesce(json_agg(p.name ORDER BY p.at), '[]')::text
    FROM unnest(ARRAY[${names}]::text[]) WITH ORDINALITY AS p (name, at)
    JOIN pg_catalog.pg_namespace n ON n.nspname = p.name
   WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE')`
}

export const VERSION = `SELECT pg_catalog.current_setting('server_version_num')`

/** oid, schema, name, relkind */
export const RELATIONS = `
  SELECT c.oid, n.nspname, c.relname, c.relkind
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE ${LASTING} AND (c.relkind IN ${NAMED} OR c.oid >= ${FIRST_USER_OID}) ORDER BY c.oid`

/** relation, name, number, type, whether it is never NULL; by relation and number */
export const COLUMNS = `
  SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.attnotnull
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
   WHERE a.attnum > 0 AND NOT a.attisdropped AND ${LASTING} AND c.relkind IN ${WITH_COLUMNS}
   ORDER BY a.attrelid, a.attnum`

/** child, parent */
export const INHERITANCE = `
  SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits ORDER BY inhrelid, inhseqno`

/**
 * relation, and one that its rules read. From the rules themselves: what they read of the system's own tables is in no
 * pg_depend.
 */
export const RULE_READS = `
  SELECT DISTINCT r.ev_class, m.found[1]
    FROM pg_catalog.pg_rewrite r,
         pg_catalog.regexp_matches(r.ev_action::text || r.ev_qual::text, ':relid ([0-9]+)', 'g') AS m (found)
   WHERE m.found[1] <> '0' ORDER BY 1, 2`

/** Relations that have rules besides a view's own. */
export const RULED = `SELECT DISTINCT ev_class FROM pg_catalog.pg_rewrite WHERE ev_type <> '1' ORDER BY 1`

/** Relations that have triggers of users; those of foreign keys are internal. */
export const TRIGGERED = `
  SELECT DISTINCT tgrelid FROM pg_catalog.pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D' ORDER BY 1`

/** One row where schema changes run code of users. */
export const EVENT_TRIGGERS = `SELECT 1 FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D' LIMIT 1`

/** relation, number of a column that is computed, and of one that it is computed from */
export const COMPUTED = `
  SELECT DISTINCT attrelid, attnum, m.found[1]
    FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_attrdef ON adrelid = attrelid AND adnum = attnum,
         pg_catalog.regexp_matches(adbin::text, ':varattno ([1-9][0-9]*)', 'g') AS m (found)
   WHERE attgenerated <> '' ORDER BY 1, 2, 3`

const COMPARING = `(indisunique OR indisexclusion) AND indrelid >= ${FIRST_USER_OID}`

/**
 * relation, and numbers of columns that a unique or exclusion constraint compares, in an expression too; 0 is none. Nothing is cast
 * from text: somebody could have made that cast.
 */
export const COMPARED = `
  SELECT indrelid, array_to_string((indkey::int2[])[0:indnkeyatts - 1], ' ') FROM pg_catalog.pg_index WHERE ${COMPARING}
  UNION
  SELECT indrelid, m.found[1]
    FROM pg_catalog.pg_index, pg_catalog.regexp_matches(
         concat(indexprs::text, indpred::text), ':varattno ([1-9][0-9]*)', 'g') AS m (found)
   WHERE ${COMPARING} ORDER BY 1, 2`

/** relation, number of a column of a foreign key, relation and number of the column that it refers to */
export const REFERENCES = `
  SELECT conrelid, k.own, confrelid, k.theirs
    FROM pg_catalog.pg_constraint, LATERAL unnest(conkey, confkey) AS k (own, theirs)
   WHERE contype = 'f' ORDER BY oid, 2`

/** referred relation, referring relation, ON DELETE, ON UPDATE, referred columns; those that do something. */
export const CASCADES = `
  SELECT confrelid, conrelid, confdeltype, confupdtype, array_to_string(confkey, ' ')
    FROM pg_catalog.pg_constraint
   WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd')) ORDER BY oid`

/** Toast table or index of users, and the relation whose rows it holds. */
export const STORES = `
  SELECT reltoastrelid, oid FROM pg_catalog.pg_class c WHERE reltoastrelid <> 0 AND ${LASTING}
  UNION ALL
  SELECT indexrelid, indrelid FROM pg_catalog.pg_index JOIN pg_catalog.pg_class c ON c.oid = indrelid
   WHERE indexrelid >= ${FIRST_USER_OID} AND ${LASTING} ORDER BY 1`

/** The functions of an expression as the catalogs keep it, and the types that something becomes in it. */
const CALLED = `':(funcid|opfuncid|aggfnoid|winfnoid|resulttype) ([1-9][0-9]*)', 'g'`
const USERS = `>= ${FIRST_USER_OID}`

/** What somebody has made by hand: extensions that nobody has reviewed compare values of their types as they also read and write them. */
const HANDMADE = (routine: string) => `${routine}::oid ${USERS} AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
  WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.objid = ${routine}::oid AND e.deptype = 'e')`

/** What runs unseen: `shows`, `writes`, `checks`, `type` or `compares`; the relation or type; whether it is a function or a type; its OID. */
export const CALLS = `
  SELECT DISTINCT e.place, e.owner, m.found[1] = 'resulttype', m.found[2]
    FROM (
      SELECT 'shows', ev_class, ev_action::text || ev_qual::text FROM pg_catalog.pg_rewrite WHERE ev_type = '1'
      UNION ALL
      SELECT p.place, polrelid, concat(polqual::text, polwithcheck::text)
        FROM pg_catalog.pg_policy JOIN pg_catalog.pg_class c ON c.oid = polrelid AND c.relrowsecurity,
             (VALUES ('shows'), ('writes')) AS p (place)
      UNION ALL SELECT 'writes', adrelid, adbin::text FROM pg_catalog.pg_attrdef
      UNION ALL SELECT 'writes', conrelid, conbin::text FROM pg_catalog.pg_constraint WHERE contype = 'c' AND conrelid <> 0
      UNION ALL SELECT 'writes', indrelid, concat(indexprs::text, indpred::text) FROM pg_catalog.pg_index
      UNION ALL SELECT 'writes', partrelid, partexprs::text FROM pg_catalog.pg_partitioned_table
      UNION ALL SELECT 'type', contypid, conbin::text FROM pg_catalog.pg_constraint WHERE contypid <> 0
      UNION ALL SELECT 'writes', attrelid, typdefaultbin::text
        FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_type t ON t.oid = atttypid
       WHERE typdefaultbin IS NOT NULL AND attnum > 0 AND NOT attisdropped
      UNION ALL SELECT 'compares', opcintype, concat(':funcid ', amproc::oid::text)
        FROM pg_catalog.pg_opclass JOIN pg_catalog.pg_amproc ON amprocfamily = opcfamily WHERE ${HANDMADE('amproc')}
      UNION ALL SELECT 'compares', opcintype, concat(':funcid ', oprcode::oid::text)
        FROM pg_catalog.pg_opclass JOIN pg_catalog.pg_amop ON amopfamily = opcfamily
        JOIN pg_catalog.pg_operator o ON o.oid = amopopr WHERE ${HANDMADE('oprcode')}
      UNION ALL SELECT 'checks', attrelid, concat(':resulttype ', atttypid::text)
        FROM pg_catalog.pg_attribute WHERE attnum > 0 AND NOT attisdropped AND atttypid ${USERS}
    ) AS e (place, owner, text), pg_catalog.regexp_matches(e.text, ${CALLED}) AS m (found)
   WHERE e.owner ${USERS} AND (m.found[1] <> 'resulttype' OR m.found[2]::oid ${USERS})
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = e.owner AND c.relpersistence = 't')
   ORDER BY 1, 2, 3, 4`

/** source type, target type, context, function; of those that functions of users make */
export const CASTS = `
  SELECT castsource, casttarget, castcontext, castfunc FROM pg_catalog.pg_cast WHERE castfunc ${USERS} ORDER BY oid`

/** type, and one that its values are made of. */
export const TYPE_PARTS = `
  SELECT t.oid, e.part
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace,
         LATERAL (VALUES (t.typbasetype), (t.typelem)) AS e (part)
   WHERE e.part ${USERS} AND n.nspname !~ '^pg_(temp|toast)'
  UNION SELECT rngtypid, rngsubtype FROM pg_catalog.pg_range WHERE rngsubtype ${USERS}
  UNION SELECT c.reltype, a.atttypid
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
   WHERE a.attnum > 0 AND NOT a.attisdropped AND a.atttypid ${USERS} AND c.reltype <> 0 AND ${LASTING}
   ORDER BY 1, 2`

/** Extension and member: what CREATE EXTENSION has made, or its owner has added. */
const MEMBERS = `pg_catalog.pg_depend t
  WHERE t.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND t.deptype = 'e'`

/**
 * oid, schema, name, arguments, defaults, variadic, returns a set, kind; then its provenance: extension, volatility,
 * SECURITY DEFINER, language, whether it takes or gives internal values, and of an aggregate what it is made of.
 */
export const FUNCTIONS = `
  SELECT p.oid, n.nspname, p.proname, p.proargtypes::text, p.pronargdefaults, p.provariadic <> 0, p.proretset, p.prokind,
         e.extname, p.provolatile, p.prosecdef, l.lanname,
         p.prorettype = ${INTERNAL} OR p.proargtypes::oid[] && ARRAY[${INTERNAL}],
         pg_catalog.concat_ws(' ', aggtransfn::oid, aggfinalfn::oid, aggcombinefn::oid, aggserialfn::oid,
           aggdeserialfn::oid, aggmtransfn::oid, aggminvtransfn::oid, aggmfinalfn::oid)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid
    LEFT JOIN (SELECT t.objid, t.refobjid FROM ${MEMBERS} AND t.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass) d
      ON d.objid = p.oid
    LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
   WHERE p.oid >= ${FIRST_USER_OID} ORDER BY p.oid`

/** schema, name, function */
export const OPERATORS = `
  SELECT n.nspname, o.oprname, o.oprcode::oid
    FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
   WHERE o.oid >= ${FIRST_USER_OID} AND o.oprcode <> 0 ORDER BY o.oid`

/** oid, schema, name, type under a domain */
export const TYPES = `
  SELECT t.oid, n.nspname, t.typname, t.typbasetype
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
   WHERE n.nspname !~ '^pg_(temp|toast)' ORDER BY t.oid`
