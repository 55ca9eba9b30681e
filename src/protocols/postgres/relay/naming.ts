/** What one session knows by name, prepared statements and portals, and the statements that run others by their names. */
import { refusal } from '../../../gate/refusal.ts'
import type { Catalogue } from '../catalogue.ts'
import { coercionsOf } from '../sql/coercions.ts'
import { calling, compose, innermost, mystify } from '../compose.ts'
import { Names, type Version } from '../names.ts'
import type { Analysis, Statement } from '../statement.ts'
import type { Portal, Prepared } from './execution.ts'
import { type Refused, refused } from './refused.ts'
import { LIGHT, MOST_WEIGHT, weightKept, weightOf, weightOfPortal } from './weight.ts'

/** Texts to statements, by the target's cache; a promise where a large one is parsed off the main thread. */
export interface Analyses {
  of(text: string): Analysis | Promise<Analysis>
  catalogue(): Catalogue
  /** Looks at the catalogs again. */
  refresh(): Promise<void>
}

/** How many names deep one statement may run another. */
const NAMED_LEVELS = 8

const NO_STATEMENTS: readonly Version<Prepared>[] = Object.freeze([])
const NO_PORTALS: readonly Version<Portal>[] = Object.freeze([])

/** What a statement does to the names, once the server has done it. */
export interface NameChanges {
  readonly statements: readonly Version<Prepared>[]
  readonly portals: readonly Version<Portal>[]
}
export const NO_CHANGES: NameChanges = Object.freeze({ statements: NO_STATEMENTS, portals: NO_PORTALS })

export class Naming {
  readonly statements: Names<Prepared>
  readonly portals: Names<Portal>
  readonly #analyses: Analyses

  /** @param limit how many names of each kind may be known at once. */
  constructor(limit: number, pipeline: { readonly segment: number }, analyses: Analyses) {
    this.statements = new Names(limit, pipeline, weightOf)
    this.portals = new Names(limit, pipeline, weightOfPortal)
    this.#analyses = analyses
  }

  /** There is room for one more of that weight, under that name. */
  roomFor(kind: 'statements' | 'portals', name: string, weight: number): boolean {
    const names = this[kind]
    if (!names.room) return false
    if (weight <= LIGHT) return true
    const beside = names.weightBeside(name)
    return beside === 0 || beside + weight <= MOST_WEIGHT
  }

  /** There is room for what the statement keeps when it runs. */
  roomToRun(statement: Statement): boolean {
    const { role } = innermost(statement)
    const weight = weightKept(innermost(statement))
    if (role.is === 'prepare') return this.roomFor('statements', role.name, weight)
    return role.is === 'declare' ? this.roomFor('portals', role.name, weight) : true
  }

  /** The unnamed statement ends, with the server's next answer. */
  dropUnnamed(): Version<Prepared> | null {
    return this.statements.has('') ? this.statements.remove('') : null
  }

  /** The server has said, or will never say, what ends the unnamed statement. */
  dropped(unnamed: Version<Prepared> | null, done: boolean): void {
    if (unnamed === null) return
    if (done) this.statements.confirm(unnamed)
    else this.statements.revert(unnamed)
  }

  /**
   * The statement with what it runs by name, through all levels: the protocol can prepare an EXECUTE, which SQL then
   * executes. `earlier` holds names that statements before it in its message define.
   */
  resolve(statement: Statement, earlier: ReadonlyMap<string, Statement | null> | null, level = 0): Statement | Refused {
    const { role } = statement
    if (role.is !== 'execute' && role.is !== 'wraps-execute' && role.is !== 'fetch') return statement
    if (level === NAMED_LEVELS) {
      // A FETCH can even be bound to the portal that it fetches from.
      if (role.is === 'fetch') return mystify(statement)
      return refused(refusal('command.too-large', 'statements run each other by too many names'))
    }
    const named =
      role.is === 'fetch'
        ? (earlier?.get(`p${role.name}`) ?? this.portals.get(role.name)?.statement)
        : (earlier?.get(`s${role.name}`) ?? this.current(this.statements.get(role.name)))
    if (named === null || named === undefined) {
      if (role.is === 'fetch') return mystify(statement)
      return refused(refusal('command.unsupported', `prepared statement "${role.name}" does not exist`), '26000')
    }
    const inner = this.resolve(named, earlier, level + 1)
    return 'refusal' in inner ? inner : compose(statement, inner)
  }

  /** What must be known of the names that a statement runs before it can be judged. */
  settling({ role }: Statement, level = 0): Promise<void> | undefined {
    if (role.is !== 'execute' && role.is !== 'wraps-execute' && role.is !== 'fetch') return undefined
    if (level === NAMED_LEVELS) return undefined
    const names = role.is === 'fetch' ? this.portals : this.statements
    const settling = names.settling(role.name)
    if (settling !== undefined) return settling
    const named = names.get(role.name)?.statement
    return named === null || named === undefined ? undefined : this.settling(named, level + 1)
  }

  /** The prepared statement as the catalogue of now has it; undefined where it has to be analysed off the main thread. */
  current(prepared: Prepared | undefined): Statement | null | undefined {
    if (prepared === undefined) return undefined
    const { revision } = this.#analyses.catalogue()
    if (prepared.revision === revision) return prepared.statement
    // The text of what SQL has prepared is that of its PREPARE.
    const analysis = this.#analyses.of(prepared.text ?? prepared.statement?.shape.text ?? '')
    if (analysis instanceof Promise || analysis.kind !== 'statements') return undefined
    const own = analysis.statements[0] ?? null
    const inner = own !== null && prepared.text === null ? innerOfPrepare(own) : own
    if (inner === undefined) return undefined
    prepared.statement = this.typed(inner, prepared.types)
    prepared.revision = revision
    return prepared.statement
  }

  /** The statement with what its parameters call when they become values of the types that are said to be theirs. */
  typed(statement: Statement | null, types: readonly number[]): Statement | null {
    if (statement === null || types.length === 0) return statement
    const catalogue = this.#analyses.catalogue()
    const calls = types.flatMap((type) => [...(catalogue.typeChecks?.(type) ?? []), ...coercionsOf(catalogue, type)])
    return calls.length === 0 ? statement : calling(statement, calls)
  }

  /** The cursor that the statement fetches from; null where it fetches from none that is known. */
  cursor(statement: Statement): Portal | null {
    const { role } = innermost(statement)
    return role.is === 'fetch' ? (this.portals.get(role.name) ?? null) : null
  }

  /** What running the statement does to the names, from now on. */
  change(statement: Statement): NameChanges {
    const { role } = innermost(statement)
    switch (role.is) {
      case 'plain':
      case 'execute':
      case 'wraps-execute':
      case 'fetch':
      case 'copy-in':
      case 'copy-out':
        return NO_CHANGES
      case 'prepare': {
        const { revision } = this.#analyses.catalogue()
        const prepared = { name: role.name, text: null, statement: role.statement, revision, types: [] }
        return { statements: [this.statements.define(role.name, prepared)], portals: NO_PORTALS }
      }
      case 'deallocate': {
        const all = () => this.statements.removeWhere(named)
        const statements = role.name === null ? all() : [this.statements.remove(role.name)]
        return { statements, portals: NO_PORTALS }
      }
      case 'declare':
        return { statements: NO_STATEMENTS, portals: [this.portals.define(role.name, declared(role))] }
      case 'close': {
        const portals = role.name === null ? this.portals.removeWhere(() => true) : [this.portals.remove(role.name)]
        return { statements: NO_STATEMENTS, portals }
      }
      case 'discard-all':
        return { statements: this.statements.removeWhere(named), portals: this.portals.removeWhere(() => true) }
    }
  }

  /** The server has done it. */
  confirm({ statements, portals }: NameChanges): void {
    for (const version of statements) this.statements.confirm(version)
    for (const version of portals) this.confirmPortal(version)
  }

  confirmPortal(version: Version<Portal>): void {
    if (version.value !== null) version.value.confirmed = true
    this.portals.confirm(version)
  }

  /** The server has not done it. */
  revert({ statements, portals }: NameChanges): void {
    for (const version of statements.toReversed()) this.statements.revert(version)
    for (const version of portals.toReversed()) this.portals.revert(version)
  }
}

/** SQL knows nothing of the unnamed statement: not even all of them are this one. */
const named = ({ name }: Prepared): boolean => name !== ''

function innerOfPrepare({ role }: Statement): Statement | undefined {
  return role.is === 'prepare' ? role.statement : undefined
}

function declared({ name, statement, hold }: Extract<Statement['role'], { is: 'declare' }>): Portal {
  return newPortal({ name, prepared: null, statement, parameters: [], values: [], hold })
}

export function newPortal(
  of: Pick<Portal, 'name' | 'prepared' | 'statement' | 'parameters' | 'values' | 'hold'>,
): Portal {
  return { ...of, confirmed: false, described: false, description: null, rows: 0, bytes: 0 }
}
