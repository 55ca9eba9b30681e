SET timezone TO 'UTC';
SELECT set_config('TimeZone', $1, false);
SHOW server_version;
SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END,
       obj_description(c.oid, 'pg_class')
  FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
   AND pg_catalog.pg_table_is_visible(c.oid);
SELECT a.attname AS column_name, NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS is_nullable,
       pg_get_expr(ad.adbin, ad.adrelid) AS column_default,
       CASE WHEN collname = 'default' THEN NULL ELSE collname END AS collation,
       a.attidentity != '' AS is_autofield, col_description(a.attrelid, a.attnum) AS column_comment
  FROM pg_attribute a
  LEFT JOIN pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
  LEFT JOIN pg_collation co ON a.attcollation = co.oid
  JOIN pg_type t ON a.atttypid = t.oid
  JOIN pg_class c ON a.attrelid = c.oid
  JOIN pg_namespace n ON c.relnamespace = n.oid
 WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND c.relname = $1 AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
   AND pg_catalog.pg_table_is_visible(c.oid);
SELECT s.relname AS sequence_name, a.attname AS colname
  FROM pg_class s
  JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  JOIN pg_attribute a ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
  JOIN pg_class tbl ON tbl.oid = d.refobjid AND tbl.relname = $1 AND pg_catalog.pg_table_is_visible(tbl.oid)
 WHERE s.relkind = 'S';
SELECT c.conname,
       array(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY cols(colid, arridx)
               JOIN pg_attribute AS ca ON cols.colid = ca.attnum
              WHERE ca.attrelid = c.conrelid ORDER BY cols.arridx),
       c.contype,
       (SELECT fkc.relname || '.' || fka.attname FROM pg_attribute AS fka JOIN pg_class AS fkc ON fka.attrelid = fkc.oid
         WHERE fka.attrelid = c.confrelid AND fka.attnum = c.confkey[1]),
       cl.reloptions
  FROM pg_constraint AS c JOIN pg_class AS cl ON c.conrelid = cl.oid
 WHERE cl.relname = $1 AND pg_catalog.pg_table_is_visible(cl.oid);
SELECT indexname, array_agg(attname ORDER BY arridx), indisunique, indisprimary, array_agg(ordering ORDER BY arridx),
       amname, exprdef, s2.attoptions
  FROM (SELECT c2.relname AS indexname, idx.*, attr.attname, am.amname,
               CASE WHEN idx.indexprs IS NOT NULL THEN pg_get_indexdef(idx.indexrelid) END AS exprdef,
               CASE am.amname WHEN $1 THEN CASE (option & 1) WHEN 1 THEN 'DESC' ELSE 'ASC' END END AS ordering,
               c2.reloptions AS attoptions
          FROM (SELECT * FROM pg_index i, unnest(i.indkey, i.indoption) WITH ORDINALITY koi(key, option, arridx)) idx
          LEFT JOIN pg_class c ON idx.indrelid = c.oid
          LEFT JOIN pg_class c2 ON idx.indexrelid = c2.oid
          LEFT JOIN pg_am am ON c2.relam = am.oid
          LEFT JOIN pg_attribute attr ON attr.attrelid = c.oid AND attr.attnum = idx.key
         WHERE c.relname = $2 AND pg_catalog.pg_table_is_visible(c.oid)) s2
 GROUP BY indexname, indisunique, indisprimary, amname, exprdef, attoptions;
