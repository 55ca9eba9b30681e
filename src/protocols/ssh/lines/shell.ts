/**
 * A shell without a terminal upstream. The sidecar edits the lines; each one is judged, and runs as an exec of its own.
 *
 * What this can promise: nothing runs that was not judged whole, as the line that is executed, with the working
 * directory and the variables in front of it; a refusal or a hold is one line's, and the record has every line as a
 * Command beside the frames, which are the output as the agent saw it. What it cannot: say what a command does with
 * what is typed into it (a policy that permits a program that reads commands permits these commands); hide what is
 * typed, since no program can switch the echo off; run anything that needs a terminal; be sure that a host ends what
 * was interrupted, where it does not take signals.
 */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { REFUSED_STATUS } from '../refusal.ts'
import { type Intent, intentOf } from './builtins.ts'
import { visible } from './cells.ts'
import { type EditorEvent, LineEditor } from './editor.ts'
import type { LineEnd, Shell, ShellHost, ShellSettings } from './host.ts'
import { Outlet } from './outlet.ts'
import { greetingOf, HELP, promptOf } from './prompt.ts'
import { LineRun, type Sink } from './run.ts'
import { type ScriptEvent, ScriptReader } from './script.ts'
import { directoryFrom, ShellState } from './state.ts'
import { INTERRUPTED, MISUSED, statusOf } from './status.ts'
import { TypedInput } from './typing.ts'

/** What is entered ahead of the line that runs. */
const AHEAD = 256 * 1024
/** What `pwd` may say: a path, and no more. */
const ANSWER = 8 * 1024
const INTERRUPT = 0x03

type Entered = EditorEvent | ScriptEvent

export class LineGatedShell implements Shell {
  readonly #host: ShellHost
  readonly #settings: ShellSettings
  readonly #state = new ShellState()
  readonly #editor: LineEditor | null
  readonly #script: ScriptReader
  readonly #outlet: Outlet
  #run: LineRun | null = null
  #typing = new TypedInput()
  #status = 0
  #inputOver = false
  #paused = false
  #over = false
  #wake: (() => void) | null = null

  constructor(host: ShellHost, settings: ShellSettings) {
    this.#host = host
    this.#settings = settings
    this.#editor = settings.terminal === null ? null : new LineEditor(settings.terminal, settings.command)
    this.#script = new ScriptReader(settings.command)
    this.#outlet = new Outlet(host, settings.terminal !== null)
  }

  async serve(): Promise<number> {
    if (this.#editor !== null) this.#outlet.tell(greetingOf(this.#settings))
    for (;;) {
      const entered = await this.#entered()
      if (entered === null || entered.kind === 'end') break
      if (entered.kind === 'interrupt') this.#status = INTERRUPTED
      else if (entered.kind === 'too-long') this.#refuse(tooLong(this.#settings.command))
      else if (await this.#line(entered.text)) break
    }
    this.#abandon()
    return this.#status
  }

  typed(chunk: Buffer): boolean {
    if (this.#over) return true
    if (this.#editor === null) this.#script.push(chunk)
    else if (this.#run === null) this.#editor.push(chunk)
    else this.#whileRunning(this.#run, this.#editor, chunk)
    this.#wake?.()
    return !this.#pausing()
  }

  ended(): void {
    if (this.#inputOver) return
    this.#inputOver = true
    if (this.#editor === null) this.#script.end()
    this.#run?.endInput()
    this.#wake?.()
  }

  drained(): void {
    this.#outlet.full = false
    this.#run?.drained()
    this.#wake?.()
    this.#reading()
  }

  resized(columns: number, rows: number): void {
    if (this.#editor === null) return
    this.#editor.resize(columns, rows)
    this.#outlet.drawn(this.#editor.take())
  }

  signalled(name: string): void {
    if (this.#run === null) return
    if (name === 'INT' || name === 'QUIT') this.#run.interrupt(name)
    else this.#run.send(name)
  }

  end(because: Refusal | null): void {
    if (this.#over) return
    this.#over = true
    this.#abandon()
    if (because !== null) this.#refuse(because)
    this.#run?.destroy()
    this.#wake?.()
  }

  /** The next line of the agent's; null when there will be none. */
  async #entered(): Promise<Entered | null> {
    this.#outlet.ownRow()
    this.#editor?.begin(promptOf(this.#settings, this.#state.directory))
    for (;;) {
      if (this.#over) return null
      const entered = this.#outlet.full ? null : (this.#editor ?? this.#script).next()
      if (this.#editor !== null) this.#outlet.drawn(this.#editor.take())
      if (entered !== null) {
        this.#outlet.entered()
        this.#reading()
        return entered
      }
      this.#reading()
      if (this.#inputOver && !this.#outlet.full) return null
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = null
    }
  }

  /** @returns the shell is over */
  async #line(text: string): Promise<boolean> {
    const intent = intentOf(text, this.#settings.command)
    switch (intent.kind) {
      case 'nothing':
        return false
      case 'exit':
        this.#status = intent.status ?? this.#status
        return true
      case 'run':
        await this.#upstream(intent.whole ? this.#state.applied(text) : text)
        return this.#over
      case 'cd':
        await this.#changeDirectory(intent.to, intent.fromHome)
        return this.#over
      case 'export':
        await this.#export(intent.assignments)
        return this.#over
      default:
        await this.#local(intent)
        return this.#over
    }
  }

  async #local(intent: Exclude<Intent, { kind: 'nothing' | 'exit' | 'run' | 'cd' | 'export' }>): Promise<void> {
    this.#status = 0
    switch (intent.kind) {
      case 'cd-home':
        return this.#state.enter(null)
      case 'cd-back':
        if (this.#state.previous === undefined) return this.#misused('there is no directory to go back to')
        return this.#state.enter(this.#state.previous)
      case 'pwd':
        if (this.#state.directory === null) await this.#upstream('pwd')
        else this.#outlet.say([visible(this.#state.directory)])
        return
      case 'list-variables':
        return this.#outlet.say([...this.#state.variables].map(([name, value]) => visible(`export ${name}=${value}`)))
      case 'unset':
        for (const name of intent.names) {
          if (!this.#state.forget(name)) this.#misused(`${visible(name)} was not exported here`)
        }
        return
      case 'history': {
        const lines = this.#editor?.history.lines ?? []
        return this.#outlet.say(lines.map((line, index) => `${String(index + 1).padStart(5)}  ${visible(line)}`))
      }
      case 'help':
        return this.#outlet.say(HELP)
      case 'misused':
        return this.#misused(intent.message)
    }
  }

  async #changeDirectory(to: string, fromHome: boolean): Promise<void> {
    const answer: Buffer[] = []
    let size = 0
    const ended = await this.#upstream(this.#state.asking(to, fromHome), (bytes) => {
      size += bytes.length
      if (size <= ANSWER) answer.push(bytes)
      return true
    })
    if (ended === null || !('status' in ended) || ended.status !== 0) return
    const directory = size <= ANSWER ? directoryFrom(Buffer.concat(answer)) : null
    if (directory === null) return this.#misused('the host did not say which directory that is')
    this.#state.enter(directory)
  }

  async #export(assignments: ReadonlyMap<string, string>): Promise<void> {
    if (!this.#state.fits(assignments)) return this.#misused('these are more variables than go with a line')
    const ended = await this.#upstream(this.#state.exported(assignments))
    if (ended !== null && 'status' in ended && ended.status === 0) this.#state.keep(assignments)
  }

  /** @returns null where the shell ended meanwhile */
  async #upstream(line: string, output: Sink = this.#outlet.output): Promise<LineEnd | null> {
    const run = new LineRun(
      output,
      this.#outlet.error,
      () => this.#reading(),
      () => this.#outlet.tell(['sidegate: it goes on; ^C once more ends it']),
    )
    this.#run = run
    this.#typing = new TypedInput()
    if (this.#editor === null || this.#inputOver) run.endInput()
    try {
      const ended = await this.#host.run(line, run)
      await run.settled()
      if (this.#over) return null
      if ('refused' in ended) this.#outlet.refuse(ended.refused)
      this.#status = statusOf(ended)
      return ended
    } catch (error) {
      run.destroy()
      throw error
    } finally {
      this.#run = null
      // What was begun and not entered goes on as the next line.
      this.#editor?.push(Buffer.from(this.#typing.pending))
    }
  }

  /** Of what comes while a line runs, text that follows earlier lines is more lines; else it is the command's. */
  #whileRunning(run: LineRun, editor: LineEditor, chunk: Buffer): void {
    if (run.takesInput && editor.waiting === 0 && !editor.pasting) return this.#give(run, editor, chunk)
    const interrupt = chunk.lastIndexOf(INTERRUPT)
    if (interrupt < 0) return editor.push(chunk)
    editor.discard()
    this.#outlet.drawn('^C\r\n')
    run.interrupt('INT')
    if (interrupt + 1 < chunk.length) editor.push(chunk.subarray(interrupt + 1))
  }

  #give(run: LineRun, editor: LineEditor, chunk: Buffer): void {
    const { echo, input, signals, ended, rest } = this.#typing.push(chunk)
    this.#outlet.drawn(echo)
    if (!run.give(input)) this.#paused = true
    for (const name of signals) run.interrupt(name)
    if (!ended) return
    run.endInput()
    if (rest !== '') editor.push(Buffer.from(rest))
  }

  #pausing(): boolean {
    const ahead = this.#editor?.waiting ?? this.#script.waiting
    if (this.#outlet.full || ahead > AHEAD) this.#paused = true
    return this.#paused
  }

  #reading(): void {
    if (!this.#paused || this.#outlet.full || (this.#editor?.waiting ?? this.#script.waiting) > AHEAD) return
    if (this.#run !== null && this.#run.input.readableLength >= this.#run.input.readableHighWaterMark) return
    this.#paused = false
    this.#host.resume()
  }

  /** A line that was begun stays where it is, and the terminal as it was found. */
  #abandon(): void {
    this.#editor?.abandon()
    this.#outlet.drawn(this.#editor?.take() ?? '')
  }

  #misused(message: string): void {
    this.#outlet.tell([`sidegate: ${message}`])
    this.#status = MISUSED
  }

  #refuse(because: Refusal): void {
    this.#outlet.refuse(because)
    this.#status = REFUSED_STATUS
  }
}

function tooLong(limit: number): Refusal {
  return refusal('command.too-large', `the line is longer than ${limit} bytes`, 'put it into a file and run that')
}
