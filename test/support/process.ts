import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long a program may take to end after it was asked to, before it is killed. */
const STOP_MS = 5_000
const POLL_MS = 10
const REMOVE_ATTEMPTS = 80
const REMOVE_PAUSE_MS = 25

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A program that was started by a test and ends with it, whatever happens. */
export interface Program {
  readonly child: ChildProcess
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Everything that it has written so far. */
  stdout(): string
  stderr(): string
  /** Waits until its output matches; rejects with that output when it ends first, or after `ms`. */
  output(pattern: RegExp, ms?: number): Promise<RegExpExecArray>
  signal(signal: NodeJS.Signals): void
  /** Lets the test process end while the program runs; that ends the program too. */
  unref(): void
  /** Asks it to end with `signal`, and kills it when it does not. Safe to repeat. */
  stop(signal?: NodeJS.Signals): Promise<Exit>
}

const running = new Map<ChildProcess, NodeJS.Signals>()

const directories = new Set<string>()

process.once('exit', () => {
  for (const [child, signal] of running) child.kill(signal)
  for (const path of directories) removeNow(path)
})

/** What was just told to end may still write there, so it is tried again; an exit handler can only wait like this. */
function removeNow(path: string): void {
  for (let attempt = 1; existsSync(path) && attempt <= REMOVE_ATTEMPTS; attempt++) {
    try {
      rmSync(path, { recursive: true, force: true })
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, REMOVE_PAUSE_MS)
    }
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))

/** Removes a test's directory when the test process ends, after all programs were told to. */
export function removeAtExit(path: string): void {
  directories.add(path)
}

export interface ProgramOptions extends SpawnOptions {
  /** What it is sent when the test process ends without having stopped it. */
  readonly exitSignal?: NodeJS.Signals
}

/** Starts a program whose output is kept. Rejects when it cannot be started at all. */
export async function startProgram(
  command: string,
  args: readonly string[] = [],
  options: ProgramOptions = {},
): Promise<Program> {
  const { exitSignal = 'SIGKILL', ...spawning } = options
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...spawning })
  running.set(child, exitSignal)
  const written = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (written.stdout += chunk))
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (written.stderr += chunk))
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve({ code, signal })
    })
  })
  await once(child, 'spawn')
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null

  return {
    child,
    pid: child.pid as number,
    exited,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    async output(pattern, ms = 10_000) {
      const deadline = Date.now() + ms
      for (;;) {
        const gone = ended()
        const match = pattern.exec(written.stdout) ?? pattern.exec(written.stderr)
        if (match !== null) return match
        if (gone || Date.now() > deadline) {
          const why = gone ? 'ended' : `took more than ${ms} ms`
          throw new Error(`${command} ${why} without writing ${pattern}:\n${written.stdout}${written.stderr}`)
        }
        await sleep(POLL_MS)
      }
    },
    signal: (signal) => void child.kill(signal),
    unref() {
      child.unref()
      for (const stream of [child.stdout, child.stderr]) if (stream instanceof Socket) stream.unref()
    },
    async stop(signal = 'SIGTERM') {
      if (!ended()) child.kill(signal)
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      const exit = await exited
      clearTimeout(timer)
      return exit
    },
  }
}

export interface Finished extends Exit {
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, which must come within `ms`; never rejects for its exit code. */
export async function run(
  command: string,
  args: readonly string[] = [],
  options: ProgramOptions & { readonly input?: string; readonly ms?: number } = {},
): Promise<Finished> {
  const { input, ms = 60_000, ...rest } = options
  const program = await startProgram(command, args, {
    ...rest,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  // A program may end without reading all of its input, which is its own affair.
  program.child.stdin?.on('error', () => {}).end(input)
  const timer = setTimeout(() => program.child.kill('SIGKILL'), ms)
  const exit = await program.exited
  clearTimeout(timer)
  return { ...exit, stdout: program.stdout(), stderr: program.stderr() }
}
