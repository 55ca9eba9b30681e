/** Rego's own notation of values, as `opa_value_dump` writes it: JSON, with sets told apart from arrays. */
export type Term =
  | { readonly is: 'string'; readonly value: string }
  /** Also `true`, `false` and `null`: `source` is how it is written. */
  | { readonly is: 'number' | 'word'; readonly source: string }
  | { readonly is: 'array' | 'set'; readonly items: readonly Term[] }
  | { readonly is: 'object'; readonly entries: readonly (readonly [Term, Term])[] }

/** Deeper values than this are not formatted; the policy input is not deeper either. */
const MAX_DEPTH = 128

export function parseTerm(text: string): Term {
  const parser = new Parser(text)
  const term = parser.term(0)
  parser.end()
  return term
}

/** As OPA prints a value in a message: `[1, "a"]`, `{"k": 1}`, `{1, 2}`, `set()`; sets and keys in Rego's order. */
export function printTerm(term: Term): string {
  switch (term.is) {
    case 'string':
      return quote(term.value)
    case 'number':
    case 'word':
      return term.source
    case 'array':
      return `[${term.items.map(printTerm).join(', ')}]`
    case 'set':
      return term.items.length === 0 ? 'set()' : `{${[...term.items].sort(compareTerms).map(printTerm).join(', ')}}`
    case 'object': {
      const entries = [...term.entries].sort(([a], [b]) => compareTerms(a, b))
      return `{${entries.map(([key, value]) => `${printTerm(key)}: ${printTerm(value)}`).join(', ')}}`
    }
  }
}

/** Go's `strconv.Quote`. */
export function quote(text: string, asciiOnly = false): string {
  let out = '"'
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    const named = NAMED_ESCAPES.get(character)
    if (named !== undefined) out += named
    else if (code < 0x20 || code === 0x7f) out += `\\x${hex(code, 2)}`
    else if (code < 0x7f || (!asciiOnly && PRINTABLE.test(character))) out += character
    else if (code <= 0xffff) out += `\\u${hex(code, 4)}`
    else out += `\\U${hex(code, 8)}`
  }
  return `${out}"`
}

/** Go's `unicode.IsPrint` above ASCII: letters, marks, numbers, punctuation and symbols. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u

const NAMED_ESCAPES = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
])

const hex = (code: number, width: number) => code.toString(16).padStart(width, '0')

/** Rego's order of types, then of values. */
const RANKS = { null: 0, false: 1, true: 1, number: 2, string: 3, array: 4, object: 5, set: 6 } as const

function rank(term: Term): number {
  return term.is === 'word' ? RANKS[term.source as 'null' | 'true' | 'false'] : RANKS[term.is]
}

export function compareTerms(a: Term, b: Term): number {
  const ranks = rank(a) - rank(b)
  if (ranks !== 0) return ranks
  if (a.is === 'string' && b.is === 'string') return Buffer.compare(Buffer.from(a.value), Buffer.from(b.value))
  if (a.is === 'number' && b.is === 'number') return Number(a.source) - Number(b.source)
  if (a.is === 'word' && b.is === 'word') return Number(a.source === 'true') - Number(b.source === 'true')
  if (a.is === 'array' && b.is === 'array') return compareLists(a.items, b.items)
  if (a.is === 'set' && b.is === 'set') {
    return compareLists([...a.items].sort(compareTerms), [...b.items].sort(compareTerms))
  }
  if (a.is === 'object' && b.is === 'object') {
    const [left, right] = [a, b].map(({ entries }) => [...entries].sort(([x], [y]) => compareTerms(x, y)).flat())
    return compareLists(left ?? [], right ?? [])
  }
  return 0
}

function compareLists(a: readonly Term[], b: readonly Term[]): number {
  for (const [index, item] of a.entries()) {
    const other = b[index]
    if (other === undefined) return 1
    const order = compareTerms(item, other)
    if (order !== 0) return order
  }
  return a.length - b.length
}

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  end(): void {
    this.#space()
    if (this.#at !== this.#text.length) throw new SyntaxError('text follows a value')
  }

  term(depth: number): Term {
    if (depth > MAX_DEPTH) throw new SyntaxError('a value is too deep')
    this.#space()
    const next = this.#text[this.#at]
    if (next === '"') return { is: 'string', value: this.#string() }
    if (next === '[') return { is: 'array', items: this.#list(']', depth) }
    if (next === '{') return this.#braces(depth)
    if (this.#text.startsWith('set()', this.#at)) {
      this.#at += 'set()'.length
      return { is: 'set', items: [] }
    }
    const [source] = this.#match(/(?:true|false|null)|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y)
    return { is: /^[tfn]/.test(source) ? 'word' : 'number', source }
  }

  #braces(depth: number): Term {
    this.#at++
    this.#space()
    if (this.#text[this.#at] === '}') {
      this.#at++
      return { is: 'object', entries: [] }
    }
    const first = this.term(depth + 1)
    if (!this.#take(':')) return { is: 'set', items: [first, ...this.#rest('}', depth)] }
    const entries: [Term, Term][] = [[first, this.term(depth + 1)]]
    while (!this.#take('}')) {
      this.#need(',')
      const key = this.term(depth + 1)
      this.#need(':')
      entries.push([key, this.term(depth + 1)])
    }
    return { is: 'object', entries }
  }

  #list(close: string, depth: number): Term[] {
    this.#at++
    if (this.#take(close)) return []
    return [this.term(depth + 1), ...this.#rest(close, depth)]
  }

  #rest(close: string, depth: number): Term[] {
    const items: Term[] = []
    while (!this.#take(close)) {
      this.#need(',')
      items.push(this.term(depth + 1))
    }
    return items
  }

  #string(): string {
    const [source] = this.#match(/"(?:[^"\\]|\\.)*"/sy)
    return JSON.parse(source) as string
  }

  #match(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) throw new SyntaxError('a value is not as Rego writes it')
    this.#at = pattern.lastIndex
    return match
  }

  #take(character: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #need(character: string): void {
    if (!this.#take(character)) throw new SyntaxError(`a value lacks ${character}`)
  }

  #space(): void {
    while (this.#text[this.#at] === ' ') this.#at++
  }
}
