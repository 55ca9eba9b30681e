-- First connect.
SELECT pg_catalog.version();
SELECT current_schema();
SHOW standard_conforming_strings;
SHOW transaction isolation level;
SELECT t.oid, typarray FROM pg_type t JOIN pg_namespace ns ON typnamespace = ns.oid WHERE typname = 'hstore';
-- Inspector: has_table, names
SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class
  JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
 WHERE pg_catalog.pg_class.relname = $1::varchar
   AND pg_catalog.pg_class.relkind = ANY (ARRAY[$2::varchar, $3::varchar])
   AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != $4::varchar;
SELECT pg_catalog.pg_namespace.nspname FROM pg_catalog.pg_namespace
 WHERE pg_catalog.pg_namespace.nspname NOT LIKE 'pg!_%' ESCAPE '!' ORDER BY pg_catalog.pg_namespace.nspname;
-- Inspector: columns
SELECT pg_catalog.pg_attribute.attname AS name,
       pg_catalog.format_type(pg_catalog.pg_attribute.atttypid, pg_catalog.pg_attribute.atttypmod) AS format_type,
       (SELECT pg_catalog.pg_get_expr(pg_catalog.pg_attrdef.adbin, pg_catalog.pg_attrdef.adrelid)
          FROM pg_catalog.pg_attrdef
         WHERE pg_catalog.pg_attrdef.adrelid = pg_catalog.pg_attribute.attrelid
           AND pg_catalog.pg_attrdef.adnum = pg_catalog.pg_attribute.attnum
           AND pg_catalog.pg_attribute.atthasdef) AS "default",
       pg_catalog.pg_attribute.attnotnull AS not_null, pg_catalog.pg_class.relname AS table_name,
       pg_catalog.pg_description.description AS comment, pg_catalog.pg_attribute.attgenerated AS generated,
       (SELECT json_build_object('always', pg_catalog.pg_attribute.attidentity = 'a',
                 'start', pg_catalog.pg_sequence.seqstart, 'increment', pg_catalog.pg_sequence.seqincrement,
                 'cycle', pg_catalog.pg_sequence.seqcycle)
          FROM pg_catalog.pg_sequence
         WHERE pg_catalog.pg_attribute.attidentity != ''
           AND pg_catalog.pg_sequence.seqrelid = CAST(CAST(pg_catalog.pg_get_serial_sequence(
                 CAST(CAST(pg_catalog.pg_attribute.attrelid AS REGCLASS) AS TEXT),
                 pg_catalog.pg_attribute.attname) AS REGCLASS) AS OID)) AS identity_options
  FROM pg_catalog.pg_class
  LEFT OUTER JOIN pg_catalog.pg_attribute ON pg_catalog.pg_class.oid = pg_catalog.pg_attribute.attrelid
        AND pg_catalog.pg_attribute.attnum > 0 AND NOT pg_catalog.pg_attribute.attisdropped
  LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_description.objoid = pg_catalog.pg_attribute.attrelid
        AND pg_catalog.pg_description.objsubid = pg_catalog.pg_attribute.attnum
  JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
 WHERE pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_class.relname IN ($1, $2)
 ORDER BY pg_catalog.pg_class.relname, pg_catalog.pg_attribute.attnum;
-- Inspector: keys and checks
SELECT attr.conrelid, array_agg(CAST(attr.attname AS TEXT) ORDER BY attr.ord) AS cols, attr.conname,
       min(attr.description) AS description
  FROM (SELECT con.conrelid AS conrelid, con.conname AS conname, con.conindid, con.description, con.ord,
               pg_catalog.pg_attribute.attname AS attname
          FROM pg_catalog.pg_attribute
          JOIN (SELECT pg_catalog.pg_constraint.conrelid, pg_catalog.pg_constraint.conname,
                       pg_catalog.pg_constraint.conindid, unnest(pg_catalog.pg_constraint.conkey) AS attnum,
                       generate_subscripts(pg_catalog.pg_constraint.conkey, 1) AS ord,
                       pg_catalog.pg_description.description
                  FROM pg_catalog.pg_constraint
                  LEFT OUTER JOIN pg_catalog.pg_description
                    ON pg_catalog.pg_description.objoid = pg_catalog.pg_constraint.oid
                 WHERE pg_catalog.pg_constraint.contype = $1
                   AND pg_catalog.pg_constraint.conrelid IN ($2, $3)) AS con
            ON pg_catalog.pg_attribute.attnum = con.attnum AND pg_catalog.pg_attribute.attrelid = con.conrelid) AS attr
 GROUP BY attr.conrelid, attr.conname ORDER BY attr.conrelid, attr.conname;
SELECT pg_catalog.pg_class.relname, pg_catalog.pg_constraint.conname,
       CASE WHEN (pg_catalog.pg_constraint.oid IS NOT NULL)
            THEN pg_catalog.pg_get_constraintdef(pg_catalog.pg_constraint.oid, true) END AS condef,
       nsp_ref.nspname, pg_catalog.pg_description.description
  FROM pg_catalog.pg_class
  LEFT OUTER JOIN pg_catalog.pg_constraint ON pg_catalog.pg_class.oid = pg_catalog.pg_constraint.conrelid
  LEFT OUTER JOIN pg_catalog.pg_class AS cls_ref ON cls_ref.oid = pg_catalog.pg_constraint.confrelid
  LEFT OUTER JOIN pg_catalog.pg_namespace AS nsp_ref ON cls_ref.relnamespace = nsp_ref.oid
  LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_description.objoid = pg_catalog.pg_constraint.oid
 WHERE pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid);
-- Inspector: enums, domains, comments
SELECT pg_catalog.pg_type.typname AS name, pg_catalog.pg_type_is_visible(pg_catalog.pg_type.oid) AS visible,
       pg_catalog.pg_namespace.nspname AS schema, lbl_agg.labels AS labels
  FROM pg_catalog.pg_type
  JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_type.typnamespace
  LEFT OUTER JOIN (SELECT pg_catalog.pg_enum.enumtypid AS enumtypid,
                          array_agg(CAST(pg_catalog.pg_enum.enumlabel AS TEXT)
                                    ORDER BY pg_catalog.pg_enum.enumsortorder) AS labels
                     FROM pg_catalog.pg_enum GROUP BY pg_catalog.pg_enum.enumtypid) AS lbl_agg
    ON pg_catalog.pg_type.oid = lbl_agg.enumtypid
 WHERE pg_catalog.pg_type.typtype = 'e' ORDER BY schema, name;
SELECT pg_catalog.obj_description(c.oid, 'pg_class'), col_description(c.oid, 1), shobj_description(d.oid, 'pg_database')
  FROM pg_class c, pg_database d;
SELECT pg_catalog.pg_get_viewdef(c.oid, true) FROM pg_catalog.pg_class c WHERE c.relkind IN ('v', 'm');
