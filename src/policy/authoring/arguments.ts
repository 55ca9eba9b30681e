/** The words that helpers take, where they are written out: of one that is misspelt a helper is never true. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isTerm, refOf, type Term, visitExpressions, visitTerms } from './ast.ts'
import type { Finding } from './findings.ts'
import {
  wrongColumn,
  wrongDestination,
  wrongLabel,
  wrongListener,
  wrongPath,
  wrongPointer,
  wrongRelation,
  wrongRepository,
  wrongResource,
} from './names.ts'
import { type Definition, finding, type Program } from './program.ts'
import { SCHEMAS } from './sources.ts'

interface Vocabulary {
  readonly properties?: Readonly<Record<string, Vocabulary>>
  readonly items?: Vocabulary
  readonly enum?: readonly (string | null)[]
}

const schemaOf = (protocol: string) => JSON.parse(readFileSync(join(SCHEMAS, `${protocol}.json`), 'utf8')) as Vocabulary

/** Null, or what is wanted instead. */
type Judge = (word: string) => string | null

/** As `kubernetes.verbs_only` has them. */
const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', 'connect']

/** By `<library>.<helper>`: what the texts of its first argument must be. */
export type ArgumentJudges = ReadonlyMap<string, Judge>

export function argumentJudges(): ArgumentJudges {
  const sql = schemaOf('postgres').properties
  const ssh = schemaOf('ssh').properties
  const oneOf = (words: readonly (string | null)[] = []) => {
    const known = words.filter((word) => word !== null)
    return (word: string) => (known.includes(word) ? null : `one of ${known.join(', ')}`)
  }
  return new Map<string, Judge>([
    ['sql.reads_only', wrongRelation],
    ['sql.writes_only', wrongRelation],
    ['sql.reads_from', wrongRelation],
    ['sql.touches', wrongRelation],
    ['sql.touches_column', wrongColumn],
    ['sql.does', oneOf(sql?.['effects']?.items?.enum)],
    ['sql.calls_class', oneOf(sql?.['functions']?.items?.properties?.['class']?.enum)],
    ['ssh.asks_for', oneOf(ssh?.['kind']?.enum)],
    ['ssh.asks_only_for', oneOf(ssh?.['kind']?.enum)],
    ['ssh.shell_is', oneOf(ssh?.['mode']?.enum)],
    ['ssh.transfers', oneOf(['upload', 'download'])],
    ['ssh.forwards_to', wrongDestination],
    ['ssh.listens_on', wrongListener],
    ...['reads_under', 'writes_under', 'links_under', 'downloads_under', 'uploads_under', 'sftp_touches'].map(
      (helper): [string, Judge] => [`ssh.${helper}`, wrongPath],
    ),
    ['kubernetes.verbs_only', oneOf(VERBS)],
    ['kubernetes.does', oneOf(VERBS)],
    ['kubernetes.on_resources', wrongResource],
    ['kubernetes.touches', wrongResource],
    ['kubernetes.in_namespaces', wrongLabel],
    ['kubernetes.reads_only_in', wrongLabel],
    ['kubernetes.touches_namespace', wrongLabel],
    ['kubernetes.changes_only', wrongPointer],
    ['kubernetes.changes', wrongPointer],
    ['kubernetes.uses_images', wrongRepository],
  ])
}

export function checkArguments(program: Program, definition: Definition, judges: ArgumentJudges): Finding[] {
  const found: Finding[] = []
  const judgeCall = (operator: Term | undefined, operand: Term | undefined) => {
    if (operator === undefined || operand === undefined || refOf(operator) === undefined) return
    const [, owner, library, helper = ''] = program.resolve(definition.module, operator)
    const judge = owner === 'sidegate' ? judges.get(`${library}.${helper}`) : undefined
    if (judge === undefined) return
    for (const word of words(program, definition, operand)) {
      const wanted = judge(String(word.value))
      if (wanted === null) continue
      const message = `${library}.${helper} does not know ${JSON.stringify(word.value)}`
      found.push(
        finding(definition, word.location === undefined ? operand : word, 'policy.argument', message, `give ${wanted}`),
      )
    }
  }
  visitTerms([definition.rule.head, definition.rule.body, definition.rule.else], (term) => {
    if (term.type === 'call') judgeCall(...((term.value as readonly Term[]).slice(0, 2) as [Term, Term?]))
  })
  visitExpressions([definition.rule.head, definition.rule.body, definition.rule.else], ({ terms }) => {
    if (Array.isArray(terms)) judgeCall(...((terms as readonly Term[]).slice(0, 2) as [Term, Term?]))
  })
  return found
}

/** The texts of a literal, or of the literal that a rule stands for. */
function words(program: Program, { module }: Definition, term: Term): readonly Term[] {
  if (term.type === 'string') return [term]
  if (term.type === 'set' || term.type === 'array') {
    return (term.value as readonly unknown[]).filter((each) => isTerm(each)).filter((each) => each.type === 'string')
  }
  const name = program.resolve(module, term).slice(1).join('.')
  return (program.definitions.get(name) ?? []).flatMap(({ module: owner, rule }) =>
    rule.head.value === undefined || rule.head.value.type === 'var'
      ? []
      : words(program, { module: owner, rule }, rule.head.value),
  )
}
