import type { Effect } from '../gate/decision.ts'
import type { Answer, PolicyPort, Question } from '../gate/ports.ts'
import { type Activated, activate } from './activation.ts'
import { type Bundle, openBundle } from './bundle.ts'
import type { Builtins } from './builtins.ts'
import { InputContract } from './contract.ts'
import { type BundleCode, BundleError } from './errors.ts'
import { failure, type Policy } from './policy.ts'
import { verificationKey } from './signature.ts'
import { type BundlePlace, type FoundBundle, pathsOf, readPlace } from './source.ts'
import { Watch } from './watch.ts'

/** As `policy` in the configuration. */
export interface PolicySettings {
  readonly bundle: BundlePlace
  readonly mode: 'enforce' | 'observe'
  /** Milliseconds. */
  readonly budget: number
}

/** Told of every decision: its effect, its first reason's code, how long it took, and whether it was on hand. */
export type DecisionObserver = (effect: Effect, code: string, microseconds: number, memoised: boolean) => void

export interface PolicyOptions {
  /** Digests of the versions of Sidegate's own Rego that bundles may be built with. */
  readonly combiners: ReadonlySet<string>
  readonly observer?: DecisionObserver
  /** Told after each attempt to activate a bundle. */
  readonly attempted?: (status: BundleStatus) => void
  readonly contract?: InputContract
  readonly builtins?: Builtins
  /** Milliseconds between looks at the files. */
  readonly poll?: number
}

/** As OPA's status of a bundle, with what is Sidegate's own. Times are RFC 3339. */
export interface BundleStatus {
  readonly file: string
  /** Empty until the first activation. */
  readonly active_revision: string
  readonly last_successful_activation: string | null
  readonly last_request: string | null
  /** Of the last attempt; null when it succeeded. */
  readonly code: BundleCode | null
  readonly message: string | null
  readonly mode: 'enforce' | 'observe'
  readonly signed: boolean
  readonly serial: number | null
  readonly memoisable: boolean
  /** Why decisions are not memoised; empty when they are. */
  readonly not_memoisable: string
  /** Milliseconds that the slowest sample took. */
  readonly slowest_sample: number | null
  readonly evaluation_errors: number
  readonly last_evaluation_error: string | null
}

interface Active extends Activated {
  readonly bundle: Bundle
  readonly at: Date
  /** Of its files and of the key that they were verified with. */
  readonly digest: string
}

/** Failures that can pass without anyone touching the files: they are tried again at each look. */
const PASSING: ReadonlySet<BundleCode> = new Set<BundleCode>(['policy.slow', 'bundle.unreadable', 'bundle.expired'])

const UNAVAILABLE = failure('policy.unavailable', '')

/** Policy for the gate: the active bundle, replaced when its file changes and the new one proves itself. */
export class PolicyEngine implements PolicyPort {
  readonly #settings: PolicySettings
  readonly #options: PolicyOptions
  readonly #contract: InputContract
  readonly #observer: DecisionObserver | null
  readonly #listeners = new Set<() => void>()
  #watch: Watch | null = null
  readonly #retry: NodeJS.Timeout
  #policy: Policy | null = null
  #active: Active | null = null
  #failure: BundleError | null = null
  #requestedAt: Date | null = null
  /** Digest of what was last tried, so that the same is not tried again. */
  #tried: string | null = null
  #loading: Promise<void> | null = null
  #again = false
  #closed = false

  private constructor(settings: PolicySettings, options: PolicyOptions) {
    this.#settings = settings
    this.#options = options
    this.#contract = options.contract ?? InputContract.load()
    this.#observer = options.observer ?? null
    this.#retry = setInterval(() => this.#tryAgain(), options.poll ?? RETRY_MS)
    this.#retry.unref()
  }

  /** Tries the bundle once and watches it from then on. A bundle that fails shows in {@link status}; nothing is thrown for it. */
  static async start(settings: PolicySettings, options: PolicyOptions): Promise<PolicyEngine> {
    const engine = new PolicyEngine(settings, options)
    engine.#watch = await Watch.begin(pathsOf(settings.bundle), () => void engine.reload(), options.poll)
    await engine.reload()
    return engine
  }

  /** A bundle is active. */
  get ready(): boolean {
    return this.#policy !== null
  }

  decide(question: Question): Answer {
    const policy = this.#policy
    if (this.#observer !== null) return this.#observed(policy, question, this.#observer)
    if (policy === null) return UNAVAILABLE
    return policy.recall(question) ?? policy.answer(question)
  }

  reads(key: string): boolean {
    const plan = this.#active?.plan
    if (plan === undefined || !plan.memoisable) return true
    return plan.keys === null || plan.keys.includes(key)
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Looks at the bundle now. Resolves when it is active or has failed. */
  async reload(): Promise<void> {
    if (this.#closed) return
    this.#again = true
    this.#loading ??= this.#loadAll().finally(() => {
      this.#loading = null
    })
    await this.#loading
  }

  status(): BundleStatus {
    const active = this.#active
    const plan = active?.plan
    return {
      file: this.#settings.bundle.file,
      active_revision: active?.bundle.revision ?? '',
      last_successful_activation: active?.at.toISOString() ?? null,
      last_request: this.#requestedAt?.toISOString() ?? null,
      code: this.#failure?.code ?? null,
      message: this.#failure?.message ?? null,
      mode: active?.mode ?? this.#settings.mode,
      signed: active?.bundle.signed ?? false,
      serial: active?.bundle.serial ?? null,
      memoisable: plan?.memoisable ?? false,
      not_memoisable: plan === undefined ? 'no bundle is active' : plan.memoisable ? '' : plan.why,
      slowest_sample: active?.slowest ?? null,
      evaluation_errors: this.#policy?.errors ?? 0,
      last_evaluation_error: this.#policy?.lastError ?? null,
    }
  }

  /** Stops watching. What is active goes on answering, for those who still drain. */
  async close(): Promise<void> {
    this.#closed = true
    this.#watch?.close()
    clearInterval(this.#retry)
    this.#listeners.clear()
    await this.#loading
    this.#policy?.close()
  }

  #observed(policy: Policy | null, question: Question, observer: DecisionObserver): Answer {
    const before = performance.now()
    const recalled = policy?.recall(question)
    const answer = recalled ?? policy?.answer(question) ?? UNAVAILABLE
    const { effect, reasons } = answer.decision
    observer(effect, reasons[0]?.code ?? '', (performance.now() - before) * 1000, recalled !== undefined)
    return answer
  }

  #tryAgain(): void {
    if (this.#failure === null || this.#loading !== null || !PASSING.has(this.#failure.code)) return
    // To time a slow policy over and over would slow down the traffic that the active one judges.
    if (this.#failure.code === 'policy.slow' && this.#policy !== null) return
    void this.reload()
  }

  async #loadAll(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false
      await this.#load()
    }
  }

  async #load(): Promise<void> {
    this.#requestedAt = new Date()
    try {
      const tried = this.#tried
      // What cannot even be read is not what was tried before it; that may come back, and counts then.
      this.#tried = null
      const found = await readPlace(this.#settings.bundle)
      const { digest } = found
      this.#tried = digest
      if (digest === tried) return
      if (digest !== this.#active?.digest) await this.#try(found)
      this.#failure = null
    } catch (error) {
      this.#failure =
        error instanceof BundleError
          ? error
          : new BundleError('bundle.malformed', 'the bundle cannot be activated', error)
      if (PASSING.has(this.#failure.code)) this.#tried = null
    }
    this.#options.attempted?.(this.status())
  }

  async #try({ files, keyText, digest }: FoundBundle): Promise<void> {
    const { combiners, builtins } = this.#options
    const { mode, budget } = this.#settings
    const key = keyText === null ? null : verificationKey(keyText)
    const bundle = await openBundle(files, { key, combiners })
    this.#refuseOlder(bundle)
    const settings = { contract: this.#contract, mode, budget, ...(builtins === undefined ? {} : { builtins }) }
    const activated = await activate(bundle, settings)
    if (this.#closed) return activated.policy.close()
    const previous = this.#policy
    this.#active = { ...activated, bundle, at: new Date(), digest }
    this.#policy = activated.policy
    previous?.close()
    this.#tell()
  }

  /** Every listener is told, whatever the others do: each has streams that may have to end. */
  #tell(): void {
    for (const listener of this.#listeners) {
      try {
        listener()
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : new Error('a listener for policy changes failed'))
      }
    }
  }

  /** Signers that count do not go back: an old bundle, however well signed, may allow what was since forbidden. */
  #refuseOlder(bundle: Bundle): void {
    const current = this.#active?.bundle
    if (current === undefined || current.serial === null) return
    // The same policy, signed anew: its key is being replaced.
    if (bundle.serial === current.serial && isSame(bundle, current)) return
    if (bundle.serial === null || bundle.serial <= current.serial) {
      const serial = bundle.serial === null ? 'none' : String(bundle.serial)
      throw new BundleError('bundle.rollback', `the active bundle has serial ${current.serial}, the new one ${serial}`)
    }
  }
}

function isSame(one: Bundle, other: Bundle): boolean {
  const told = ({ revision, data, mode, attestation }: Bundle) => JSON.stringify([revision, data, mode, attestation])
  return told(one) === told(other)
}

/** How often a failure that can pass is tried again. */
const RETRY_MS = 5_000
