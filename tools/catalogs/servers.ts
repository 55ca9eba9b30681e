/** What a server's own catalogs say of its functions and relations, as `generate.ts` and its test read it. */

/** What initdb has made; later objects are somebody's own. */
export const FIRST_USER_OID = 16_384

export interface ServerFunction {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** Types by name, and by OID. */
  readonly types: string
  readonly arguments: string
  readonly volatility: 'i' | 's' | 'v'
  /** function, aggregate, window, procedure. */
  readonly kind: 'f' | 'a' | 'w' | 'p'
  readonly defaults: number
  readonly variadic: boolean
  readonly set: boolean
  readonly result: string
}

export const FUNCTIONS = `
  SELECT p.oid::int, n.nspname AS schema, p.proname AS name, oidvectortypes(p.proargtypes) AS types,
         p.proargtypes::text AS arguments, p.provolatile AS volatility, p.prokind AS kind,
         p.pronargdefaults::int AS defaults, p.provariadic <> 0 AS variadic, p.proretset AS set,
         format_type(p.prorettype, NULL) AS result
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE p.oid < ${FIRST_USER_OID} ORDER BY 2, 3, 1`

export interface ServerRelation {
  readonly schema: string
  readonly name: string
}

export const RELATIONS = `
  SELECT n.nspname AS schema, c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.oid < ${FIRST_USER_OID} AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname <> 'pg_toast'
   ORDER BY 1, 2`
