/**
 * Where the commands of a line run, if it begins with `cd DIRECTORY || exit;`: then nothing of what follows runs anywhere
 * else. `&&` in its place would not do, since what stands behind a later `;` would run wherever the login begins.
 */
import type { Command, ParsedScript } from 'unbash'
import type { LiteralCommand } from './canonical.ts'
import type { FoundCommand } from './facts.ts'

/** `cd` and `exit`. */
export const ENTERING = 2

/** They go elsewhere; `chdir` is dash's. */
const GOING = new Set<string | null>(['cd', 'chdir', 'pushd', 'popd'])
const NO_NAME = new Set(['', '.', '..'])

export function directoryOf(
  script: ParsedScript,
  literal: ReadonlyMap<Command, LiteralCommand>,
  commands: readonly FoundCommand[],
): string | null {
  const [first, ...others] = script.commands
  if (first === undefined || others.length === 0 || first.background === true) return null
  const directory = enteredBy(first.command, literal)
  if (directory === null || !isCanonical(directory)) return null
  const stays = commands.slice(ENTERING).every(({ name, hides }) => hides === null && !GOING.has(name))
  return stays ? directory : null
}

function enteredBy(
  node: ParsedScript['commands'][number]['command'],
  literal: ReadonlyMap<Command, LiteralCommand>,
): string | null {
  if (node.type !== 'AndOr' || node.operators.length !== 1 || node.operators[0] !== '||') return null
  const [cd, exit] = node.commands.map((part) => (part.type === 'Command' ? literal.get(part) : undefined))
  if (cd === undefined || exit === undefined) return null
  const [name, directory, ...more] = cd.argv
  if (name !== 'cd' || directory === undefined || more.length > 0) return null
  return exit.argv.length === 1 && exit.argv[0] === 'exit' ? directory : null
}

/** Absolute, and written in the one way that means it. */
function isCanonical(path: string): boolean {
  const [root, ...names] = path.split('/')
  return path === '/' || (root === '' && names.every((name) => !NO_NAME.has(name)))
}
