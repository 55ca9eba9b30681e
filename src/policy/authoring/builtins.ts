/**
 * Builtins that policies may call. One that fails takes its rule with it: `deny … if to_number(x) > 10` allows "abc".
 * So only those that always answer, given arguments of their types, and the total helpers of `data.sidegate.values`.
 */
import { isTerm, refOf, type Term, visitExpressions, visitTerms } from './ast.ts'
import type { Finding } from './findings.ts'
import { Origins } from './origins.ts'
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

/** Of a collection, one element that is no text or no number fails them: which operand it is, and what to write instead. */
export const OF_ELEMENTS: ReadonlyMap<string, readonly [operand: number, instead: string]> = new Map([
  ['concat', [1, 'values.joined(delimiter, words, unknown) (import data.sidegate.values), or sprintf in a message']],
  ['strings.any_prefix_match', [0, '`some word in words` and `startswith(word, prefix)`']],
  ['strings.any_suffix_match', [0, '`some word in words` and `endswith(word, suffix)`']],
  ['strings.replace_n', [0, '`replace`']],
  ['sum', [0, 'values.total(amounts, fallback) (import data.sidegate.values)']],
  ['product', [0, 'a condition on each number by itself']],
])

export function checkBuiltins(program: Program): Finding[] {
  const origins = new Origins(program)
  return program
    .all()
    .flatMap((definition) =>
      callsOf(program, definition, [definition.rule.head, definition.rule.body, definition.rule.else]).flatMap((call) =>
        checkCall(definition, call, origins),
      ),
    )
}

/** One call of a builtin. */
export interface Call {
  readonly name: string
  readonly operator: Term
  readonly operands: readonly Term[]
}

function checkCall(definition: Definition, { name, operator, operands }: Call, origins: Origins): Finding[] {
  const at = operator.location === undefined ? definition.rule : operator
  if (!TOTAL.has(name)) {
    const instead = INSTEAD.get(name)
    const message = `the builtin ${name} can fail, and would take its rule with it`
    const remedy =
      instead === undefined
        ? 'find a condition that needs no such builtin'
        : `use ${instead} (import data.sidegate.values)`
    return [finding(definition, at, 'policy.builtin', message, remedy)]
  }
  const [operand, instead] = OF_ELEMENTS.get(name) ?? []
  if (operand === undefined || !origins.isAgents(definition, operands[operand])) return []
  const message = `one word or number that is not known (null) would fail ${name}, and take its rule with it`
  return [finding(definition, at, 'policy.builtin', message, `use ${instead}`)]
}

/** Every call of a builtin, at any depth. */
export function callsOf(program: Program, { module }: Definition, node: unknown): readonly Call[] {
  const found: Call[] = []
  const add = ([operator, ...operands]: readonly Term[]) => {
    if (!isTerm(operator) || refOf(operator) === undefined) return
    const path = program.resolve(module, operator)
    if (path[0] !== 'data') found.push({ name: path.join('.'), operator, operands })
  }
  visitTerms(node, (term) => {
    if (term.type === 'call') add(term.value as readonly Term[])
  })
  visitExpressions(node, ({ terms }) => {
    if (Array.isArray(terms)) add(terms as readonly Term[])
  })
  return found
}
