/** A program that is refused before policy is asked: what it would be could not be judged, or is not offered at all. */
import type { Command } from '../../../gate/command.ts'
import type { Refusal } from '../../../gate/refusal.ts'
import { REFUSED_STATUS, refusalLines } from '../refusal.ts'
import type { Channel } from './channel.ts'
import { fields } from './messages.ts'
import type { Prepared, Program, Setting } from './program.ts'

export class RefusedProgram implements Program {
  readonly #setting: Setting
  readonly #agent: Channel
  readonly #prepared: Prepared
  readonly #refused: { readonly command: Command; readonly because: Refusal }

  constructor(
    setting: Setting,
    agent: Channel,
    prepared: Prepared,
    refused: { readonly command: Command; readonly because: Refusal },
  ) {
    this.#setting = setting
    this.#agent = agent
    this.#prepared = prepared
    this.#refused = refused
  }

  start(): void {
    const { gate, session } = this.#setting
    const { command, because } = this.#refused
    const told = gate.refuse(session, command, because)
    refuseProgram(this.#agent, told, this.#prepared.terminal !== null)
  }

  data(): void {}
  eof(): void {}
  writable(): void {}
  resized(): void {}
  signalled(): boolean {
    return false
  }
  unread(): void {}
  end(): void {}
  leaving(): void {}
  left(): void {}
}

/** Why, an exit status where none was sent yet, and the end. */
export function refuseProgram(agent: Channel, because: Refusal, terminal: boolean, exited = false): void {
  agent.write(refusalLines(because, terminal), 'error')
  if (!exited) agent.request('exit-status', fields(REFUSED_STATUS))
  agent.eof()
  agent.close()
}
