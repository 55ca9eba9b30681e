/** Every statement that is neither a query nor a write: what each kind may show of a masked column. */
import { expression, type Site } from './expression.ts'
import type { Planning } from './planning.ts'
import { because, masked } from './refusing.ts'
import { maskedColumn, NO_COLUMNS } from './scope.ts'
import { select } from './query.ts'
import { list, node, strings, text, type Tree, tree, words } from './tree.ts'
import { runsCode, written } from './write.ts'

/**
 * `quiet`: holds no data at all. `scrubbed`: shows no rows, but its errors may quote some. `schema`: may name no relation
 * with masked columns, and its expressions may read no table. Whatever is not listed is refused.
 */
type Manner = 'quiet' | 'scrubbed' | 'schema'

const QUIET = words(
  'VariableSetStmt VariableShowStmt DeallocateStmt ClosePortalStmt DiscardStmt',
  'UnlistenStmt NotifyStmt CheckPointStmt TransactionStmt',
)

const SCRUBBED = words(
  'ConstraintsSetStmt TruncateStmt DropStmt LockStmt VacuumStmt ReindexStmt',
  'ClusterStmt GrantStmt GrantRoleStmt CommentStmt CreateRoleStmt AlterRoleStmt DropRoleStmt',
  'CreateSeqStmt AlterSeqStmt CreateEnumStmt AlterEnumStmt AlterOwnerStmt CompositeTypeStmt',
  'AlterDefaultPrivilegesStmt CreatedbStmt DropdbStmt',
)

const SCHEMA = words(
  'CreateStmt IndexStmt AlterTableStmt RenameStmt AlterObjectSchemaStmt CreateDomainStmt',
  'AlterDomainStmt CreateStatsStmt RefreshMatViewStmt CreateSchemaStmt',
)

const MANNERS: ReadonlyMap<string, Manner> = new Map<string, Manner>([
  ...QUIET.map((kind): [string, Manner] => [kind, 'quiet']),
  ...SCRUBBED.map((kind): [string, Manner] => [kind, 'scrubbed']),
  ...SCHEMA.map((kind): [string, Manner] => [kind, 'schema']),
])

/** Statements that hold no data: they pass whatever the masks are, so that a session can always be put in order. */
export function isQuiet(kind: string): boolean {
  return MANNERS.get(kind) === 'quiet'
}

const COMMITS: ReadonlySet<string> = new Set(['TRANS_STMT_COMMIT', 'TRANS_STMT_PREPARE'])

export function utility(kind: string, body: Tree, planning: Planning): void {
  switch (MANNERS.get(kind)) {
    case 'quiet':
      // Deferred constraints are checked at the end of a transaction, and their errors quote rows.
      if (COMMITS.has(text(body['kind']) ?? '')) planning.scrub = true
      return
    case 'scrubbed':
      planning.scrub = true
      return
    case 'schema':
      planning.scrub = true
      schemaChange(kind, body, planning)
      return
    case undefined:
      throw because(
        'a statement of this kind could show or copy masked columns',
        'leave it to whoever administers the database',
      )
  }
}

/** Kinds whose own relation is new, and so need not be known. */
const CREATES: ReadonlySet<string> = new Set(['CreateStmt'])

function schemaChange(kind: string, body: Tree, planning: Planning): void {
  // The masks name their columns by schema: under another name they would hide nothing.
  if (kind === 'RenameStmt' && body['renameType'] === 'OBJECT_SCHEMA') {
    throw because('a schema cannot be renamed while columns are masked', 'leave it to whoever administers the database')
  }
  if (kind === 'CreateSchemaStmt') {
    for (const element of list(body['schemaElts'])) {
      const inner = node(element)
      statement(inner.kind, inner.body, planning)
    }
    return
  }
  const parts = Object.entries(body).filter(([key]) => !(key === 'relation' && CREATES.has(kind)))
  walk(
    parts.map(([, part]) => part),
    planning,
  )
}

/** Refuses relations with masked columns, and functions that read tables, at any depth. */
function walk(value: unknown, planning: Planning): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, planning)
    return
  }
  const body = tree(value)
  if (text(body['relname']) !== null) named(body, planning)
  for (const kind in body) {
    const part = tree(body[kind])
    if (kind === 'FuncCall') planning.call(strings(part['funcname']))
    if (kind === 'A_Expr') planning.operator(strings(part['name']))
    if (kind === 'A_Indirection') for (const step of strings(part['indirection'])) planning.attribute(step)
    if (kind === 'SelectStmt') refuseMasked(kind, part, planning, 'a table or view made from a query')
    else walk(body[kind], planning)
  }
}

function named(range: Tree, planning: Planning): void {
  const mask = maskedColumn(planning.columns(planning.relation(range)))
  if (mask !== null) throw masked(mask.column, 'a change of the schema')
}

/** COPY: its columns are named in the statement, and nowhere in the answer. */
function copy(body: Tree, planning: Planning): void {
  if ('query' in body) {
    const { kind, body: query } = node(body['query'])
    refuseMasked(kind, query, planning, 'COPY')
    return
  }
  const from = body['is_from'] === true
  const range = tree(body['relation'])
  const relation = from ? planning.target(range) : planning.relation(range)
  // As with INSERT: what triggers do is out of sight.
  if (from && runsCode(relation)) planning.scrub = true
  if (from) planning.refuseGuess(relation, 'attlist' in body ? strings(body['attlist']) : null)
  const columns = planning.columns(relation)
  const chosen = strings(body['attlist'])
  const copied = columns.list.filter(({ name }) => chosen.length === 0 || (name !== null && chosen.includes(name)))
  const mask = maskedColumn({ list: copied, open: false })
  if (mask !== null && !from) throw masked(mask.column, 'COPY')
  const item = { columns, ranges: [] }
  const site: Site = { planning, scope: { items: [item], parent: null }, queries: new Map(), query: select }
  expression(body['whereClause'], site, 'WHERE')
}

/** A query whose result goes where no mask follows. */
function refuseMasked(
  kind: string,
  body: Tree,
  planning: Planning,
  place: 'COPY' | 'a table or view made from a query',
) {
  const columns =
    kind === 'SelectStmt'
      ? select(planning, body, null, new Map())
      : written(kind, body, planning, null, new Map(), select)
  if (columns === null) throw because('a statement within another is not understood', 'run it on its own')
  const mask = maskedColumn(columns)
  if (mask !== null) throw masked(mask.column, place)
}

/** Plans any statement by its kind; its columns where it gives rows of its own that were planned. */
export function statement(kind: string, body: Tree, planning: Planning) {
  switch (kind) {
    case 'SelectStmt':
      return select(planning, body, null, new Map())
    case 'CopyStmt':
      copy(body, planning)
      return NO_COLUMNS
    case 'ViewStmt': {
      const inner = node(body['query'])
      refuseMasked(inner.kind, inner.body, planning, 'a table or view made from a query')
      return NO_COLUMNS
    }
    case 'CreateTableAsStmt': {
      const inner = node(body['query'])
      // What EXECUTE runs is planned by itself, and copied only if nothing of it is masked.
      if (inner.kind === 'ExecuteStmt') statement(inner.kind, inner.body, planning)
      else refuseMasked(inner.kind, inner.body, planning, 'a table or view made from a query')
      return NO_COLUMNS
    }
    case 'PrepareStmt':
    case 'DeclareCursorStmt':
    case 'ExplainStmt': {
      const inner = node(body['query'])
      statement(inner.kind, inner.body, planning)
      return NO_COLUMNS
    }
    case 'ExecuteStmt':
      planning.runsNamed = true
      expression(body['params'], nowhere(planning), 'a select expression')
      return NO_COLUMNS
    case 'FetchStmt':
      planning.runsNamed = true
      return NO_COLUMNS
    default: {
      const columns = written(kind, body, planning, null, new Map(), select)
      if (columns === null) utility(kind, body, planning)
      return columns ?? NO_COLUMNS
    }
  }
}

function nowhere(planning: Planning): Site {
  return { planning, scope: { items: [], parent: null }, queries: new Map(), query: select }
}
