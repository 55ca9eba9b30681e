/** A program of the operator's that answers one question: text on its standard input, text on its standard output. */
import { spawn } from 'node:child_process'

/** Asking a signing service takes a second or two. The time of the whole connection bounds it too. */
const TIME_MS = 15_000
/** A certificate has some 2 KiB. */
const LARGEST_ANSWER = 64 * 1024
/** What is kept of the program's complaints, for the operator. */
const LONGEST_COMPLAINT = 1024

/** For the operator only: its message ends in what the program itself complained of. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

export interface Question {
  readonly command: readonly string[]
  readonly input: string
  /** Beside the sidecar's own environment. */
  readonly environment: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** Runs the program without a shell, in a process group of its own, all of which ends with it. */
export function ask({ command: [program = '', ...args], input, environment, signal }: Question): Promise<string> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(TIME_MS)])
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...environment }
    const child = spawn(program, args, { env, stdio: 'pipe', detached: true, windowsHide: true })
    const answer: Buffer[] = []
    let size = 0
    let complaint = ''
    const end = (outcome: () => void) => {
      within.removeEventListener('abort', late)
      killGroup(child.pid)
      outcome()
    }
    const fail = (message: string, cause?: unknown) =>
      end(() => reject(new CommandError(`the command ${message}${quoted(complaint)}`, { cause })))
    const late = () => fail('did not answer in time')
    child.on('error', (error) => fail('cannot be run', error))
    child.stdin.on('error', () => {})
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > LARGEST_ANSWER) fail(`answered with more than ${LARGEST_ANSWER} bytes`)
      else answer.push(chunk)
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      complaint = (complaint + chunk).slice(0, LONGEST_COMPLAINT)
    })
    child.on('close', (code, killed) => {
      if (code === 0) end(() => resolve(Buffer.concat(answer).toString('utf8')))
      else fail(code === null ? `was ended by ${killed ?? 'a signal'}` : `ended with status ${code}`)
    })
    if (within.aborted) return late()
    within.addEventListener('abort', late, { once: true })
    child.stdin.end(input)
  })
}

/** What it started goes with it. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of it has ended.
  }
}

function quoted(complaint: string): string {
  const text = complaint.replace(/[^\x20-\x7e]+/g, ' ').trim()
  return text === '' ? '' : `: ${text}`
}
