import { type Module, refOf, resolve, type Rule, ruleName, type Term, visitTerms } from './ast.ts'
import type { Finding } from './findings.ts'

export const KINDS = ['allow', 'deny', 'approve', 'mask', 'limit', 'record'] as const
export type Kind = (typeof KINDS)[number]
export const isKind = (name: string): name is Kind => (KINDS as readonly string[]).includes(name)

/** One rule of the author's, and where it stands. */
export interface Definition {
  readonly module: Module
  readonly rule: Rule
}

/** All of the author's rules but tests, and what they refer to. */
export class Program {
  readonly modules: readonly Module[]
  /** By `policy.<package>.<rule>`. */
  readonly definitions: ReadonlyMap<string, readonly Definition[]>
  readonly #names = new Map<string, Set<string>>()

  constructor(modules: readonly Module[]) {
    this.modules = modules
    const definitions = new Map<string, Definition[]>()
    for (const module of modules) {
      const names = this.#names.get(module.package.join('.')) ?? new Set()
      this.#names.set(module.package.join('.'), names)
      for (const rule of module.rules) {
        const name = qualify(module, rule)
        names.add(ruleName(rule))
        definitions.set(name, [...(definitions.get(name) ?? []), { module, rule }])
      }
    }
    this.definitions = definitions
  }

  all(): readonly Definition[] {
    return [...this.definitions.values()].flat()
  }

  /** The full path that a term begins with, as `["data", "sidegate", "sql", "reads"]`. */
  resolve(module: Module, term: Term): readonly string[] {
    return resolve(module, this.#names.get(module.package.join('.')) ?? new Set(), term)
  }

  /** The rules that a definition refers to, by `policy.<package>.<rule>`. */
  uses({ module, rule }: Definition): ReadonlySet<string> {
    const used = new Set<string>()
    visitTerms([rule.head, rule.body, rule.else], (term) => {
      if (term.type !== 'var' && refOf(term) === undefined) return
      const [root, ...path] = this.resolve(module, term)
      if (root === 'data' && path[0] === 'policy') used.add(path.slice(0, 3).join('.'))
    })
    return used
  }

  /** Every rule that the six kinds, or those of them that are meant, reach. A reference to a whole package reaches all of it. */
  reached(meant: (kind: Kind) => boolean = () => true): ReadonlySet<string> {
    const reached = new Set<string>()
    const waiting = [...this.definitions.keys()].filter((name) => {
      const kind = name.split('.')[2] ?? ''
      return isKind(kind) && meant(kind)
    })
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (reached.has(name)) continue
      reached.add(name)
      for (const definition of this.definitions.get(name) ?? []) {
        for (const used of this.uses(definition)) {
          waiting.push(...[...this.definitions.keys()].filter((each) => each === used || each.startsWith(`${used}.`)))
        }
      }
    }
    return reached
  }
}

export const qualify = (module: Module, rule: Rule): string => [...module.package, ruleName(rule)].join('.')

export function finding(
  { module }: { readonly module: Module },
  node: { readonly location?: { readonly row: number } } | undefined,
  code: string,
  message: string,
  remedy: string,
): Finding {
  return { file: module.path, line: node?.location?.row ?? 0, code, message, remedy }
}
