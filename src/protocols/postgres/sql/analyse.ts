/** From one message's text to its statements, each with the facts that policy judges. */
import type { Shape } from '../../../gate/command.ts'
import type { Catalogue } from '../catalogue.ts'
import type { Analysis, Node, Statement } from '../statement.ts'
import { freeze, type Facts } from './facts.ts'
import type { ParseLimits } from './limits.ts'
import { guard, parse, type ParsedStatement } from './parse.ts'
import { recordedText } from './passwords.ts'
import { Refused } from './refused.ts'
import { roleOf } from './roles.ts'
import { outerLimit } from './statements.ts'
import { Walk } from './walk.ts'

/**
 * Parses on the calling thread and extracts the facts. Never throws for any text: what cannot be judged is refused.
 * `loadParser()` must have settled.
 */
export function analyse(text: string, catalogue: Catalogue, limits: ParseLimits): Analysis {
  return refusing(() => {
    guard(text, limits)
    return statements(parse(text, limits), catalogue, limits)
  })
}

/** The same from trees that another thread has parsed. */
export function analyseParsed(parsed: readonly ParsedStatement[], catalogue: Catalogue, limits: ParseLimits): Analysis {
  return refusing(() => statements(parsed, catalogue, limits))
}

function refusing(analysis: () => Analysis): Analysis {
  try {
    return analysis()
  } catch (error) {
    return refused(error instanceof Refused ? error : unreadable(error))
  }
}

export function refused(error: Refused): Analysis {
  return Object.freeze({ kind: 'refused', refusal: error.refusal })
}

/** RangeError is a stack or a heap that was too small; anything else is a defect, and refuses all the same. */
function unreadable(error: unknown): Refused {
  if (error instanceof RangeError) {
    return new Refused('command.too-large', 'the text is nested too deeply', 'split it into smaller statements')
  }
  return new Refused('command.unparsable', 'the text could not be analysed', 'write it in another way')
}

function statements(parsed: readonly ParsedStatement[], catalogue: Catalogue, limits: ParseLimits): Analysis {
  const found = parsed.map((one, at) => statement(one, { index: at + 1, of: parsed.length }, catalogue, limits))
  return Object.freeze({ kind: 'statements', statements: Object.freeze(found) })
}

function statement(
  { tree, text }: ParsedStatement,
  place: { index: number; of: number },
  catalogue: Catalogue,
  limits: ParseLimits,
): Statement {
  const walk = new Walk(catalogue, limits)
  walk.root(tree)
  walk.facts.limit = outerLimit(tree)
  const inner = (query: Node): Statement => statement({ tree: query, text }, place, catalogue, limits)
  return Object.freeze({
    shape: shapeOf(walk.facts, tree, text, place),
    role: roleOf(tree, inner),
    tree,
    readsOnly: walk.facts.readsOnly,
    parameters: walk.facts.parameters,
    ...(walk.converting.length === 0 ? {} : { converting: walk.converting }),
  })
}

function shapeOf(facts: Facts, tree: Node, text: string, place: { index: number; of: number }): Shape {
  const recorded = recordedText(tree, text)
  return Object.freeze({
    protocol: 'postgres',
    action: facts.action,
    text,
    detail: freeze(facts.detail(place.index, place.of)),
    ...(recorded === text ? {} : { recorded }),
  })
}
