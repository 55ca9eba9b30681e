import type { PostgresTargetConfig } from '../../../config/schema.ts'

/** What bounds the reading of one message's text; `statement` counts UTF-16 units before and bytes after encoding. */
export type ParseLimits = Pick<PostgresTargetConfig['limits'], 'statement' | 'statements' | 'nodes' | 'depth' | 'parse'>

/**
 * The longest text that is parsed on the main thread. Parsing takes about 10 ns a byte and up to 8 KiB of stack for
 * each nested operator; the deepest text of this length fits the main thread's stack, and takes about 2 ms.
 */
export const INLINE_BYTES = 16 * 1024

/**
 * How much looking up one statement's names may take: each name, for each relation in sight, that one's columns. Facts are derived on
 * the main thread, where all sessions wait for them; this many take some 150 ms, and planning masks about as long. A query of 50
 * relations of 50 columns each, all of them named, takes a fifteenth of it.
 */
export const MOST_LOOKUPS = 5_000_000

/** The stack of the parsing thread: holds the tree of the deepest text of 256 KiB, 128,000 operators. */
export const WORKER_STACK_MB = 64

/**
 * How many texts one cache keeps, and the characters of all of them together. A tree takes some thirty times its text; programs
 * have a few hundred statements, and what is written anew each time is of no use a second time.
 */
export const CACHED_TEXTS = 1024
export const CACHED_CHARACTERS = 1024 ** 2

/** How many large texts may wait for the parsing thread; more are refused. */
export const WAITING_TEXTS = 64
