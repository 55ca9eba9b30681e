SELECT version();
SELECT * FROM current_schema();
SELECT * FROM current_database();
SHOW server_version;
SELECT "table_schema", "table_name", obj_description(('"' || "table_schema" || '"."' || "table_name" || '"')::regclass, 'pg_class') AS table_comment
  FROM "information_schema"."tables" WHERE ("table_schema" = 'public' AND "table_name" = 'orders');
SELECT columns.*, pg_catalog.col_description(('"' || table_catalog || '"."' || table_schema || '"."' || table_name || '"')::regclass::oid, ordinal_position) AS description,
       ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype"::text AS "regtype",
       pg_catalog.format_type("col_attr"."atttypid", "col_attr"."atttypmod") AS "format_type"
  FROM "information_schema"."columns"
  LEFT JOIN "pg_catalog"."pg_attribute" AS "col_attr"
    ON "col_attr"."attname" = "columns"."column_name"
   AND "col_attr"."attrelid" = (SELECT "cls"."oid" FROM "pg_catalog"."pg_class" AS "cls"
         LEFT JOIN "pg_catalog"."pg_namespace" AS "ns" ON "ns"."oid" = "cls"."relnamespace"
        WHERE "cls"."relname" = "columns"."table_name" AND "ns"."nspname" = "columns"."table_schema")
 WHERE ("table_schema" = 'public' AND "table_name" = 'orders');
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "cnst"."conname" AS "constraint_name",
       pg_get_constraintdef("cnst"."oid") AS "expression",
       CASE "cnst"."contype" WHEN 'p' THEN 'PRIMARY' WHEN 'u' THEN 'UNIQUE' WHEN 'c' THEN 'CHECK' END AS "constraint_type",
       "a"."attname" AS "column_name"
  FROM "pg_constraint" "cnst"
  INNER JOIN "pg_class" "t" ON "t"."oid" = "cnst"."conrelid"
  INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "cnst"."connamespace"
  LEFT JOIN "pg_attribute" "a" ON "a"."attrelid" = "cnst"."conrelid" AND "a"."attnum" = ANY ("cnst"."conkey")
 WHERE "t"."relkind" IN ('r', 'p') AND (("ns"."nspname" = 'public' AND "t"."relname" = 'orders'));
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "i"."relname" AS "constraint_name",
       "a"."attname" AS "column_name", CASE "ix"."indisunique" WHEN 't' THEN 'TRUE' ELSE 'FALSE' END AS "is_unique",
       pg_get_expr("ix"."indpred", "ix"."indrelid") AS "condition", "types"."typname" AS "type_name"
  FROM "pg_class" "t"
  INNER JOIN "pg_index" "ix" ON "ix"."indrelid" = "t"."oid"
  INNER JOIN "pg_attribute" "a" ON "a"."attrelid" = "t"."oid" AND "a"."attnum" = ANY ("ix"."indkey")
  INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "t"."relnamespace"
  INNER JOIN "pg_class" "i" ON "i"."oid" = "ix"."indexrelid"
  INNER JOIN "pg_type" "types" ON "types"."oid" = "a"."atttypid"
  LEFT JOIN "pg_constraint" "cnst" ON "cnst"."conname" = "i"."relname"
 WHERE "t"."relkind" IN ('r', 'p') AND "cnst"."contype" IS NULL;
SELECT "con"."conname" AS "constraint_name", "con"."nspname" AS "table_schema", "con"."relname" AS "table_name",
       "att2"."attname" AS "column_name", "cl"."relname" AS "referenced_table_name",
       "att"."attname" AS "referenced_column_name", "con"."confdeltype" AS "on_delete"
  FROM (SELECT UNNEST ("con1"."conkey") AS "parent", UNNEST ("con1"."confkey") AS "child", "con1"."confrelid",
               "con1"."conrelid", "con1"."conname", "con1"."contype", "ns"."nspname", "cl"."relname",
               CASE "con1"."confdeltype" WHEN 'a' THEN 'NO ACTION' WHEN 'c' THEN 'CASCADE' END AS "confdeltype"
          FROM "pg_class" "cl"
          INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid"
          INNER JOIN "pg_constraint" "con1" ON "con1"."conrelid" = "cl"."oid"
         WHERE "con1"."contype" = 'f') "con"
  INNER JOIN "pg_attribute" "att" ON "att"."attrelid" = "con"."confrelid" AND "att"."attnum" = "con"."child"
  INNER JOIN "pg_class" "cl" ON "cl"."oid" = "con"."confrelid"
  INNER JOIN "pg_attribute" "att2" ON "att2"."attrelid" = "con"."conrelid" AND "att2"."attnum" = "con"."parent";
SELECT e.enumlabel AS value FROM pg_enum e INNER JOIN pg_type t ON t.oid = e.enumtypid
 INNER JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'public' AND t.typname = 'kind';
