-- Connection.
SELECT version();
SHOW TRANSACTION ISOLATION LEVEL;
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;
SET extra_float_digits = 3;
SET application_name = 'PostgreSQL JDBC Driver';
SELECT current_schema();
SELECT current_database();
-- DatabaseMetaData.getTables
SELECT current_database() AS "TABLE_CAT", n.nspname AS "TABLE_SCHEM", c.relname AS "TABLE_NAME",
       CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema'
         WHEN true THEN CASE WHEN n.nspname IN ('pg_catalog', 'information_schema')
                             THEN CASE c.relkind WHEN 'r' THEN 'SYSTEM TABLE' WHEN 'v' THEN 'SYSTEM VIEW' ELSE NULL END
                             ELSE NULL END
         WHEN false THEN CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' END
         ELSE NULL END AS "TABLE_TYPE",
       d.description AS "REMARKS", '' AS "TYPE_CAT"
  FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c
  LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass)
 WHERE c.relnamespace = n.oid AND n.nspname LIKE $1 AND c.relname LIKE $2
 ORDER BY "TABLE_TYPE", "TABLE_SCHEM", "TABLE_NAME";
-- DatabaseMetaData.getColumns
SELECT * FROM (
  SELECT current_database() AS current_database, n.nspname, c.relname, a.attname, a.atttypid,
         a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull, a.atttypmod, a.attlen, t.typtypmod,
         row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum,
         nullif(a.attidentity, '') AS attidentity, nullif(a.attgenerated, '') AS attgenerated,
         pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, dsc.description, t.typbasetype, t.typtype
    FROM pg_catalog.pg_namespace n
    JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid)
    JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid)
    JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid)
    LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum)
    LEFT JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)
    LEFT JOIN pg_catalog.pg_class dc ON (dc.oid = dsc.classoid AND dc.relname = 'pg_class')
   WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname LIKE $1) c
 WHERE true AND attname LIKE $2 ORDER BY nspname, c.relname, attnum;
-- DatabaseMetaData.getPrimaryKeys
SELECT r."TABLE_NAME", r."COLUMN_NAME", r."KEY_SEQ", r."PK_NAME"
  FROM (SELECT ct.relname AS "TABLE_NAME", a.attname AS "COLUMN_NAME", ci.relname AS "PK_NAME", a.attnum AS a_attnum,
               (information_schema._pg_expandarray(i.indkey)).n AS "KEY_SEQ",
               information_schema._pg_expandarray(i.indkey) AS keys
          FROM pg_catalog.pg_class ct
          JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid)
          JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid)
          JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid)
          JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid)
         WHERE n.nspname = $1 AND i.indisprimary) r
 WHERE r.a_attnum = (r.keys).x ORDER BY r."TABLE_NAME", r."KEY_SEQ";
-- DatabaseMetaData.getIndexInfo
SELECT tmp.index_name, tmp.ordinal_position,
       trim(both '"' from pg_catalog.pg_get_indexdef(tmp.ci_oid, tmp.ordinal_position, false)) AS column_name,
       CASE tmp.am_name WHEN 'btree' THEN CASE tmp.i_indoption[tmp.ordinal_position - 1] & 1::smallint
                                            WHEN 1 THEN 'D' ELSE 'A' END ELSE NULL END AS asc_or_desc,
       tmp.cardinality, tmp.pages, tmp.filter_condition
  FROM (SELECT ci.relname AS index_name, (information_schema._pg_expandarray(i.indkey)).n AS ordinal_position,
               ci.reltuples AS cardinality, ci.relpages AS pages,
               pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS filter_condition,
               ci.oid AS ci_oid, i.indoption AS i_indoption, am.amname AS am_name
          FROM pg_catalog.pg_class ct
          JOIN pg_catalog.pg_index i ON (ct.oid = i.indrelid)
          JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid)
          JOIN pg_catalog.pg_am am ON (ci.relam = am.oid)
         WHERE ct.relname = $1) AS tmp
 ORDER BY index_name, ordinal_position;
-- DatabaseMetaData.getImportedKeys
SELECT pkn.nspname, pkc.relname, pka.attname, fkn.nspname, fkc.relname, fka.attname, pos.n AS key_seq,
       CASE con.confupdtype WHEN 'c' THEN 0 WHEN 'n' THEN 2 ELSE NULL END AS update_rule, con.conname,
       CASE WHEN con.condeferrable AND con.condeferred THEN 5 ELSE 7 END AS deferrability
  FROM pg_catalog.pg_namespace pkn, pg_catalog.pg_class pkc, pg_catalog.pg_attribute pka,
       pg_catalog.pg_namespace fkn, pg_catalog.pg_class fkc, pg_catalog.pg_attribute fka,
       pg_catalog.pg_constraint con, pg_catalog.generate_series(1, $1::int) pos(n), pg_catalog.pg_class pkic
 WHERE pkn.oid = pkc.relnamespace AND pkc.oid = pka.attrelid AND pka.attnum = con.confkey[pos.n]
   AND con.confrelid = pkc.oid AND fkn.oid = fkc.relnamespace AND fkc.oid = fka.attrelid
   AND fka.attnum = con.conkey[pos.n] AND con.conrelid = fkc.oid AND con.contype = 'f'
   AND pkic.relkind IN ('i', 'I') AND pkic.oid = con.conindid AND fkc.relname = $2
 ORDER BY pkn.nspname, pkc.relname, con.conname, pos.n;
-- Types and generated keys
SELECT n.nspname = ANY(current_schemas(true)), n.nspname, t.typname
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = $1;
SELECT typinput = 'pg_catalog.array_in'::regproc AS is_array, typtype, typname, pg_type.oid
  FROM pg_catalog.pg_type
  LEFT JOIN (SELECT ns.oid AS nspoid, ns.nspname, r.r
               FROM pg_namespace AS ns
               JOIN (SELECT s.r, (current_schemas(false))[s.r] AS nspname
                       FROM generate_series(1, array_upper(current_schemas(false), 1)) AS s(r)) AS r
              USING (nspname)) AS sp ON sp.nspoid = typnamespace
 WHERE typname = $1 ORDER BY sp.r, pg_type.oid DESC LIMIT 1;
SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_index_keys';
SELECT has_schema_privilege(nspname, 'USAGE') FROM pg_namespace;
SELECT nspname AS "TABLE_SCHEM", current_database() AS "TABLE_CATALOG" FROM pg_catalog.pg_namespace
 WHERE nspname <> 'pg_toast' AND (nspname !~ '^pg_temp_' OR nspname = (pg_catalog.current_schemas(true))[1]);
