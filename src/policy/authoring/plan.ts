/**
 * Which parts of the input a compiled policy can read, from OPA's intermediate form (`opa build -t plan`), where every
 * step of every reference is a statement of its own.
 *
 * Flow-insensitive and conservative: a value taken out of the input counts as read whole unless the only thing that
 * is done with it is to take a constantly named part out of it. Anything that the analysis does not know gives null,
 * which means that nobody may assume anything.
 */

type Path = readonly string[]

interface Operand {
  readonly type: string
  readonly value: unknown
}

interface Statement {
  readonly type: string
  readonly stmt: Readonly<Record<string, unknown>>
}

interface Block {
  readonly stmts?: readonly Statement[] | null
}

interface Plan {
  readonly static: {
    readonly strings?: readonly { readonly value: string }[]
    readonly builtin_funcs?: readonly { readonly name: string }[] | null
  }
  readonly plans: { readonly plans: readonly { readonly name: string; readonly blocks: readonly Block[] }[] }
  readonly funcs: {
    readonly funcs: readonly {
      readonly name: string
      readonly params: readonly number[]
      readonly blocks: readonly Block[]
    }[]
  }
}

export interface Reads {
  /** Null where they cannot be listed. */
  readonly inputPaths: readonly Path[] | null
  /** The builtins called, natively or by the host. */
  readonly builtins: readonly string[]
}

/** Statements without anything that takes a value apart, and the fields of theirs that name locals they use. */
const USES: Readonly<Record<string, readonly string[]>> = {
  ArrayAppendStmt: ['array', 'value'],
  AssignIntStmt: [],
  BlockStmt: [],
  BreakStmt: [],
  EqualStmt: ['a', 'b'],
  IsArrayStmt: ['source'],
  IsDefinedStmt: ['source'],
  IsObjectStmt: ['source'],
  IsSetStmt: ['source'],
  IsUndefinedStmt: ['source'],
  LenStmt: ['source'],
  MakeArrayStmt: [],
  MakeNullStmt: [],
  MakeNumberIntStmt: [],
  MakeNumberRefStmt: [],
  MakeObjectStmt: [],
  MakeSetStmt: [],
  NopStmt: [],
  NotEqualStmt: ['a', 'b'],
  NotStmt: [],
  ObjectInsertOnceStmt: ['key', 'value', 'object'],
  ObjectInsertStmt: ['key', 'value', 'object'],
  ObjectMergeStmt: ['a', 'b'],
  ResetLocalStmt: [],
  ResultSetAddStmt: ['value'],
  ReturnLocalStmt: ['source'],
  ScanStmt: ['source'],
  SetAddStmt: ['value', 'set'],
}

/** Something in the plan that the analysis cannot account for. */
class Unaccountable extends Error {}

export function readsOf(json: string): Reads {
  const plan = JSON.parse(json) as Plan
  const builtins = (plan.static.builtin_funcs ?? []).map(({ name }) => name)
  const strings = (plan.static.strings ?? []).map(({ value }) => value)
  const functions = new Set(plan.funcs.funcs.map(({ name }) => name))
  // The input is local 0 of every plan, and the first parameter of every function of a rule.
  const bodies = [
    ...plan.plans.plans.map(({ blocks }) => ({ input: 0, blocks })),
    ...plan.funcs.funcs.map(({ params, blocks }) => ({ input: params[0] ?? 0, blocks })),
  ]
  try {
    const paths = bodies.flatMap(({ input, blocks }) => new Body(input, strings, functions).read(blocks))
    return { inputPaths: shortest(paths), builtins }
  } catch (error) {
    if (error instanceof Unaccountable) return { inputPaths: null, builtins }
    throw error
  }
}

/** Without those that another one is the beginning of; null when the whole input is among them. */
function shortest(paths: readonly Path[]): readonly Path[] | null {
  const byKey = new Map(paths.map((path) => [JSON.stringify(path), path]))
  const all = [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path)
  if (all.some((path) => path.length === 0)) return null
  return all.filter((path) => !path.some((_, end) => end > 0 && byKey.has(JSON.stringify(path.slice(0, end)))))
}

/** One function or plan: which locals hold which parts of the input, and which of them are used whole. */
class Body {
  readonly #strings: readonly string[]
  readonly #functions: ReadonlySet<string>
  readonly #input: number
  /** The parts of the input that a local may hold, as JSON. */
  readonly #holds = new Map<number, Set<string>>()
  readonly #copies: (readonly [from: number, to: number])[] = []
  readonly #dots: { readonly from: number; readonly key: string; readonly to: number }[] = []
  readonly #used = new Set<number>()
  readonly #apart = new Set<number>()

  constructor(input: number, strings: readonly string[], functions: ReadonlySet<string>) {
    this.#input = input
    this.#strings = strings
    this.#functions = functions
    this.#holds.set(input, new Set(['[]']))
  }

  read(blocks: readonly Block[]): readonly Path[] {
    for (const block of blocks) this.#block(block)
    this.#settle()
    const read: Path[] = []
    for (const [local, held] of this.#holds) {
      // A local that nothing is done with was taken out to see whether it is there.
      const onlyTakenApart = this.#apart.has(local) && !this.#used.has(local)
      if (onlyTakenApart || (local === this.#input && !this.#used.has(local))) continue
      read.push(...[...held].map((path) => JSON.parse(path) as Path))
    }
    return read
  }

  /** Until nothing is added: parts are handed from local to local. Paths only grow along the plan, which has no loops. */
  #settle(): void {
    for (let changed = true, rounds = 0; changed; rounds++) {
      if (rounds > MAX_ROUNDS) throw new Unaccountable()
      changed = false
      for (const [from, to] of this.#copies) {
        for (const path of this.#holds.get(from) ?? []) changed = this.#hold(to, path) || changed
      }
      for (const { from, key, to } of this.#dots) {
        for (const path of this.#holds.get(from) ?? []) {
          changed = this.#hold(to, JSON.stringify([...(JSON.parse(path) as string[]), key])) || changed
        }
      }
    }
  }

  #hold(local: number, path: string): boolean {
    const held = this.#holds.get(local) ?? new Set()
    this.#holds.set(local, held)
    if (held.has(path)) return false
    held.add(path)
    // More than one definition: taking it apart in one place could hide that another only looks whether it is there.
    if (held.size > 1) this.#used.add(local)
    return true
  }

  #block({ stmts }: Block): void {
    for (const statement of stmts ?? []) this.#statement(statement)
  }

  #statement({ type, stmt }: Statement): void {
    for (const nested of blocksOf(stmt)) this.#block(nested)
    if (type === 'DotStmt') this.#dot(stmt)
    else if (type === 'AssignVarStmt' || type === 'AssignVarOnceStmt') this.#assign(stmt)
    else if (type === 'CallStmt') this.#call(stmt['args'], this.#functions.has(String(stmt['func'])))
    // Only rules are called by a computed name.
    else if (type === 'CallDynamicStmt') this.#callDynamic(stmt)
    else if (Object.hasOwn(USES, type)) for (const field of USES[type] ?? []) this.#use(stmt[field])
    else throw new Unaccountable()
  }

  #dot({ source, key, target }: Readonly<Record<string, unknown>>): void {
    const from = localOf(source)
    const name = constantOf(key, this.#strings)
    if (from === undefined) return
    if (name === undefined || typeof target !== 'number') {
      this.#use(source)
      this.#use(key)
      return
    }
    this.#apart.add(from)
    this.#dots.push({ from, key: name, to: target })
  }

  #assign({ source, target }: Readonly<Record<string, unknown>>): void {
    const from = localOf(source)
    if (from === undefined) return
    if (typeof target !== 'number') throw new Unaccountable()
    // What becomes of the copy says what is read of it.
    this.#apart.add(from)
    this.#copies.push([from, target])
  }

  #call(args: unknown, ofRule: boolean): void {
    if (!Array.isArray(args)) throw new Unaccountable()
    const [first, ...rest] = args as readonly unknown[]
    // A rule's function is given the input as it is, and is looked at by itself.
    if (!ofRule || this.#local(first) !== this.#input) this.#use(first)
    for (const arg of rest) this.#use(arg)
  }

  #callDynamic({ args, path }: Readonly<Record<string, unknown>>): void {
    if (!Array.isArray(path)) throw new Unaccountable()
    for (const part of path as readonly unknown[]) this.#use(part)
    this.#call(args, true)
  }

  #use(value: unknown): void {
    const local = this.#local(value)
    if (local !== undefined) this.#used.add(local)
  }

  /** Some fields hold a local's number, others an operand that may be one. */
  #local(value: unknown): number | undefined {
    return typeof value === 'number' ? value : localOf(value)
  }
}

/** Locals are handed on far fewer times than this in any real policy. */
const MAX_ROUNDS = 1_000

function* blocksOf(stmt: Readonly<Record<string, unknown>>): Generator<Block> {
  const { block, blocks } = stmt
  if (typeof block === 'object' && block !== null) yield block
  if (Array.isArray(blocks)) yield* blocks as readonly Block[]
}

const localOf = (value: unknown): number | undefined =>
  isOperand(value) && value.type === 'local' && typeof value.value === 'number' ? value.value : undefined

const constantOf = (value: unknown, strings: readonly string[]): string | undefined =>
  isOperand(value) && value.type === 'string_index' && typeof value.value === 'number'
    ? strings[value.value]
    : undefined

const isOperand = (value: unknown): value is Operand => typeof value === 'object' && value !== null && 'type' in value
