/** SET, RESET and SHOW, and the settings that BEGIN brings. */
import { constant, fieldsOf, list, struct, text, type Fields } from './nodes.ts'
import type { Setting } from './facts.ts'
import { checkPinned, harmless, harmlessOnceChecked } from './settings.ts'
import { Refused } from './refused.ts'
import type { Scope } from './scope.ts'
import type { Walk } from './walk.ts'

export function variableSet(walk: Walk, fields: Fields, _scope: Scope): void {
  walk.facts.effects.add('session')
  set(walk, fields, fields['is_local'] === true ? 'transaction' : 'session')
}

/** The settings of a SET, ALTER ROLE … SET, ALTER DATABASE … SET or ALTER SYSTEM. */
export function set(walk: Walk, fields: Fields, scope: Setting['scope']): void {
  const name = (text(fields['name']) ?? '').toLowerCase()
  switch (fields['kind']) {
    case 'VAR_SET_VALUE':
    case 'VAR_SET_CURRENT':
      return setValue(walk, name, fields, scope)
    case 'VAR_SET_DEFAULT':
    case 'VAR_RESET':
      return reset(walk, name, scope)
    case 'VAR_RESET_ALL':
      walk.facts.settings.push({ name: '*', value: null, scope, known: true })
      return
    case 'VAR_SET_MULTI':
      return setMulti(walk, name, fields)
    default:
      throw new Refused('command.unsupported', 'this form of SET is not understood', 'write SET name = value')
  }
}

/** What RESET gives back is what the session pinned at its start; what is persistent belongs to sessions to come. */
function reset(walk: Walk, name: string, scope: Setting['scope']): void {
  if (!harmless(name) && scope === 'persistent') walk.facts.effects.add('unknown')
  walk.facts.settings.push({ name, value: null, scope, known: true })
}

function setValue(walk: Walk, name: string, fields: Fields, scope: Setting['scope']): void {
  const values = list(fields['args']).map(settingText)
  const known = values.every((value) => value !== undefined) && values.length > 0
  const texts = known ? values.map((value) => value ?? '') : undefined
  checkPinned(walk.catalogue, name, texts)
  if (name === 'role' || name === 'session_authorization') walk.facts.role = texts?.[0] ?? null
  else if (!harmlessOnceChecked(name)) walk.facts.effects.add('unknown')
  // A setting of the whole server may hold a password (primary_conninfo), and facts are recorded.
  const told = known && (scope !== 'persistent' || harmless(name))
  walk.facts.settings.push({ name, value: told ? (texts?.join(', ') ?? null) : null, scope, known: told })
}

function settingText(node: unknown): string | undefined {
  const value = constant(node)
  if (value !== undefined) return value === null ? undefined : String(value)
  const interval = fieldsOf(node, 'TypeCast')
  const inner = interval === undefined ? undefined : constant(interval['arg'])
  return inner === undefined || inner === null ? undefined : String(inner)
}

/** SET TRANSACTION, SET SESSION CHARACTERISTICS, SET TRANSACTION SNAPSHOT. */
function setMulti(walk: Walk, kind: string, fields: Fields): void {
  if (kind === 'transaction') transactionModes(walk, fields['args'], 'transaction', '')
  else if (kind === 'session characteristics') transactionModes(walk, fields['args'], 'session', 'default_')
  else if (kind === 'transaction snapshot') {
    walk.facts.settings.push({ name: 'transaction_snapshot', value: null, scope: 'transaction', known: false })
  } else throw new Refused('command.unsupported', 'this form of SET is not understood', 'write SET name = value')
}

/** Isolation, read-only and deferrable, of BEGIN and SET alike. */
export function transactionModes(walk: Walk, options: unknown, scope: Setting['scope'], prefix: string): void {
  for (const node of list(options)) {
    const option = fieldsOf(node, 'DefElem')
    const name = text(option?.['defname'])
    if (name === null) continue
    const value = constant(option?.['arg'])
    const on = name === 'transaction_isolation' ? value : value === 1 ? 'on' : 'off'
    walk.facts.settings.push({ name: prefix + name, value: String(on ?? ''), scope, known: true })
  }
}

export function variableShow(walk: Walk, fields: Fields): void {
  walk.facts.effects.add('session')
  const name = (text(fields['name']) ?? '').toLowerCase()
  walk.facts.settings.push({ name: name === 'all' ? '*' : name, value: null, scope: 'show', known: true })
}

export function transaction(walk: Walk, fields: Fields): void {
  walk.facts.effects.add('transaction')
  const kind = String(fields['kind'])
  if (/PREPARE/.test(kind)) walk.facts.effects.add('procedural')
  if (kind === 'TRANS_STMT_BEGIN' || kind === 'TRANS_STMT_START') {
    transactionModes(walk, fields['options'], 'transaction', '')
  }
}

export function discard(walk: Walk, fields: Fields): void {
  walk.facts.effects.add('session')
  if (fields['target'] === 'DISCARD_ALL') {
    walk.facts.settings.push({ name: '*', value: null, scope: 'session', known: true })
  }
}

/** The settings of a statement that keeps them for sessions to come. */
export function persistent(walk: Walk, fields: Fields): void {
  const setting = struct(fields['setstmt'])
  if (setting !== undefined) set(walk, setting, 'persistent')
}
