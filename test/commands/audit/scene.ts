/** A session over SSH for the tests of its readers: an exec, a refusal, a terminal, a file copy. */
import type { FrameKind, OutcomeStatus } from '../../../src/gate/ports.ts'
import type { Session } from '../../../src/gate/session.ts'
import type { Journal } from '../../../src/record/journal.ts'
import { Session as Opened } from '../../../src/gate/session.ts'
import { context } from '../../../src/gate/session.ts'
import { decision, frame, whenDurable } from '../../record/support.ts'
import { CONTEXT } from '../../support/fakes.ts'

export const REFUSAL = {
  code: 'ssh.destructive',
  message: 'removes everything',
  remedy: 'name the files',
  policy: 'policy.test',
}

const AT = Date.parse('2026-01-31T12:00:00Z')

/** Writes records at times of its own: each step is so many milliseconds after the one before. */
export class Scene {
  readonly session: Session
  readonly #journal: Journal
  #at = AT

  constructor(journal: Journal) {
    const { principal, workload, target } = CONTEXT
    this.#journal = journal
    this.session = new Opened(context(principal, workload, { ...target, name: 'build-host', protocol: 'ssh' }), {
      user: 'deploy',
    })
    journal.sessionStart(this.session)
  }

  wait(ms: number): this {
    this.#at += ms
    return this
  }

  asks(action: string, text: string, detail: { tty?: boolean; refused?: true; by?: string } = {}): this {
    const event = decision(this.session, text)
    const shape = { protocol: 'ssh', action, text, detail: { tty: detail.tty === true } }
    const refusal = detail.refused === true ? REFUSAL : null
    const grant = detail.by === undefined ? null : { by: [detail.by], at: '2026-01-31T12:00:00Z', codes: [] }
    this.#journal.decision({ ...event, command: { shape, varying: {} }, refusal, grant, at: this.#at })
    this.session.usage.commands++
    if (refusal !== null) this.session.usage.denied++
    return this
  }

  frame(kind: FrameKind, data: string | Uint8Array, sequence = this.session.sequence): this {
    this.#journal.frame({ ...frame(this.session, kind, data), sequence, at: this.#at })
    return this
  }

  ends(
    code: string,
    bytes: number,
    status: OutcomeStatus = code === '0' ? 'completed' : 'failed',
    sequence = this.session.sequence,
  ): this {
    const outcome = { status, code, rows: 0, bytes, masked: [] }
    this.#journal.outcome({ session: this.session, sequence, outcome, decidedAt: this.#at - 20, at: this.#at })
    return this
  }

  async leaves(reason: string | null = 'the agent left'): Promise<string> {
    if (reason !== null) this.#journal.sessionEnd(this.session, reason)
    await whenDurable(this.#journal)
    return this.session.id
  }
}

/** The four of them. Returns the session's id. */
export function play(journal: Journal): Promise<string> {
  return new Scene(journal)
    .asks('exec', 'ls -l /srv')
    .wait(100)
    .frame('output', 'total 4\n  -rw-r--r--  app.log\n')
    .frame('error', 'ls: one is secret\n')
    .wait(10)
    .frame('exit', '{"status":2}')
    .frame('marker', `{"streams":{"output":{"bytes":31,"sha256":"${'ab'.repeat(32)}"}}}`)
    .ends('2', 49)
    .wait(1_000)
    .asks('exec', 'rm -rf /', { refused: true })
    .wait(1_000)
    .asks('shell', '', { tty: true, by: 'ann' })
    .frame('resize', '100x30')
    .wait(50)
    .frame('output', Buffer.from('\x1b]0;a title\x07\x1b[1m$ \x1b[0mü').subarray(0, -1))
    .wait(5_000)
    .frame('output', Buffer.from('ü').subarray(1))
    .frame('output', ' date\r\nSat\r\n')
    .wait(200)
    .frame('resize', '120x40')
    .frame('signal', 'INT')
    .frame('output', '\x1b]52;c;ZXZpbA==\x07$ ')
    .wait(100)
    .frame('exit', '{"signal":"HUP"}')
    .ends('SIGHUP', 40)
    .wait(500)
    .asks('sftp', 'open /srv/app.log')
    .wait(30)
    .frame(
      'transfer',
      JSON.stringify({
        operation: 'open',
        path: '/srv/app.log',
        bytesRead: 512,
        bytesWritten: 0,
        sha256: 'cd'.repeat(32),
        note: null,
      }),
    )
    .ends('OK', 512, 'completed')
    .leaves()
}
