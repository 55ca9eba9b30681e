/**
 * Which parts of the input a compiled policy can read, from OPA's intermediate form (`opa build -t plan`), where every
 * step of every reference is a statement of its own.
 *
 * Conservative: a value taken out of the input counts as read whole unless the only thing that is done with it is to take
 * a constantly named part out of it. Anything that the analysis does not know gives null, which means that nobody may
 * assume anything.
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

/** One value that a local was given: parts of the input, and what is done with it. */
interface Held {
  readonly paths: readonly Path[]
  /** It is handed on, or a constantly named part is taken out of it: what becomes of that says what is read. */
  apart: boolean
  used: boolean
}

/** What a local may hold at one place of the plan. */
type Locals = Map<number, ReadonlySet<Held>>

/**
 * One function or plan. Its statements are followed in their order, since the planner uses a local again for something
 * else once nobody needs what it held. A block may end at any of its statements: what is behind it sees what any of them
 * left.
 */
class Body {
  readonly #strings: readonly string[]
  readonly #functions: ReadonlySet<string>
  readonly #input: Held = { paths: [[]], apart: false, used: false }
  readonly #entry: number
  readonly #all: Held[] = []

  constructor(input: number, strings: readonly string[], functions: ReadonlySet<string>) {
    this.#entry = input
    this.#strings = strings
    this.#functions = functions
  }

  read(blocks: readonly Block[]): readonly Path[] {
    let locals: Locals = new Map([[this.#entry, new Set([this.#input])]])
    for (const block of blocks) locals = this.#block(block, locals)
    const whole = this.#input.used ? this.#input.paths : []
    // A part that nothing is done with was taken out to see whether it is there.
    return [...whole, ...this.#all.filter(({ apart, used }) => used || !apart).flatMap(({ paths }) => paths)]
  }

  #block({ stmts }: Block, before: Locals): Locals {
    const locals: Locals = new Map(before)
    const after: Locals = new Map(before)
    for (const statement of stmts ?? []) {
      this.#statement(statement, locals)
      join(after, locals)
    }
    return after
  }

  #statement({ type, stmt }: Statement, locals: Locals): void {
    if (type === 'DotStmt') this.#dot(stmt, locals)
    else if (type === 'AssignVarStmt' || type === 'AssignVarOnceStmt') this.#assign(stmt, locals)
    else if (type === 'CallStmt') this.#call(stmt['args'], this.#functions.has(String(stmt['func'])), locals)
    // Only rules are called by a computed name.
    else if (type === 'CallDynamicStmt') this.#callDynamic(stmt, locals)
    else if (Object.hasOwn(USES, type)) for (const field of USES[type] ?? []) this.#use(stmt[field], locals)
    else throw new Unaccountable()
    if (type !== 'DotStmt' && !type.startsWith('AssignVar')) forget(type, stmt, locals)
    for (const nested of blocksOf(stmt)) {
      join(locals, this.#block(nested, locals))
      // A later round sees what an earlier one left.
      if (type === 'ScanStmt') join(locals, this.#block(nested, locals))
    }
  }

  #dot({ source, key, target }: Readonly<Record<string, unknown>>, locals: Locals): void {
    const from = localOf(source)
    const name = constantOf(key, this.#strings)
    if (typeof target !== 'number') throw new Unaccountable()
    const held = from === undefined ? NOTHING : (locals.get(from) ?? NOTHING)
    if (name === undefined) {
      this.#use(source, locals)
      this.#use(key, locals)
      locals.set(target, NOTHING)
      return
    }
    for (const value of held) value.apart = true
    this.#give(target, unique([...held].flatMap(({ paths }) => paths.map((path) => [...path, name]))), locals)
  }

  #assign({ source, target }: Readonly<Record<string, unknown>>, locals: Locals): void {
    const from = localOf(source)
    if (typeof target !== 'number') throw new Unaccountable()
    const held = from === undefined ? NOTHING : (locals.get(from) ?? NOTHING)
    for (const value of held) value.apart = true
    const before = locals.get(target) ?? NOTHING
    this.#give(target, unique([...held].flatMap(({ paths }) => paths)), locals)
    // An assignment that may happen only once leaves what another branch assigned.
    locals.set(target, new Set([...before, ...(locals.get(target) ?? NOTHING)]))
  }

  #give(target: number, paths: readonly Path[], locals: Locals): void {
    if (paths.length > MOST_PATHS) throw new Unaccountable()
    if (paths.length === 0) {
      locals.set(target, NOTHING)
      return
    }
    const held: Held = { paths, apart: false, used: false }
    this.#all.push(held)
    locals.set(target, new Set([held]))
  }

  #call(args: unknown, ofRule: boolean, locals: Locals): void {
    if (!Array.isArray(args)) throw new Unaccountable()
    const [first, ...rest] = args as readonly unknown[]
    // A rule's function is given the input as it is, and is looked at by itself.
    const local = this.#local(first)
    const given = local === undefined ? NOTHING : (locals.get(local) ?? NOTHING)
    if (!ofRule || given.size !== 1 || !given.has(this.#input)) this.#use(first, locals)
    for (const arg of rest) this.#use(arg, locals)
  }

  #callDynamic({ args, path }: Readonly<Record<string, unknown>>, locals: Locals): void {
    if (!Array.isArray(path)) throw new Unaccountable()
    for (const part of path as readonly unknown[]) this.#use(part, locals)
    this.#call(args, true, locals)
  }

  #use(value: unknown, locals: Locals): void {
    const local = this.#local(value)
    if (local !== undefined) for (const held of locals.get(local) ?? NOTHING) held.used = true
  }

  /** Some fields hold a local's number, others an operand that may be one. */
  #local(value: unknown): number | undefined {
    return typeof value === 'number' ? value : localOf(value)
  }
}

const NOTHING: ReadonlySet<Held> = new Set()

/** A local of a real policy holds one part or two; more than this is not worth listing. */
const MOST_PATHS = 1_000

/** A statement gives a local something that is no part of the input, or a part of something that is read whole. */
function forget(type: string, stmt: Readonly<Record<string, unknown>>, locals: Locals): void {
  for (const field of type === 'ScanStmt' ? ['key', 'value'] : ['target', 'result']) {
    const local = stmt[field]
    if (typeof local === 'number') locals.set(local, NOTHING)
  }
}

function join(into: Locals, from: Locals): void {
  for (const [local, held] of from) {
    const known = into.get(local)
    if (known === held) continue
    into.set(local, known === undefined || known.size === 0 ? held : new Set([...known, ...held]))
  }
}

function unique(paths: readonly Path[]): readonly Path[] {
  return [...new Map(paths.map((path) => [JSON.stringify(path), path])).values()]
}

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
