SELECT version();
SELECT current_setting('server_version_num')::integer AS numeric_version;
SELECT EXISTS(SELECT 1 FROM pg_namespace WHERE nspname = $1), version(), current_setting('server_version_num')::integer;
SELECT namespace.nspname AS namespace_name FROM pg_namespace AS namespace
 WHERE namespace.nspname = ANY ( $1 ) ORDER BY namespace_name;
SELECT tbl.relname AS table_name, namespace.nspname AS namespace,
       (tbl.relhassubclass AND tbl.relkind = 'p') AS is_partition, tbl.relrowsecurity AS has_row_level_security,
       reloptions, obj_description(tbl.oid, 'pg_class') AS description
  FROM pg_class AS tbl INNER JOIN pg_namespace AS namespace ON namespace.oid = tbl.relnamespace
 WHERE ((tbl.relkind = 'r' AND tbl.relispartition = 'f') OR tbl.relkind = 'p') AND namespace.nspname = ANY ( $1 )
 ORDER BY namespace, table_name;
SELECT oid.namespace, info.table_name, info.column_name, format_type(att.atttypid, att.atttypmod) AS formatted_type,
       info.numeric_precision, info.data_type, info.udt_schema AS type_schema_name, info.udt_name AS full_data_type,
       pg_get_expr(attdef.adbin, attdef.adrelid) AS column_default, info.is_nullable, info.is_identity,
       info.character_maximum_length, col_description(att.attrelid, ordinal_position) AS description
  FROM information_schema.columns info
  JOIN pg_attribute att ON att.attname = info.column_name
  JOIN (SELECT pg_class.oid, relname, pg_namespace.nspname AS namespace
          FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
           AND pg_namespace.nspname = ANY ( $1 )) AS oid
    ON oid.oid = att.attrelid AND relname = info.table_name AND namespace = info.table_schema
  LEFT OUTER JOIN pg_attrdef attdef
    ON attdef.adrelid = att.attrelid AND attdef.adnum = att.attnum AND table_schema = namespace
 WHERE table_schema = ANY ( $1 ) ORDER BY namespace, table_name, ordinal_position;
WITH rawindex AS (
  SELECT indrelid, indexrelid, indisunique, indisprimary, unnest(indkey) AS indkeyid,
         generate_subscripts(indkey, 1) AS indkeyidx, unnest(indclass) AS indclass, unnest(indoption) AS indoption
    FROM pg_index WHERE indpred IS NULL AND NOT indisexclusion)
SELECT schemainfo.nspname AS namespace, indexinfo.relname AS index_name, columninfo.attname AS column_name,
       opclass.opcname AS opclass, CASE rawindex.indoption & 1 WHEN 1 THEN 'DESC' ELSE 'ASC' END AS column_order,
       pc.condeferrable
  FROM rawindex
  INNER JOIN pg_class AS tableinfo ON tableinfo.oid = rawindex.indrelid
  INNER JOIN pg_class AS indexinfo ON indexinfo.oid = rawindex.indexrelid
  INNER JOIN pg_namespace AS schemainfo ON schemainfo.oid = tableinfo.relnamespace
  LEFT JOIN pg_attribute AS columninfo
    ON columninfo.attrelid = tableinfo.oid AND columninfo.attnum = rawindex.indkeyid
  LEFT JOIN pg_opclass AS opclass ON opclass.oid = rawindex.indclass
  LEFT JOIN pg_constraint pc ON rawindex.indexrelid = pc.conindid AND pc.contype <> 'f'
 WHERE schemainfo.nspname = ANY ( $1 ) ORDER BY namespace, index_name, rawindex.indkeyidx;
SELECT con.oid AS con_id, att2.attname AS child_column, cl.relname AS parent_table, att.attname AS parent_column,
       con.confdeltype, conname AS constraint_name, child, parent, table_name
  FROM (SELECT ns.nspname AS namespace, unnest(con1.conkey) AS parent, unnest(con1.confkey) AS child, cl.relname AS table_name,
               generate_subscripts(con1.conkey, 1) AS colidx, con1.oid, con1.confrelid, con1.conrelid, con1.conname,
               con1.confdeltype
          FROM pg_class cl JOIN pg_constraint con1 ON con1.conrelid = cl.oid
          JOIN pg_namespace ns ON cl.relnamespace = ns.oid
         WHERE ns.nspname = ANY ( $1 ) AND con1.contype = 'f') con
  JOIN pg_attribute att ON att.attrelid = con.confrelid AND att.attnum = con.child
  JOIN pg_class cl ON cl.oid = con.confrelid
  JOIN pg_attribute att2 ON att2.attrelid = con.conrelid AND att2.attnum = con.parent
 ORDER BY con_id, con.colidx;
SELECT t.typname AS name, e.enumlabel AS value, n.nspname AS namespace, obj_description(t.oid, 'pg_type') AS description
  FROM pg_type t JOIN pg_enum e ON t.oid = e.enumtypid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE n.nspname = ANY ( $1 ) ORDER BY e.enumsortorder;
SELECT p.proname AS name, n.nspname AS namespace, CASE WHEN l.lanname = 'internal' THEN p.prosrc
       ELSE pg_get_functiondef(p.oid) END AS definition
  FROM pg_proc p LEFT JOIN pg_namespace n ON p.pronamespace = n.oid LEFT JOIN pg_language l ON p.prolang = l.oid
 WHERE n.nspname = ANY ( $1 );
SELECT views.viewname AS view_name, views.definition AS view_sql, views.schemaname AS namespace
  FROM pg_catalog.pg_views views WHERE schemaname = ANY ( $1 );
SELECT ext.extname AS extension_name, ext.extversion AS extension_version, pn.nspname AS extension_schema
  FROM pg_extension ext INNER JOIN pg_namespace pn ON ext.extnamespace = pn.oid ORDER BY ext.extname ASC;
SELECT sequence_name, sequence_schema AS namespace, start_value::int8, increment::int8
  FROM information_schema.sequences WHERE sequence_schema = ANY ( $1 );
