/**
 * An allow binds only the protocol whose helper or name it uses: `allow … if not sql.writes` would be true of every SSH
 * command. So each allow must hold something that is true for one protocol alone: a helper of `data.sidegate.<protocol>`
 * that is demanded and not negated, the protocol's name, or the key `protocol` in what it yields.
 */
import { type Expression, isTerm, refOf, type Rule, ruleName, type Term } from './ast.ts'
import type { Finding } from './findings.ts'
import { type Definition, finding, type Program } from './program.ts'

/** Packages of `data.sidegate` whose every helper is true for one protocol alone. */
const BINDING = new Set(['kubernetes', 'sql', 'ssh'])

const REMEDY =
  'demand a helper such as `sql.reads_only({…})`, `ssh.only_runs({…})` or `kubernetes.reads_only_in({…})`, or add `"protocol": "postgres"` ("*" for every protocol) to what it yields'

export function checkBinding(program: Program): Finding[] {
  return program
    .all()
    .filter(({ rule }) => ruleName(rule) === 'allow' && rule.head.key !== undefined)
    .flatMap((definition) => {
      const { key } = definition.rule.head
      const protocol = key?.type === 'object' ? named(key) : undefined
      if (protocol?.type === 'string') return []
      if (protocol !== undefined) {
        const message = 'the protocol of this allow is not written out'
        return [finding(definition, protocol, 'policy.unbound', message, REMEDY)]
      }
      if (binds(program, definition, new Set())) return []
      const message = 'this allow could be true for a protocol that it was not written for'
      return [finding(definition, definition.rule, 'policy.unbound', message, REMEDY)]
    })
}

function named(object: Term): Term | undefined {
  const entries = object.value as readonly (readonly [Term, Term])[]
  return entries.find(([key]) => key.value === 'protocol')?.[1]
}

function binds(program: Program, definition: Definition, seen: ReadonlySet<Rule>): boolean {
  const { rule, module } = definition
  if (seen.has(rule)) return false
  const inner = new Set([...seen, rule])
  if (rule.default === true) return rule.head.value?.type === 'boolean' && rule.head.value.value === false
  if (rule.else !== undefined && !binds(program, { module, rule: rule.else }, inner)) return false
  return rule.body.some((expression) => demands(program, definition, expression, inner))
}

function demands(program: Program, definition: Definition, expression: Expression, seen: ReadonlySet<Rule>): boolean {
  const { terms, negated, with: overridden } = expression
  if (negated === true || overridden !== undefined) return false
  if (!Array.isArray(terms)) return isTerm(terms) && truth(program, definition, terms, seen)
  const [operator, left, right] = terms as readonly Term[]
  if (operator === undefined) return false
  if (isEquality(operator)) return namesProtocol(program, definition, left, right)
  return truth(program, definition, operator, seen)
}

/** The term's being true says which protocol it is. */
function truth(program: Program, { module }: Definition, term: Term, seen: ReadonlySet<Rule>): boolean {
  const path = program.resolve(module, term)
  const [root, owner, name, ...rest] = path
  if (root !== 'data' || path.length !== Math.max(4, refOf(term)?.length ?? 0) || rest.length !== 1) return false
  if (owner === 'sidegate') return BINDING.has(name ?? '')
  if (owner !== 'policy') return false
  const definitions = program.definitions.get(path.slice(1).join('.')) ?? []
  return (
    definitions.length > 0 &&
    definitions.every((each) => each.rule.head.key === undefined && binds(program, each, seen))
  )
}

function isEquality(operator: Term): boolean {
  return ['equal', 'eq', 'assign'].includes(String(refOf(operator)?.[0]?.value))
}

function namesProtocol(program: Program, { module }: Definition, left?: Term, right?: Term): boolean {
  const isName = (term?: Term) =>
    term !== undefined && program.resolve(module, term).join('.') === 'input.command.protocol'
  return (isName(left) && right?.type === 'string') || (isName(right) && left?.type === 'string')
}
