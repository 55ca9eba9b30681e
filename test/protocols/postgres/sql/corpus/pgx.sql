SELECT typtype, typbasetype FROM pg_type WHERE oid = $1;
SELECT t.oid, t.typname, t.typtype, t.typbasetype, t.typelem, t.typarray, t.typrelid FROM pg_type t WHERE t.oid = $1::text::regtype::oid;
SELECT attname, atttypid FROM pg_attribute WHERE attrelid = $1 AND NOT attisdropped AND attnum > 0 ORDER BY attnum;
SELECT rngsubtype FROM pg_range WHERE rngtypid = $1;
SELECT rngtypid FROM pg_range WHERE rngmultitypid = $1;
SELECT b.oid, b.typtype, b.typbasetype FROM pg_type a INNER JOIN pg_type b ON b.oid = a.typelem WHERE a.oid = $1;
WITH RECURSIVE typeinfo_tree (oid, ns, name, kind, basetype, elemtype, attrtypoids, attrnames, depth) AS (
  WITH composite_attrs AS (
    SELECT c.reltype AS comptype_oid, array_agg(ia.atttypid ORDER BY ia.attnum) AS typoids,
           array_agg(ia.attname::text ORDER BY ia.attnum) AS names
      FROM pg_attribute ia INNER JOIN pg_class c ON (ia.attrelid = c.oid)
     WHERE ia.attnum > 0 AND NOT ia.attisdropped GROUP BY c.reltype),
  typeinfo AS (
    SELECT t.oid AS oid, ns.nspname AS ns, t.typname AS name, t.typtype AS kind,
           (CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE NULL END) AS basetype,
           t.typelem AS elemtype, attrs.typoids AS attrtypoids, attrs.names AS attrnames
      FROM pg_catalog.pg_type AS t INNER JOIN pg_catalog.pg_namespace ns ON (ns.oid = t.typnamespace)
      LEFT JOIN pg_type elem_t ON (t.typlen = -1 AND t.typelem != 0 AND t.typelem = elem_t.oid)
      LEFT JOIN composite_attrs attrs ON (t.typrelid != 0 AND attrs.comptype_oid = t.oid))
  SELECT ti.oid, ti.ns, ti.name, ti.kind, ti.basetype, ti.elemtype, ti.attrtypoids, ti.attrnames, 0
    FROM typeinfo AS ti WHERE ti.oid = any ($1::oid[])
  UNION ALL
  SELECT ti.oid, ti.ns, ti.name, ti.kind, ti.basetype, ti.elemtype, ti.attrtypoids, ti.attrnames, tt.depth + 1
    FROM typeinfo ti, typeinfo_tree tt
   WHERE (tt.elemtype IS NOT NULL AND ti.oid = tt.elemtype) OR (tt.attrtypoids IS NOT NULL AND ti.oid = any (tt.attrtypoids)))
SELECT DISTINCT *, basetype::regtype::text AS basetype_name, elemtype::regtype::text AS elemtype_name
  FROM typeinfo_tree ORDER BY depth DESC;
SELECT b.oid, b.typarray FROM pg_catalog.pg_type a LEFT JOIN pg_catalog.pg_type b ON b.oid = a.typelem
 WHERE a.typcategory = 'A' GROUP BY b.oid, b.typarray ORDER BY b.oid;
SELECT pg_is_in_recovery();
SELECT pg_backend_pid(), inet_server_addr(), current_user, session_user, pg_postmaster_start_time();
