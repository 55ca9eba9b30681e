/**
 * What a command line would run, by the grammar of shells: sshd gives the line to the login shell as `$SHELL -c LINE`.
 *
 * The grammar is bash's. A line of literal words is not sent as it was written but in Sidegate's own quoting, so that
 * no other shell can read it in another way; every other line has its reasons, and what shells read differently in it
 * counts as a command that is not known.
 */
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'unbash'
import type { ParsedScript } from 'unbash'
import { refusal } from '../gate/refusal.ts'
import { canonicalLine, isPortable } from './canonical.ts'
import { Collection, Refused, type Place } from './collection.ts'
import { visitCommand } from './commands.ts'
import { directoryOf, ENTERING } from './directory.ts'
import type { ShellAnalysis, ShellFacts } from './facts.ts'
import { SHELL_LIMITS, type ShellLimits } from './limits.ts'
import { checkText } from './text.ts'
import { transferOf } from './transfers.ts'
import { Walk } from './walk.ts'

const LINE: Place = { nested: 0, via: null, user: null, background: false, script: false }

/** Never throws: what cannot be analysed is refused. `terminal`: it runs on one. */
export function analyseCommandLine(
  line: string,
  limits: ShellLimits = SHELL_LIMITS,
  { terminal }: { readonly terminal: boolean } = { terminal: false },
): ShellAnalysis {
  try {
    return analyse(line, limits, terminal)
  } catch (error) {
    if (error instanceof Refused) return { kind: 'refused', refusal: error.refusal }
    // The parser is not ours: what it stumbles over, a stack overflow included, is not forwarded.
    return {
      kind: 'refused',
      refusal: refusal('command.unparsable', 'the command line cannot be parsed', 'write it in a simpler way'),
    }
  }
}

function analyse(line: string, limits: ShellLimits, terminal: boolean): ShellAnalysis {
  if (Buffer.byteLength(line) > limits.bytes) {
    throw new Refused(
      'command.too-large',
      `the command line is longer than ${limits.bytes} bytes`,
      'put it into a file and run that',
    )
  }
  const { walk, root } = walked(line, limits, terminal)
  const { found } = walk
  const canonical = canonicalOf(walk, root)
  // Whatever keeps it from its own form should have been a reason.
  if (canonical === null && found.reasons.size === 0) found.reasons.add('unsupported')
  if (canonical === null && found.unportable) found.reasons.add('unportable')
  if (found.reasons.has('unportable')) found.opaque(LINE, 'words')
  return {
    kind: 'commands',
    facts: factsOf(found, directoryOf(root, walk.literal, found.commands)),
    canonical,
    portable: canonical !== null && isPortable(root, walk.literal),
  }
}

function walked(line: string, limits: ShellLimits, terminal: boolean): { walk: Walk; root: ParsedScript } {
  checkText(line)
  const root = parse(line)
  if (root.commands.length === 0 && root.errors === undefined) {
    throw new Refused('command.unparsable', 'there is no command in the command line', 'name one')
  }
  const walk = new Walk(new Collection(limits, terminal), visitCommand)
  walk.script(root, line, LINE)
  return { walk, root }
}

/** The line in canonical form, which was parsed again and found to be what was judged; null where it has none. */
function canonicalOf(walk: Walk, root: ParsedScript): string | null {
  const canonical = canonicalLine(root, walk.literal)
  if (canonical === null) return null
  const { found } = walk
  const again = walked(canonical, found.limits, found.terminal).walk.found
  const same =
    isDeepStrictEqual(again.commands, found.commands) &&
    isDeepStrictEqual(again.redirects, found.redirects) &&
    isDeepStrictEqual(again.reasons, found.reasons)
  if (!same) throw new Refused('command.unsupported', 'the command line is ambiguous', 'write it in a simpler way')
  return canonical
}

function factsOf(found: Collection, directory: string | null): ShellFacts {
  const { redirects } = found
  const commands = found.commands.map((command, index) => ({
    ...command,
    directory: command.nested === 0 && index >= ENTERING ? directory : null,
  }))
  const reasons = [...found.reasons].toSorted()
  const literal = reasons.length === 0
  return { commands, literal, reasons, redirects, transfer: literal ? transferOf(commands, redirects) : null }
}
