/**
 * What SET, RESET and set_config() may touch. Text is judged under settings that the session pins; a statement that
 * would change one of these is refused whatever policy says, because what follows would be read differently from how
 * it was judged.
 */
import type { Catalogue } from '../catalogue.ts'
import { Refused } from './refused.ts'

/** How the server reads names, strings, bytes and identities, which code it loads, and which of its own guards hold. */
const PINNED: ReadonlySet<string> = new Set([
  'allow_system_table_mods',
  'backslash_quote',
  'client_encoding',
  'dynamic_library_path',
  'escape_string_warning',
  'event_triggers',
  'extension_control_path',
  'is_superuser',
  'local_preload_libraries',
  'lo_compat_privileges',
  'restrict_nonsystem_relation_kind',
  'role',
  'row_security',
  'search_path',
  'session_authorization',
  'session_preload_libraries',
  'session_replication_role',
  'standard_conforming_strings',
  'transform_null_equals',
])

/** Changes how results look, how plans are made or how long things may take, and nothing else. Others are effect `unknown`. */
const HARMLESS: ReadonlySet<string> = new Set([
  'application_name',
  'array_nulls',
  'bytea_output',
  'client_min_messages',
  'constraint_exclusion',
  'cpu_index_tuple_cost',
  'cpu_operator_cost',
  'cpu_tuple_cost',
  'cursor_tuple_fraction',
  'datestyle',
  'default_statistics_target',
  'default_text_search_config',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'effective_cache_size',
  'effective_io_concurrency',
  'extra_float_digits',
  'from_collapse_limit',
  'geqo',
  'geqo_effort',
  'geqo_generations',
  'geqo_pool_size',
  'geqo_seed',
  'geqo_selection_bias',
  'geqo_threshold',
  'gin_fuzzy_search_limit',
  'gin_pending_list_limit',
  'hash_mem_multiplier',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'intervalstyle',
  'jit',
  'jit_above_cost',
  'jit_inline_above_cost',
  'jit_optimize_above_cost',
  'join_collapse_limit',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'lock_timeout',
  'maintenance_work_mem',
  'max_parallel_maintenance_workers',
  'max_parallel_workers',
  'max_parallel_workers_per_gather',
  'min_parallel_index_scan_size',
  'min_parallel_table_scan_size',
  'parallel_leader_participation',
  'parallel_setup_cost',
  'parallel_tuple_cost',
  'plan_cache_mode',
  'quote_all_identifiers',
  'random_page_cost',
  'recursive_worktable_factor',
  'seed',
  'seq_page_cost',
  'statement_timeout',
  'synchronize_seqscans',
  'temp_buffers',
  'timezone',
  'timezone_abbreviations',
  'transaction_deferrable',
  'transaction_isolation',
  'transaction_read_only',
  'transaction_timeout',
  'work_mem',
  'xmlbinary',
  'xmloption',
])

const ENABLE = /^enable_[a-z_]+$/
const TRUE = /^(on|true|yes|1|t|y)$/i
const UTF8 = /^(utf-?8|unicode)$/i

export function harmless(name: string): boolean {
  return HARMLESS.has(name) || ENABLE.test(name)
}

/** What `checkPinned` has let through sets what is so anyway. */
export function harmlessOnceChecked(name: string): boolean {
  return harmless(name) || PINNED.has(name)
}

/** Refuses a change of a pinned setting, unless it sets what is pinned anyway. `value` is undefined where computed. */
export function checkPinned(catalogue: Catalogue, name: string, value: readonly string[] | null | undefined): void {
  if (!PINNED.has(name) || value === null) return
  if (name === 'client_encoding' && value?.length === 1 && UTF8.test(value[0] ?? '')) return
  if (name === 'standard_conforming_strings' && value?.length === 1 && TRUE.test(value[0] ?? '')) return
  if (name === 'row_security' && value?.length === 1 && TRUE.test(value[0] ?? '')) return
  if (name === 'search_path' && value !== undefined && isPinnedPath(catalogue, value)) return
  if ((name === 'role' || name === 'session_authorization') && value?.length === 1 && isOwn(value[0])) return
  throw new Refused(
    'command.unsupported',
    `the setting ${name} is fixed for the whole session`,
    remedy(catalogue, name),
  )
}

/** SET ROLE NONE and SET SESSION AUTHORIZATION DEFAULT give nothing that the session did not have. */
function isOwn(value: string | undefined): boolean {
  return value === 'none'
}

/**
 * Exactly what is pinned: without pg_temp at its end the server would look for relations in pg_temp first.
 * `pg_catalog` is first where it is not named.
 */
function isPinnedPath(catalogue: Catalogue, value: readonly string[]): boolean {
  const schemas = value.filter((schema, at) => !(at === 0 && schema === 'pg_catalog'))
  if (schemas.pop() !== 'pg_temp') return false
  const pinned = catalogue.searchPath.filter((schema) => schema !== 'pg_catalog' && schema !== 'pg_temp')
  return schemas.length === pinned.length && schemas.every((schema, at) => schema === pinned[at])
}

function remedy(catalogue: Catalogue, name: string): string {
  if (name === 'search_path')
    return `qualify names with their schema; the search path is ${catalogue.searchPath.join(', ')}`
  if (name === 'client_encoding') return 'use UTF8, which is what the session has'
  if (name === 'role' || name === 'session_authorization') return 'connect as the role that you need'
  return 'leave it as it is'
}
