/**
 * What of a rule can be the agent's: whatever comes out of the input, through variables and through other rules. What helpers of
 * `data.sidegate` give is not counted, since they answer for its form, and the author's own lists are not either.
 */
import { type Expression, isTerm, refOf, type Rule, type Term, visitExpressions, visitTerms } from './ast.ts'
import type { Definition, Program } from './program.ts'

export class Origins {
  readonly #program: Program
  readonly #variables = new Map<Rule, ReadonlySet<string>>()
  /** By `policy.<package>.<rule>`. */
  readonly #rules = new Map<string, boolean>()

  constructor(program: Program) {
    this.#program = program
  }

  /** Errs on the side of yes. */
  isAgents(definition: Definition, node: unknown): boolean {
    return this.#holds(definition, this.#variablesOf(definition), node)
  }

  #holds({ module }: Definition, variables: ReadonlySet<string>, node: unknown): boolean {
    let found = false
    visitTerms(node, (term) => {
      if (found || (term.type !== 'var' && refOf(term) === undefined)) return
      const [root = '', ...path] = this.#program.resolve(module, term)
      found =
        root === 'input' ||
        variables.has(root) ||
        (root === 'data' && path[0] === 'policy' && this.#ruleIs(path.slice(0, 3).join('.')))
    })
    return found
  }

  #ruleIs(name: string): boolean {
    const known = this.#rules.get(name)
    if (known !== undefined) return known
    // A rule that refers to itself adds nothing to what it refers to beside that.
    this.#rules.set(name, false)
    const is = (this.#program.definitions.get(name) ?? []).some((each) => this.isAgents(each, yielded(each.rule)))
    this.#rules.set(name, is)
    return is
  }

  /** The rule's variables that can hold something of the agent's. Arguments can: who knows what they are called with. */
  #variablesOf(definition: Definition): ReadonlySet<string> {
    const { rule } = definition
    const known = this.#variables.get(rule)
    if (known !== undefined) return known
    const found = new Set<string>()
    this.#variables.set(rule, found)
    for (let each: Rule | undefined = rule; each !== undefined; each = each.else) note(each.head.args, found)
    const bindings = bindingsOf(rule)
    for (let before = -1; before < found.size;) {
      before = found.size
      for (const binding of bindings) if (this.#holds(definition, found, binding)) note(binding, found)
    }
    return found
  }
}

function yielded(rule: Rule): readonly unknown[] {
  const { key, value, ref } = rule.head
  return [key, value, ref.slice(1), rule.else === undefined ? [] : yielded(rule.else)]
}

function note(node: unknown, variables: Set<string>): void {
  visitTerms(node, (term) => {
    if (term.type === 'var') variables.add(String(term.value))
  })
}

/** Whatever gives variables their values: `:=`, `=`, `some … in`, `every`, and references with variables in them. */
function bindingsOf(rule: Rule): readonly unknown[] {
  const found: unknown[] = []
  visitExpressions([rule.head, rule.body, rule.else], ({ terms }: Expression) => {
    if (Array.isArray(terms)) {
      const [operator, ...operands] = terms as readonly Term[]
      if (['assign', 'eq'].includes(String(refOf(operator)?.[0]?.value))) found.push(operands)
    } else if ('symbols' in terms) found.push(terms['symbols'])
    else if ('domain' in terms) found.push([terms['key'], terms['value'], terms['domain']])
  })
  visitTerms([rule.head, rule.body, rule.else], (term) => {
    if (
      refOf(term)
        ?.slice(1)
        .some((part) => isTerm(part) && part.type === 'var') === true
    )
      found.push(term)
  })
  return found
}
