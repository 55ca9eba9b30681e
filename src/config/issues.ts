/** What the schema objects to, in the words of whoever writes the file. */
import type { z } from 'zod'
import { child, keysAt } from './keys.ts'
import { type KeyPath, keyOf, type Problem, problem } from './problem.ts'
import { nearest } from './suggest.ts'

type Issue = z.core.$ZodIssue

const SSH_PROOFS = '`privateKeyFile`, `passwordFile` or `certificate`'

/** Where a key may be written in several ways, and none was: all of them, by the key's path with a target's protocol, or `*`, as its name. */
const WAYS: ReadonlyMap<string, string> = new Map([
  ['policy.bundle', 'give `file` and `key` (what signs it), or `file` and `allowUnsigned: true` on a laptop'],
  [
    'targets.postgres.credential',
    'give `user` and `passwordFile`, or `users` with one role for each user name, or `users: any`',
  ],
  ['targets.postgres.databases', 'give a list of names, or the word any'],
  ['targets.*.agent.keys', 'give `file` or `url`'],
  [
    'targets.kubernetes.credential',
    'give `tokenFile`, or `tokenFile` and `serviceAccount`, or `certFile` and `keyFile`',
  ],
  ['targets.ssh.credential', `give \`user\` and ${SSH_PROOFS}, or \`users\` with one login for each user name`],
  ['targets.ssh.credential.certificate', 'give `authorityFile`, the key that the host trusts, or `command`'],
  ['targets.ssh.credential.users.*.certificate', 'give `authorityFile`, the key that the host trusts, or `command`'],
])

function waysOf(path: KeyPath, value: unknown): string | undefined {
  if (path[0] !== 'targets') return WAYS.get(path.join('.'))
  const protocol = String(child(path.slice(0, 2).reduce(child, value), 'protocol'))
  const named = (name: string) =>
    path.map((part, index) => (index === 1 ? name : path[index - 1] === 'users' ? '*' : part)).join('.')
  return WAYS.get(named(protocol)) ?? WAYS.get(named('*'))
}

export function problemsOf(schema: z.ZodType, issues: readonly Issue[], value: unknown): Problem[] {
  return issues.flatMap((issue) => toProblems(schema, issue, [], value))
}

function toProblems(schema: z.ZodType, issue: Issue, above: KeyPath, value: unknown): Problem[] {
  const path: KeyPath = [...above, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(schema, [...path, key], value))
    case 'invalid_union':
      return union(schema, issue, path, value)
    case 'invalid_key':
      return issue.issues.map((inner) => problem('config.value', path, 'this name cannot be used', inner.message))
    case 'invalid_type':
    case 'invalid_value':
    case 'invalid_format':
    case 'too_small':
    case 'too_big':
    case 'not_multiple_of':
    case 'invalid_element':
    case 'custom': {
      const given = path.reduce(child, value)
      if (given === undefined) return [problem('config.missing', path, 'is missing', `add it: ${demand(issue)}`)]
      return [problem('config.value', path, 'has a value that cannot be used', demand(issue))]
    }
    default:
      return issue satisfies never
  }
}

function unknownKey(schema: z.ZodType, path: KeyPath, value: unknown): Problem {
  const known = keysAt(schema, path.slice(0, -1), value)
  const meant = nearest(String(path.at(-1)), known)
  const all = [...known].sort().join(', ')
  const remedy = meant === null ? `the keys here are: ${all}` : `did you mean ${meant}?`
  return problem('config.unknown-key', path, 'is not a key', remedy)
}

/** Of several ways to write a value, the one that came nearest says what is amiss; where none did, all are told. */
function union(schema: z.ZodType, issue: Issue & { code: 'invalid_union' }, path: KeyPath, value: unknown): Problem[] {
  const ways = waysOf(path, value)
  if (issue.errors.length === 0) {
    const options = 'options' in issue ? (issue.options ?? []).map(String) : []
    const given = path.reduce(child, value)
    const meant = typeof given === 'string' ? nearest(given, options) : null
    const remedy = meant === null ? `one of: ${options.join(', ')}` : `did you mean ${meant}?`
    if (given === undefined) return [problem('config.missing', path, 'is missing', remedy)]
    return [problem('config.value', path, 'has a value that cannot be used', remedy)]
  }
  if (path.reduce(child, value) === undefined) {
    return [problem('config.missing', path, 'is missing', ways ?? 'add it')]
  }
  const weighed = issue.errors.map((errors) => ({ errors, weight: weight(errors) }))
  const least = Math.min(...weighed.map(({ weight: one }) => one))
  const best = weighed.filter(({ weight: one }) => one === least)
  const unknown = unknownTo(issue.errors)
  if (unknown.length > 0) return unknown.map((key) => unknownKey(schema, [...path, key], value))
  if (best.length > 1 && ways !== undefined) {
    return [problem('config.value', path, `${keyOf(path.slice(-1))} is not written in any way that is known`, ways)]
  }
  return (best[0]?.errors ?? []).flatMap((inner) => toProblems(schema, inner, path, value))
}

/** Keys of the value that no way of writing it knows. */
function unknownTo(ways: readonly (readonly Issue[])[]): readonly string[] {
  const keys = ways.map((errors) =>
    errors.flatMap((error) => (error.code === 'unrecognized_keys' && error.path.length === 0 ? error.keys : [])),
  )
  return (keys[0] ?? []).filter((key) => keys.every((others) => others.includes(key)))
}

/** How far a value is from one way of writing it. Objections to the value as a whole weigh most. */
function weight(errors: readonly Issue[]): number {
  return errors.reduce((sum, error) => {
    if (error.code === 'unrecognized_keys') return sum + 2 * error.keys.length
    return sum + (error.path.length === 0 ? 100 : 1)
  }, 0)
}

function demand(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPES.get(issue.expected) ?? `a ${issue.expected}`
    case 'invalid_value':
      return issue.values.length === 1 ? `it must be ${issue.values.join()}` : `one of: ${issue.values.join(', ')}`
    case 'too_small':
      if (issue.origin === 'string' || issue.origin === 'array') return 'it must not be empty'
      return issue.inclusive === true ? `at least ${issue.minimum}` : `more than ${issue.minimum}`
    case 'too_big':
      return `at most ${issue.maximum}`
    case 'invalid_format':
    case 'custom':
    case 'not_multiple_of':
    case 'unrecognized_keys':
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
      return issue.message
    default:
      return issue satisfies never
  }
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['string', 'a text'],
  ['number', 'a number, without quotes'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['object', 'a mapping of keys'],
  ['record', 'a mapping of names'],
  ['array', 'a list'],
])
