/**
 * Builtins that policies may call. One that fails takes its rule with it: `deny … if to_number(x) > 10` allows "abc".
 * So only those that always answer, given arguments of their types, and the total helpers of `data.sidegate.values`.
 */
import { isTerm, refOf, type Term, visitExpressions, visitTerms } from './ast.ts'
import type { Finding } from './findings.ts'
import { type Definition, finding, type Program } from './program.ts'

const TOTAL: ReadonlySet<string> = new Set(
  `assign eq equal neq lt lte gt gte internal.member_2 internal.member_3 internal.template_string print
  plus minus mul abs ceil floor round
  and or intersection union count sum product sort
  is_array is_boolean is_null is_number is_object is_set is_string type_name
  array.concat array.reverse array.slice array.flatten
  object.filter object.get object.keys object.remove object.union object.union_n
  concat contains endswith startswith indexof indexof_n lower upper replace split sprintf strings.any_prefix_match
  strings.any_suffix_match strings.count strings.replace_n strings.reverse trim trim_left trim_prefix trim_right
  trim_space trim_suffix
  base64.encode base64.is_valid base64url.encode base64url.encode_no_pad hex.encode json.is_valid json.marshal
  regex.is_valid crypto.md5 crypto.sha1 crypto.sha256 crypto.hmac.equal crypto.hmac.md5 crypto.hmac.sha1
  crypto.hmac.sha256 crypto.hmac.sha512
  time.now_ns time.clock time.date time.weekday walk`
    .trim()
    .split(/\s+/),
)

/** What to write instead, by builtin. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ['to_number', 'values.number(value, fallback)'],
  ['div', 'values.divide(dividend, divisor, fallback)'],
  ['rem', 'values.remainder(dividend, divisor, fallback)'],
  ['regex.match', 'values.matches(pattern, value, fallback)'],
  ['glob.match', 'values.matches_glob(pattern, delimiters, value, fallback)'],
  ['net.cidr_contains', 'values.in_network(network, address, fallback)'],
  ['json.unmarshal', 'values.parsed(value, fallback)'],
  ['time.parse_rfc3339_ns', 'values.instant(value, fallback)'],
  ['max', '`some` or `every`, which have an answer for the empty set'],
  ['min', '`some` or `every`, which have an answer for the empty set'],
  ['substring', 'startswith, endswith or split'],
])

export function checkBuiltins(program: Program): Finding[] {
  return program.all().flatMap((definition) =>
    operators(definition).flatMap((operator) => {
      const path = program.resolve(definition.module, operator)
      const name = path.join('.')
      if (path[0] === 'data' || TOTAL.has(name)) return []
      const instead = INSTEAD.get(name)
      const message = `the builtin ${name} can fail, and would take its rule with it`
      const remedy =
        instead === undefined
          ? 'find a condition that needs no such builtin'
          : `use ${instead} (import data.sidegate.values)`
      return [
        finding(
          definition,
          operator.location === undefined ? definition.rule : operator,
          'policy.builtin',
          message,
          remedy,
        ),
      ]
    }),
  )
}

/** Every function that is called, at any depth. */
function operators({ rule }: Definition): readonly Term[] {
  const found: Term[] = []
  const note = (operator: unknown) => {
    if (isTerm(operator) && refOf(operator) !== undefined) found.push(operator)
  }
  visitTerms([rule.head, rule.body, rule.else], (term) => {
    if (term.type === 'call') note((term.value as readonly unknown[])[0])
  })
  visitExpressions([rule.head, rule.body, rule.else], ({ terms }) => {
    if (Array.isArray(terms)) note((terms as readonly unknown[])[0])
  })
  return found
}
