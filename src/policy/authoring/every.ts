/**
 * `every` over nothing is true: `allow … if every command in input.command.detail.commands { … }` allows what has no commands. So what
 * an allow hangs on must say whether there has to be something.
 */
import { type Expression, type Term, visitExpressions, visitTerms } from './ast.ts'
import type { Finding } from './findings.ts'
import { Origins } from './origins.ts'
import { type Definition, finding, type Program } from './program.ts'

const REMEDY =
  'in front of it, demand that there is one (`count(commands) > 0`), or say that there may be none (`count(redirects) >= 0`)'

export function checkEvery(program: Program): Finding[] {
  const origins = new Origins(program)
  return [...program.reached((kind) => kind === 'allow')].flatMap((name) =>
    (program.definitions.get(name) ?? []).flatMap((definition) =>
      bodiesOf(definition).flatMap((body) => checkBody(definition, body, origins)),
    ),
  )
}

function checkBody(definition: Definition, body: readonly Expression[], origins: Origins): Finding[] {
  return body.flatMap((expression) => {
    const domain = domainOf(expression)
    if (domain === null || !origins.isAgents(definition, domain)) return []
    if (body.some((other) => other !== expression && demands(other, domain))) return []
    const message = 'this `every` is true where there is nothing, and lets that pass'
    return [finding(definition, expression, 'policy.every', message, REMEDY)]
  })
}

function domainOf({ terms }: Expression): Term | null {
  return !Array.isArray(terms) && 'domain' in terms ? (terms['domain'] as Term) : null
}

/** Another condition that names the same collection: its author has thought of it. */
function demands(expression: Expression, domain: Term): boolean {
  if (domainOf(expression) !== null || expression.negated === true) return false
  const wanted = textOf(domain)
  let found = false
  visitTerms(expression.terms, (term) => (found ||= textOf(term) === wanted))
  return found && !gives(expression, wanted)
}

/** `words := …` is no condition on the words. */
function gives({ terms }: Expression, wanted: string): boolean {
  if (!Array.isArray(terms)) return false
  const [operator, left] = terms as readonly Term[]
  return textOf(operator).includes('"assign"') && textOf(left) === wanted
}

const textOf = (term: Term | undefined): string =>
  JSON.stringify(term, (key, value: unknown) => (key === 'location' ? undefined : value)) ?? ''

/** Of the rule, of its `else`, and of everything in them that has a body: comprehensions and `every`. */
function bodiesOf({ rule }: Definition): readonly (readonly Expression[])[] {
  const found: (readonly Expression[])[] = []
  for (let each = [rule]; each.length > 0; each = each.flatMap((one) => one.else ?? [])) {
    for (const { body, head } of each) {
      found.push(body)
      visitTerms([head, body], ({ value }) => {
        if (typeof value === 'object' && value !== null && 'body' in value && Array.isArray(value.body)) {
          found.push(value.body as readonly Expression[])
        }
      })
      visitExpressions(body, ({ terms }) => {
        if (!Array.isArray(terms) && 'domain' in terms) found.push(terms['body'] as readonly Expression[])
      })
    }
  }
  return found
}
