/** A shell on a stage: what it would run is said by the test, and what the agent sees is collected. */
import { setImmediate as turn } from 'node:timers/promises'
import type {
  LineEnd,
  Running,
  Shell,
  ShellHost,
  ShellSettings,
  Terminal,
} from '../../../../src/protocols/ssh/lines/host.ts'
import { LineGatedShell } from '../../../../src/protocols/ssh/lines/shell.ts'

export type Runner = (line: string, running: Running) => Promise<LineEnd> | LineEnd

export const XTERM: Terminal = { name: 'xterm', columns: 200, rows: 50 }

export class Stage implements ShellHost {
  readonly shell: Shell
  readonly served: Promise<number>
  /** Every line that the session was given. */
  readonly lines: string[] = []
  out = ''
  err = ''
  resumed = 0
  /** The agent reads. */
  reads = true
  runner: Runner

  constructor(
    terminal: Terminal | null,
    runner: Runner = () => ({ status: 0 }),
    settings: Partial<ShellSettings> = {},
  ) {
    this.runner = runner
    this.shell = new LineGatedShell(this, {
      user: 'deploy',
      target: 'build-host',
      command: 16 * 1024,
      terminal,
      ...settings,
    })
    this.served = this.shell.serve()
  }

  async run(line: string, running: Running): Promise<LineEnd> {
    this.lines.push(line)
    return await this.runner(line, running)
  }

  output(bytes: Buffer): boolean {
    this.out += bytes.toString()
    return this.reads
  }

  error(bytes: Buffer): boolean {
    this.err += bytes.toString()
    return this.reads
  }

  resume(): void {
    this.resumed += 1
  }

  /** Types, and waits until nothing more happens by itself. */
  async type(text: string): Promise<boolean> {
    const more = this.shell.typed(Buffer.from(text))
    await settle()
    return more
  }

  /** What was written since the last call, without the sequences of a terminal. */
  seen(): string {
    const text = this.out
      // oxlint-disable-next-line no-control-regex -- they are what is left out
      .replaceAll(/\x1b\[[?0-9]*[A-Za-z]/g, '')
      .replaceAll('\r\n', '\n')
      .replaceAll('\r', '')
    this.out = ''
    return text
  }
}

export async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await turn()
}

/** What a host with these directories says to a line that asks where a directory is. */
export function directories(known: Readonly<Record<string, string>>): Runner {
  return (line, running) => {
    const asked = /^cd '(?<path>.*)' && pwd -P$/.exec(line)?.groups?.['path']
    const found = asked === undefined ? undefined : known[asked]
    if (asked !== undefined && found === undefined) {
      running.error.write(`sh: cd: can't cd to ${asked}\n`)
      return { status: 2 }
    }
    if (found !== undefined) running.output.write(`${found}\n`)
    return { status: 0 }
  }
}
