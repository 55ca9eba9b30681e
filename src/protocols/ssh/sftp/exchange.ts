/** What both directions of one SFTP channel share: the requests that the server owes an answer to, and the open files. */
import type { Permit } from '../../../gate/gate.ts'
import type { Outcome } from '../../../gate/ports.ts'
import type { Refusal } from '../../../gate/refusal.ts'
import { type Facts, operationCommand } from './facts.ts'
import type { OpenFile } from './handles.ts'
import type { SymlinkOrder } from './names.ts'
import type { ExtensionName } from './packets/extensions.ts'
import type { SftpReply } from './packets/replies.ts'
import { type ReplyType, statusName } from './packets/types.ts'
import { refusalStatus } from './refusal.ts'
import type { Step } from './steps.ts'

/** A request that the server has not answered. Each but Sidegate's own is the agent's, under the agent's id. */
export type Pending = { readonly answer: ReplyType | null } & (
  | { readonly kind: 'own'; answered(reply: SftpReply): void }
  | { readonly kind: 'judged'; readonly permit: Permit; readonly mutates: boolean }
  | { readonly kind: 'open'; readonly file: OpenFile; readonly mutates: boolean }
  | { readonly kind: 'read'; readonly file: OpenFile; readonly offset: bigint; readonly length: number }
  | { readonly kind: 'write'; readonly file: OpenFile; readonly length: number }
  | { readonly kind: 'list' | 'look' | 'close'; readonly file: OpenFile }
  | { readonly kind: 'limits' }
)

export interface Settings {
  /** The login name upstream. */
  readonly user: string
  /** In SYMLINK: OpenSSH's `target-first` where the greeting that the agent sees, or the server's own, is OpenSSH's. */
  readonly order: { readonly agent: SymlinkOrder; readonly server: SymlinkOrder }
  /** Whether it matters where paths lead: without it, the server is not asked. */
  readonly resolves: () => boolean
  /** Files and directories that may be open at once. */
  readonly files: number
  /** Whether what is transferred is digested. */
  readonly digests: boolean
  /** Milliseconds since 1970. */
  readonly now: () => number
}

const LAST_ID = 0xffff_ffff

export class Exchange {
  readonly settings: Settings
  readonly pending = new Map<number, Pending>()
  /** By the handle's bytes, as latin1. */
  readonly files = new Map<string, OpenFile>()
  /** Files that were or may be open and are not over. */
  readonly live = new Set<OpenFile>()
  /** What the server announced and is inspected. */
  readonly extensions = new Set<ExtensionName>()
  home: string | null = null
  phase: 'init' | 'version' | 'login' | 'ready' | 'over' = 'init'
  /** Unanswered requests that may change where paths lead. */
  mutating = 0
  #steps: Step[] = []

  constructor(settings: Settings) {
    this.settings = settings
  }

  step(step: Step): void {
    this.#steps.push(step)
  }

  steps(): Step[] {
    const steps = this.#steps
    this.#steps = []
    return steps
  }

  answer(bytes: Buffer): void {
    this.step({ kind: 'answer', bytes })
  }

  /** Refuses what is not judged, on record. */
  refuse(id: number, facts: Facts, because: Refusal): void {
    this.answer(refusalStatus(id, because))
    this.step({ kind: 'refuse', command: operationCommand(this.settings.user, facts), because })
  }

  await(id: number, pending: Pending): void {
    this.pending.set(id, pending)
    if ('file' in pending) pending.file.inFlight++
    if ('mutates' in pending && pending.mutates) this.mutating++
  }

  /** The server has answered, or never will. */
  answered(id: number): Pending | undefined {
    const pending = this.pending.get(id)
    if (pending === undefined) return undefined
    this.pending.delete(id)
    if ('file' in pending) pending.file.inFlight--
    if ('mutates' in pending && pending.mutates) this.mutating--
    return pending
  }

  /** An id for a request of Sidegate's own. While it is unanswered, none of the agent's is taken up. */
  freeId(): number {
    let id = LAST_ID
    while (this.pending.has(id)) id--
    return id
  }

  settle(permit: Permit, outcome: Outcome): void {
    this.step({ kind: 'settle', permit, outcome })
  }

  settleStatus(permit: Permit, code: number): void {
    const status = code === 0 ? 'completed' : 'failed'
    this.settle(permit, { status, code: statusName(code), rows: 0, bytes: 0, masked: [] })
  }

  /** Nothing more can come by the handle: its outcome, and its entry of the transcript. */
  finish(file: OpenFile): void {
    if (!this.live.delete(file)) return
    this.step({ kind: 'transfer', permit: file.permit, transfer: file.transfer() })
    this.settle(file.permit, file.outcome)
  }

  finishIfOver(file: OpenFile): void {
    if (file.closed !== null && file.inFlight === 0) this.finish(file)
  }

  /** The channel has ended: what was unanswered will stay so. */
  end(): void {
    if (this.phase === 'over') return
    this.phase = 'over'
    for (const pending of this.pending.values()) {
      if (pending.kind === 'judged') this.settle(pending.permit, LOST)
      else if (pending.kind === 'open') {
        this.live.delete(pending.file)
        this.settle(pending.file.permit, LOST)
      }
    }
    this.pending.clear()
    for (const file of this.live) this.finish(file)
    this.files.clear()
  }
}

export const LOST: Outcome = Object.freeze({ status: 'lost', code: '', rows: 0, bytes: 0, masked: Object.freeze([]) })
