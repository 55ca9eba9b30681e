/** `sidegate audit`: reads records back, from the journal or from Redis. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { loadConfiguration } from '../config/load.ts'
import { duration } from '../config/values.ts'
import { segmentsOf } from '../record/directory.ts'
import { RecordError } from '../record/errors.ts'
import { JournalSource, RedisSource, type Source } from './audit/source.ts'
import { tail } from './audit/tail.ts'
import { paintFor } from './terminal.ts'

const LINES = 10

interface TailArguments {
  readonly config: string
  readonly journal?: string
  readonly redis?: string
  readonly passwordFile?: string
  readonly prefix: string
  readonly follow: boolean
  readonly lines?: number
  readonly since?: number
  readonly session?: string
  readonly json?: boolean
}

const EXAMPLE = `
Examples:
  sidegate audit tail
  sidegate audit tail --redis redis://redis:6379 --since 10m
  sidegate audit tail --journal /var/lib/sidegate --no-follow --lines 1000 --json | jq 'select(.type == "decision")'

It reads the journal that the configuration names, or Redis where that journal is not on this machine.`

export function auditCommand(): Command {
  return new Command('audit').description('read what was recorded').addCommand(tailCommand())
}

function tailCommand(): Command {
  return new Command('tail')
    .description('show decisions and sessions as they happen')
    .option('-c, --config <file>', 'the configuration that says where records are', 'sidegate.yaml')
    .addOption(new Option('--journal <directory>', "read a journal's directory").conflicts('redis'))
    .option('--redis <url>', 'read all instances in Redis')
    .option('--password-file <file>', 'the password for --redis')
    .option('--prefix <prefix>', "the streams' prefix for --redis", 'sidegate')
    .option('-f, --follow', 'go on with what comes (the default)', true)
    .option('--no-follow', 'end with what is there')
    .option('-n, --lines <count>', `begin with the last so many (${LINES}, or with --since all)`, countOf)
    .option('--since <time>', 'begin then: 10m ago, or at 2026-01-31T12:00:00Z', timeOf)
    .option('--session <id>', 'of one session only; the beginning of its id will do')
    .option('--json', 'print the records as they are stored, one a line')
    .addHelpText('after', EXAMPLE)
    .action(async (args: TailArguments) => {
      const source = sourceOf(args)
      const ended = new AbortController()
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ended.abort())
      // Whoever read this has read enough: `| head`.
      process.stdout.on('error', () => ended.abort())
      const { isTTY, columns } = process.stdout
      const look = { paint: paintFor(process.stdout), width: isTTY ? columns : null }
      const options = {
        follow: args.follow,
        lines: args.lines ?? (args.since === undefined ? LINES : Number.POSITIVE_INFINITY),
        since: args.since ?? 0,
        session: args.session ?? null,
        json: args.json === true,
      }
      await tail(source, options, look, (line) => process.stdout.write(`${line}\n`), ended.signal)
    })
}

function sourceOf({ config, journal, redis, passwordFile, prefix }: TailArguments): Source {
  if (journal !== undefined) return new JournalSource(journal)
  if (redis !== undefined) return new RedisSource({ url: redis, passwordFile }, prefix)
  const { record } = loadConfiguration(config).configuration
  const { directory } = record.journal
  if (isJournal(directory)) return new JournalSource(directory)
  if (record.redis !== undefined) return new RedisSource(record.redis, record.redis.prefix)
  throw new RecordError('record.foreign', `${directory} holds no journal yet, and ${config} names no Redis`)
}

function isJournal(directory: string): boolean {
  try {
    return segmentsOf(directory).length > 0
  } catch {
    return false
  }
}

function countOf(text: string): number {
  const count = Number(text)
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number is expected')
  return count
}

function timeOf(text: string): number {
  const ago = duration.safeParse(text)
  const at = ago.success ? Date.now() - ago.data : Date.parse(text)
  if (Number.isNaN(at)) throw new InvalidArgumentError('a time is expected: 10m, 2h, or 2026-01-31T12:00:00Z')
  return at
}
