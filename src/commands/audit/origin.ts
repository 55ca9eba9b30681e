/** Where the commands of `audit` read from, as their options say: the same for all of them. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { loadRecord } from '../../config/load.ts'
import { duration } from '../../config/values.ts'
import { type Archive, JournalArchive } from '../../record/archive.ts'
import { segmentsOf } from '../../record/directory.ts'
import { RecordError } from '../../record/errors.ts'
import { RedisArchive } from '../../record/redis-archive.ts'
import { type RedisSettings, streamNames } from '../../record/streams.ts'
import { JournalSource, RedisSource, type Source } from './source.ts'

export interface OriginArguments {
  readonly config: string
  readonly journal?: string
  readonly redis?: string
  readonly passwordFile?: string
  readonly prefix: string
}

type Origin =
  | { readonly kind: 'journal'; readonly directory: string }
  | { readonly kind: 'redis'; readonly settings: RedisSettings; readonly prefix: string }

export function withOrigin(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration that says where records are', 'sidegate.yaml')
    .addOption(new Option('--journal <directory>', "read a journal's directory").conflicts('redis'))
    .option('--redis <url>', 'read all instances in Redis', redisOf)
    .option('--password-file <file>', 'the password for --redis')
    .option('--prefix <prefix>', "the streams' prefix for --redis", 'sidegate')
}

export function sourceOf(args: OriginArguments): Source {
  const origin = originOf(args)
  return origin.kind === 'journal'
    ? new JournalSource(origin.directory)
    : new RedisSource(origin.settings, origin.prefix)
}

export function archiveOf(args: OriginArguments): Archive {
  const origin = originOf(args)
  return origin.kind === 'journal'
    ? new JournalArchive(origin.directory)
    : new RedisArchive(origin.settings, streamNames(origin.prefix))
}

function originOf({ config, journal, redis, passwordFile, prefix }: OriginArguments): Origin {
  if (journal !== undefined) return { kind: 'journal', directory: journal }
  if (redis !== undefined) return { kind: 'redis', settings: { url: redis, passwordFile }, prefix }
  const record = loadRecord(config)
  const { directory } = record.journal
  if (isJournal(directory)) return { kind: 'journal', directory }
  if (record.redis !== undefined) return { kind: 'redis', settings: record.redis, prefix: record.redis.prefix }
  throw new RecordError('record.foreign', `${directory} holds no journal yet, and ${config} names no Redis`)
}

function isJournal(directory: string): boolean {
  try {
    return segmentsOf(directory).length > 0
  } catch {
    return false
  }
}

function redisOf(text: string): string {
  if (/^rediss?:\/\//.test(text) && URL.canParse(text)) return text
  throw new InvalidArgumentError('an address is expected: redis://host:6379 or rediss://host:6379')
}

export function countOf(text: string): number {
  const count = Number(text)
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number is expected')
  return count
}

export function positiveOf(text: string): number {
  const number = Number(text)
  if (!/^\d{1,6}(?:\.\d{1,3})?$/.test(text) || number === 0)
    throw new InvalidArgumentError('a number above 0 is expected')
  return number
}

export function timeOf(text: string): number {
  const ago = duration.safeParse(text)
  const at = ago.success ? Date.now() - ago.data : Date.parse(text)
  if (Number.isNaN(at)) throw new InvalidArgumentError('a time is expected: 10m, 2h, or 2026-01-31T12:00:00Z')
  return at
}
