/** What would be silent: packages that nobody composes, rules that nobody reads, tests in builds. */
import { isTest } from '../combiner.ts'
import { type Module, ruleName } from './ast.ts'
import type { Finding } from './findings.ts'
import { type Definition, finding, isKind, KINDS, type Program } from './program.ts'

const NAME = /^[a-z][a-z0-9_]*$/

export function checkPackage(module: Module): Finding[] {
  const [root = '', name = '', ...deeper] = module.package
  const written = module.package.join('.')
  const at = { file: module.path, line: 1 }
  if (root !== 'policy' || !NAME.test(name) || deeper.length > 0) {
    const message = `package ${written} would take no part in the decision`
    return [{ ...at, code: 'policy.package', message, remedy: 'name it `policy.<name>`, lower case, one level deep' }]
  }
  if (name.endsWith('_test') !== isTest(module.path)) {
    const message = `package ${written} in ${module.path} is half a test`
    const remedy = 'tests are packages `policy.<name>_test` in files `*_test.rego`, which builds leave out'
    return [{ ...at, code: 'policy.package', message, remedy }]
  }
  return []
}

export function checkRules(program: Program): Finding[] {
  const reached = program.reached()
  return [...program.definitions].flatMap(([name, definitions]) =>
    definitions.flatMap((definition) =>
      reached.has(name) ? checkKind(definition) : [unreached(definition), ...checkKind(definition)],
    ),
  )
}

function unreached(definition: Definition): Finding {
  const name = ruleName(definition.rule)
  const meant = KINDS.find((kind) => distance(kind, name) <= 2)
  const message = `rule ${name} is none of ${KINDS.join(', ')}, and none of these uses it: it says nothing`
  const remedy = meant === undefined ? 'use it or remove it' : `was \`${meant}\` meant?`
  return finding(definition, definition.rule, 'policy.unused', message, remedy)
}

function checkKind(definition: Definition): Finding[] {
  const { rule } = definition
  const { head } = rule
  const name = ruleName(rule)
  if (!isKind(name)) return []
  const set = head.key !== undefined && head.value === undefined && head.args === undefined && head.ref.length === 1
  if (set && rule.default !== true && rule.else === undefined) return []
  const message = `rule ${name} does not add to a set, so the decision would be policy.invalid-decision`
  return [finding(definition, rule, 'policy.form', message, `write \`${name} contains { … } if …\``)]
}

/** Levenshtein's distance, of words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1]
    for (const [at, other] of [...b].entries()) {
      const replaced = (row[at] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
