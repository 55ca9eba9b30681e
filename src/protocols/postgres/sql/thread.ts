/** A thread that parses large texts, and is ended when one takes too long. */
import { Worker } from 'node:worker_threads'
import { WAITING_TEXTS, WORKER_STACK_MB, type ParseLimits } from './limits.ts'
import type { ParsedStatement } from './parse.ts'
import { Refused } from './refused.ts'
import type { RefusalCode } from '../../../gate/refusal.ts'

/** What the thread answers: trees, or why there are none. */
export type ThreadAnswer =
  | { readonly parsed: readonly ParsedStatement[] }
  | { readonly refused: { readonly code: RefusalCode; readonly message: string; readonly remedy: string } }

interface Task {
  readonly text: string
  readonly resolve: (parsed: readonly ParsedStatement[]) => void
  readonly reject: (error: Error) => void
}

/** V8's heap for the trees of the largest text, 50,000 nodes of some hundred bytes, and for the parser's JSON. */
const HEAP_MB = 512

const TOO_DEEP = { code: 'command.too-large', message: 'the text is nested too deeply', remedy: 'simplify it' } as const

export class ParsingThread {
  readonly #limits: ParseLimits
  readonly #waiting: Task[] = []
  #worker: Worker | null = null
  #current: Task | null = null
  #timer: NodeJS.Timeout | null = null
  #closed = false

  constructor(limits: ParseLimits) {
    this.#limits = limits
  }

  /** Rejects with `Refused` when it is not SQL, takes longer than `limits.parse`, or too many wait. */
  parse(text: string): Promise<readonly ParsedStatement[]> {
    if (this.#closed) return Promise.reject(tooLarge('the target is closing'))
    if (this.#waiting.length >= WAITING_TEXTS) return Promise.reject(tooLarge('too many large texts wait to be parsed'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text, resolve, reject })
      this.#next()
    })
  }

  /** Ends the thread; what waits is refused. */
  async close(): Promise<void> {
    this.#closed = true
    const tasks = this.#current === null ? this.#waiting.splice(0) : [this.#current, ...this.#waiting.splice(0)]
    this.#current = null
    for (const task of tasks) task.reject(tooLarge('the target is closing'))
    await this.#end()
  }

  #next(): void {
    if (this.#current !== null) return
    const task = this.#waiting.shift()
    if (task === undefined) {
      this.#worker?.unref()
      return
    }
    this.#current = task
    this.#worker ??= this.#start()
    this.#worker.ref()
    this.#timer = setTimeout(() => {
      this.#abandon(tooLarge(`parsing took longer than ${this.#limits.parse} ms`))
    }, this.#limits.parse)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    this.#worker.postMessage(task.text)
  }

  #start(): Worker {
    const worker = new Worker(threadUrl(), {
      workerData: this.#limits,
      stdin: false,
      env: {},
      resourceLimits: { stackSizeMb: WORKER_STACK_MB, maxOldGenerationSizeMb: HEAP_MB },
    })
    worker.on('message', (answer: ThreadAnswer) => {
      if (worker === this.#worker) this.#settle(answer)
    })
    // A tree that this thread's stack cannot take back; the other one has a larger stack, and goes on.
    worker.on('messageerror', () => {
      if (worker === this.#worker) this.#settle({ refused: TOO_DEEP })
    })
    worker.on('error', () => {
      if (worker === this.#worker) this.#abandon(tooLarge('the text could not be parsed within the memory for it'))
    })
    worker.on('exit', () => {
      if (worker === this.#worker) this.#abandon(tooLarge('the text could not be parsed'))
    })
    return worker
  }

  #settle(answer: ThreadAnswer): void {
    const task = this.#finish()
    if ('parsed' in answer) task?.resolve(answer.parsed)
    else task?.reject(new Refused(answer.refused.code, answer.refused.message, answer.refused.remedy))
    this.#next()
  }

  /** The thread is gone, or as good as gone; the next text gets another. */
  #abandon(error: Error): void {
    const task = this.#finish()
    void this.#end()
    task?.reject(error)
    this.#next()
  }

  #finish(): Task | null {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const task = this.#current
    this.#current = null
    return task
  }

  async #end(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    const worker = this.#worker
    this.#worker = null
    await worker?.terminate()
  }
}

/** Beside this file, under whatever extension it runs. */
function threadUrl(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './parser-thread.ts' : './parser-thread.js', import.meta.url)
}

function tooLarge(message: string): Refused {
  return new Refused('command.too-large', message, 'split it into smaller statements, or send data with COPY')
}
