/** `sidegate audit`: reads records back, from the journal or from Redis. */
import { once } from 'node:events'
import { Command, Option } from 'commander'
import { archiveOf, countOf, type OriginArguments, positiveOf, sourceOf, timeOf, withOrigin } from './audit/origin.ts'
import { type Output, replay } from './audit/replay.ts'
import { sessionJson, sessionLines } from './audit/sessions.ts'
import { show } from './audit/show.ts'
import { tail } from './audit/tail.ts'
import { safeJson } from './audit/text.ts'
import { paintFor } from './terminal.ts'

const LINES = 10
const SESSIONS = 20
/** Lines of one program's output in a transcript. */
const PROGRAM_LINES = 100

interface TailArguments extends OriginArguments {
  readonly follow: boolean
  readonly lines?: number
  readonly since?: number
  readonly session?: string
  readonly json?: boolean
}

interface SessionsArguments extends OriginArguments {
  readonly lines?: number
  readonly since?: number
  readonly target?: string
  readonly json?: boolean
}

interface ShowArguments extends OriginArguments {
  readonly command?: number
  readonly lines: number
  readonly json?: boolean
}

interface ReplayArguments extends OriginArguments {
  readonly command?: number
  readonly speed: number
  readonly maxIdle?: number
  readonly asciicast?: boolean
  readonly raw?: boolean
}

const WHERE = `
It reads the journal that the configuration names, or Redis where that journal is not on this machine.`

export function auditCommand(): Command {
  return new Command('audit')
    .description('read what was recorded')
    .addCommand(tailCommand())
    .addCommand(sessionsCommand())
    .addCommand(showCommand())
    .addCommand(replayCommand())
}

function tailCommand(): Command {
  return withOrigin(new Command('tail'))
    .description('show decisions and sessions as they happen')
    .option('-f, --follow', 'go on with what comes (the default)', true)
    .option('--no-follow', 'end with what is there')
    .option('-n, --lines <count>', `begin with the last so many (${LINES}, or with --since all)`, countOf)
    .option('--since <time>', 'begin then: 10m ago, or at 2026-01-31T12:00:00Z', timeOf)
    .option('--session <id>', 'of one session only; the beginning of its id will do')
    .option('--json', 'print the records as they are stored, one a line, without recordings')
    .addHelpText(
      'after',
      `
Examples:
  sidegate audit tail
  sidegate audit tail --redis redis://redis:6379 --since 10m
  sidegate audit tail --journal /var/lib/sidegate --no-follow --lines 1000 --json | jq 'select(.type == "decision")'
${WHERE}`,
    )
    .action(async (args: TailArguments) => {
      const options = {
        follow: args.follow,
        lines: args.lines ?? (args.since === undefined ? LINES : Number.POSITIVE_INFINITY),
        since: args.since ?? 0,
        session: args.session ?? null,
        json: args.json === true,
      }
      await tail(sourceOf(args), options, look(), printer(options.json), untilEnded())
    })
}

function sessionsCommand(): Command {
  return withOrigin(new Command('sessions'))
    .description('list sessions: who was where, and how it ended')
    .option('-n, --lines <count>', `the last so many (${SESSIONS}, or with --since all)`, countOf)
    .option('--since <time>', 'that began since then: 10m ago, or 2026-01-31T12:00:00Z', timeOf)
    .option('--target <name>', 'to one target only')
    .option('--json', 'print one object a line')
    .addHelpText(
      'after',
      `
Examples:
  sidegate audit sessions
  sidegate audit sessions --since 1h --target build-host
  sidegate audit sessions --json | jq 'select(.denied > 0)'
${WHERE}`,
    )
    .action(async (args: SessionsArguments) => {
      const { since = 0, target } = args
      const count = args.lines ?? (args.since === undefined ? SESSIONS : Number.POSITIVE_INFINITY)
      const archive = archiveOf(args)
      try {
        const one =
          target === undefined ? {} : { keep: (start: { target: { name: string } }) => start.target.name === target }
        const sessions = count === 0 ? [] : await archive.sessions({ count, since, prefix: '', ...one })
        const lines = args.json === true ? sessions.map(sessionJson) : sessionLines(sessions, look())
        for (const line of lines) printer(args.json === true)(line)
      } finally {
        archive.close()
      }
    })
}

function showCommand(): Command {
  return withOrigin(new Command('show'))
    .description('read a session: its commands, what became of them, and what was recorded of their output')
    .argument('<session>', 'its id, or the beginning of it')
    .option('--command <number>', 'one command only, by its number', countOf)
    .option('-n, --lines <count>', "at most so many lines of one command's output; 0 for all", countOf, PROGRAM_LINES)
    .option('--json', 'print the records as they are stored, one a line, recordings included')
    .addHelpText(
      'after',
      `
Examples:
  sidegate audit show 3f2a91c0
  sidegate audit show 3f2a91c0 --command 4 --lines 0
${WHERE}`,
    )
    .action(async (session: string, args: ShowArguments) => {
      const lines = args.lines === 0 ? Number.POSITIVE_INFINITY : args.lines
      const archive = archiveOf(args)
      try {
        const options = { session, command: args.command ?? null, lines, json: args.json === true }
        await show(archive, options, look(), printer(options.json))
      } finally {
        archive.close()
      }
    })
}

function replayCommand(): Command {
  return withOrigin(new Command('replay'))
    .description('play what a session showed; where the output is no terminal, print it as asciicast')
    .argument('<session>', 'its id, or the beginning of it')
    .option('--command <number>', 'one command only, by its number', countOf)
    .option('--speed <factor>', 'how many times faster than it was', positiveOf, 1)
    .option('--max-idle <seconds>', 'wait no longer than this where nothing happened', positiveOf)
    .addOption(new Option('--asciicast', 'print it as asciicast, version 2').conflicts('raw'))
    .option('--raw', 'print the bytes of output and error as they were')
    .addHelpText(
      'after',
      `
Examples:
  sidegate audit replay 3f2a91c0 --speed 2 --max-idle 1
  sidegate audit replay 3f2a91c0 --asciicast > session.cast
  sidegate audit replay 3f2a91c0 --command 4 --raw > output

What could act on the terminal of who watches (titles, clipboard, device control) is left out, but for --raw.
${WHERE}`,
    )
    .action(async (session: string, args: ReplayArguments, command: Command) => {
      const terminal = process.stdout.isTTY
      if (args.raw === true && terminal)
        command.error('error: a terminal would act on --raw: write it to a file or a pipe')
      const form = args.raw === true ? 'raw' : args.asciicast === true || !terminal ? 'asciicast' : 'play'
      const maxIdle = args.maxIdle === undefined ? Number.POSITIVE_INFINITY : args.maxIdle * 1_000
      const options = { session, command: args.command ?? null, form, speed: args.speed, maxIdle } as const
      const archive = archiveOf(args)
      try {
        await replay(archive, options, standardOutput(), untilEnded())
      } finally {
        archive.close()
      }
    })
}

function look() {
  const { isTTY, columns } = process.stdout
  return { paint: paintFor(process.stdout), width: isTTY ? columns : null }
}

/** JSON is printed byte for byte as it is stored; on a terminal, what would act on that is written as an escape. */
function printer(json: boolean): (line: string) => void {
  const safe = json && process.stdout.isTTY
  return (line) => void process.stdout.write(`${safe ? safeJson(line) : line}\n`)
}

/** Aborts when whoever reads has read enough: Ctrl-C, or `| head`. */
function untilEnded(): AbortSignal {
  const ended = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ended.abort())
  process.stdout.on('error', () => ended.abort())
  return ended.signal
}

function standardOutput(): Output {
  const { stdout, stderr } = process
  const written = async (stream: NodeJS.WriteStream, text: string | Uint8Array) => {
    if (!stream.write(text) && !stream.destroyed)
      await Promise.race([once(stream, 'drain'), once(stream, 'close')]).catch(() => {})
  }
  return {
    write: (text) => written(stdout, text),
    error: (bytes) => written(stderr, bytes),
    dim: paintFor(stdout).dim,
    size: stdout.isTTY && stdout.columns > 0 ? { columns: stdout.columns, rows: stdout.rows } : null,
    say: (line) => stderr.write(`${line}\n`),
  }
}
