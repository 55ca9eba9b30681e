import type { Catalogue, Relation } from './catalogue.ts'
export class CatalogueLoader {
  path: readonly string[]
  constructor(path: readonly string[]) {
    this.path = path
  }
  async load(query: (sql: string) => Promise<(string | null)[][]>): Promise<Catalogue> {
    const rels = new Map<string, Relation>()
    const byOid = new Map<number, Relation>()
    for (const [oid, schema, name] of await query(
      "select c.oid, nspname, relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = relnamespace where relkind in ('r','v')",
    )) {
      const cols =
        schema === 'public'
          ? (
              await query(
                `select attname, attnum, atttypid from pg_catalog.pg_attribute where attrelid = ${oid} and attnum > 0 order by attnum`,
              )
            ).map(([n, a, t]) => ({ name: n ?? '', attnum: Number(a), typeOid: Number(t), baseTypeOid: Number(t) }))
          : []
      const r: Relation = {
        oid: Number(oid),
        schema: schema ?? '',
        name: name ?? '',
        kind: 'table',
        columns: cols,
        parents: [],
        children: [],
        reads: [],
        rules: false,
        triggers: false,
        ...(schema === 'pg_catalog' ? { system: 'open' as const } : {}),
      }
      rels.set(`${schema}.${name}`, r)
      byOid.set(r.oid, r)
    }
    const path = ['pg_catalog', ...this.path]
    return {
      revision: 1,
      serverVersion: 180000,
      searchPath: path,
      relation: (s, n) =>
        s !== null ? rels.get(`${s}.${n}`) : path.map((p) => rels.get(`${p}.${n}`)).find((r) => r !== undefined),
      relationByOid: (o) => byOid.get(o),
      functions: (s, n) => [
        {
          oid: 1,
          schema: s ?? 'pg_catalog',
          name: n,
          arguments: [],
          variadic: true,
          returnsSet: false,
          kind: 'function',
          class: 'pure',
        },
      ],
      operators: () => [],
      type: () => 1,
    }
  }
}
