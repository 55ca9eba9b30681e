/** Arbitrary conversations of an agent with PostgreSQL, and what is the same in two accounts of one. */
import fc from 'fast-check'
import {
  decodeRowDescription,
  encodeBind,
  encodeClose,
  encodeCopyData,
  encodeCopyDone,
  encodeCopyFail,
  encodeDescribe,
  encodeExecute,
  encodeFlush,
  encodeParse,
  encodeQuery,
  encodeSync,
} from '../../../../src/protocols/postgres/messages.ts'
import type { Answer, WireClient } from '../../../support/wire.ts'

/** What an agent sends at one go, in words and in bytes. */
export interface Step {
  readonly words: string
  readonly bytes: Buffer
  /** What the server alone is sent in its place, when Sidegate refuses it. */
  readonly failing?: Buffer
}

/** Runs before each conversation, in a database that is otherwise kept. */
export const SETUP = `
  CREATE TABLE IF NOT EXISTS log (n int PRIMARY KEY, t text DEFAULT 'x');
  CREATE TABLE IF NOT EXISTS bulk (n int CHECK (n >= 0));
  CREATE SEQUENCE IF NOT EXISTS denied_ran;
`
export const RESET = `TRUNCATE log, bulk; DROP TABLE IF EXISTS made; SELECT setval('denied_ran', 1, false)`
export const STATE = `
  SELECT (SELECT coalesce(string_agg(n || t, ',' ORDER BY n), '') FROM log) AS log,
    (SELECT coalesce(string_agg(n::text, ',' ORDER BY n), '') FROM bulk) AS bulk,
    to_regclass('made') IS NOT NULL AS made, (SELECT is_called FROM denied_ran) AS denied`

/** What the denying policy looks for in a statement's text. */
export const DENIED = 'denied_ran'
/** What it looks for when the statement runs; preparing it is allowed. */
export const DENIED_AT_EXECUTE = 'denied at execute'

const step = (words: string, bytes: Buffer, failing?: Buffer): Step =>
  failing === undefined ? { words, bytes } : { words, bytes, failing }

/** No EXECUTE: Sidegate wants to know what it runs when the protocol prepares it, the server when it runs. */
const STATEMENTS = [
  'SELECT 1',
  'SELECT n, t FROM log ORDER BY n',
  'SELECT generate_series(1, 5) AS s',
  'SELECT 1/0',
  'SELEC',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'COMMIT AND CHAIN',
  'SAVEPOINT s',
  'ROLLBACK TO s',
  'RELEASE s',
  'INSERT INTO log VALUES (1)',
  'INSERT INTO log VALUES (2) RETURNING n, t',
  'DELETE FROM log',
  'PREPARE a AS SELECT 10',
  "PREPARE a AS INSERT INTO log VALUES (10, 'a')",
  'PREPARE b(int) AS SELECT $1 + 1',
  'DEALLOCATE a',
  'DEALLOCATE ALL',
  'DECLARE c CURSOR FOR SELECT generate_series(1, 5)',
  'DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(7, 9)',
  'DECLARE p CURSOR FOR SELECT n FROM log',
  'FETCH 2 FROM c',
  'FETCH ALL FROM p',
  'MOVE 1 IN c',
  'CLOSE c',
  'CLOSE ALL',
  'DISCARD ALL',
  'COPY bulk FROM STDIN',
  'COPY bulk TO STDOUT',
  'COPY (SELECT generate_series(1, 3)) TO STDOUT',
  'SHOW application_name',
  "SET application_name = 'other'",
  "SET LOCAL application_name = 'local'",
  "DO $$ BEGIN RAISE NOTICE 'noticed'; END $$",
  'LISTEN channel',
  "NOTIFY channel, 'payload'",
  'CREATE TABLE made (n int)',
  'DROP TABLE made',
  'SELECT * FROM made',
  'EXPLAIN (COSTS OFF) SELECT 1',
] as const

const QUERIES = [
  ...STATEMENTS,
  'EXECUTE a',
  'EXECUTE b',
  'EXECUTE b(3)',
  'EXPLAIN (COSTS OFF) EXECUTE a',
  '',
  ';',
  '-- nothing',
  'SELECT 1; SELECT 2',
  'INSERT INTO log VALUES (3); SELECT 1/0',
  'INSERT INTO log VALUES (4); SELEC',
  'BEGIN; INSERT INTO log VALUES (5)',
  'INSERT INTO log VALUES (6); COMMIT; INSERT INTO log VALUES (7)',
  'PREPARE a AS SELECT 12; EXECUTE a; DEALLOCATE a',
  'COPY bulk FROM STDIN; SELECT 1',
  'COPY bulk FROM STDIN; COPY bulk FROM STDIN',
  'SELECT 1;; SELECT n FROM log',
] as const

const NAMES = ['', 'a', 'b'] as const
const PORTALS = ['', 'p', 'c'] as const
const UNKNOWN = 'never_defined'

const none = { parameterFormats: [], parameters: [], resultFormats: [] } as const
const bind = (portal: string, statement: string, values: readonly string[] = []) =>
  encodeBind({ ...none, portal, statement, parameters: values.map((value) => Buffer.from(value)) })

const statementName = fc.constantFrom(...NAMES)
const portalName = fc.constantFrom(...PORTALS)

const query = fc.constantFrom(...QUERIES).map((text) => step(`Q ${text}`, encodeQuery(text)))
const parse = fc
  .tuple(statementName, fc.constantFrom(...STATEMENTS, 'SELECT 1; SELECT 2', 'SELECT $1::int + 1', 'SELECT $1 || $2'))
  .map(([name, text]) => step(`P ${name}:${text}`, encodeParse(name, text)))
/** Only whole: an empty statement takes neither names nor parameters from an agent, and then fails in words of our own. */
const empty = fc.constant(
  step(
    'P/B/D/E of nothing',
    Buffer.concat([
      encodeParse('', ''),
      bind('', ''),
      encodeDescribe('portal', ''),
      encodeExecute(''),
      encodeSync(),
      encodeParse('', 'SELECT 2'),
    ]),
  ),
)
const bound = fc
  .tuple(portalName, fc.constantFrom(...NAMES, UNKNOWN), fc.constantFrom<readonly string[]>([], [], ['4'], ['x', 'y']))
  .map(([portal, name, values]) => step(`B ${portal}<${name}(${values.join()})`, bind(portal, name, values)))
const describe = fc.oneof(
  fc.constantFrom(...NAMES, UNKNOWN).map((name) => step(`D S${name}`, encodeDescribe('statement', name))),
  fc.constantFrom(...PORTALS, UNKNOWN).map((name) => step(`D P${name}`, encodeDescribe('portal', name))),
)
const execute = fc
  .tuple(fc.constantFrom(...PORTALS, UNKNOWN), fc.constantFrom(0, 0, 1, 2, 100))
  .map(([name, rows]) => step(`E ${name}/${rows}`, encodeExecute(name, rows)))
const close = fc.oneof(
  fc.constantFrom(...NAMES, UNKNOWN).map((name) => step(`C S${name}`, encodeClose('statement', name))),
  fc.constantFrom(...PORTALS, UNKNOWN).map((name) => step(`C P${name}`, encodeClose('portal', name))),
)
const sync = fc.constant(step('S', encodeSync()))
const flush = fc.constant(step('H', encodeFlush()))
const whole = fc
  .tuple(portalName, fc.constantFrom(...STATEMENTS), fc.constantFrom(0, 0, 2))
  .map(([portal, text, rows]) =>
    step(
      `P/B/D/E ${portal}<${text}/${rows}`,
      Buffer.concat([
        encodeParse('', text),
        bind(portal, ''),
        encodeDescribe('portal', portal),
        encodeExecute(portal, rows),
      ]),
    ),
  )
/**
 * Data that the server does not take is followed by CopyDone: what an agent sends behind it in place of that is read by the
 * server as what it is, since the COPY has failed, and by Sidegate, which cannot know that yet, as a violation.
 */
const copyData = fc.oneof(
  fc.constantFrom('1\n2\n', '3\n', '4').map((text) => step(`d ${text}`, encodeCopyData(Buffer.from(text)))),
  fc
    .constantFrom('-1\n', 'x\n')
    .map((text) => step(`d/c ${text}`, Buffer.concat([encodeCopyData(Buffer.from(text)), encodeCopyDone()]))),
)
const copyDone = fc.constant(step('c', encodeCopyDone()))
const copyFail = fc.constant(step('f', encodeCopyFail('given up')))
/** What a driver sends for a COPY without waiting for the server's leave. */
const copy = fc
  .constantFrom('1\n2\n', '-1\n')
  .chain((rows) =>
    fc.constantFrom(
      step(
        `COPY in extended ${JSON.stringify(rows)}`,
        Buffer.concat([
          encodeParse('', 'COPY bulk FROM STDIN'),
          bind('', ''),
          encodeExecute(''),
          encodeCopyData(Buffer.from(rows)),
          encodeCopyDone(),
          encodeSync(),
        ]),
      ),
      step(
        `COPY in simple ${JSON.stringify(rows)}`,
        Buffer.concat([encodeQuery('COPY bulk FROM STDIN'), encodeCopyData(Buffer.from(rows)), encodeCopyDone()]),
      ),
    ),
  )

const permitted = fc.oneof(
  { weight: 6, arbitrary: query },
  { weight: 4, arbitrary: parse },
  { weight: 1, arbitrary: empty },
  { weight: 5, arbitrary: bound },
  { weight: 2, arbitrary: describe },
  { weight: 5, arbitrary: execute },
  { weight: 1, arbitrary: close },
  { weight: 4, arbitrary: sync },
  { weight: 1, arbitrary: flush },
  { weight: 4, arbitrary: whole },
  { weight: 2, arbitrary: copyData },
  { weight: 1, arbitrary: copyDone },
  { weight: 1, arbitrary: copyFail },
  { weight: 2, arbitrary: copy },
)

/** A statement that cannot be parsed, as a refused one is not; of no form that another step has. */
const NO_STATEMENT = 'sidegate_denied'

const refusedQuery = fc
  .constantFrom(
    `SELECT nextval('${DENIED}')`,
    `INSERT INTO log VALUES (90); SELECT nextval('${DENIED}')`,
    `SELECT nextval('${DENIED}'); COMMIT`,
    `PREPARE a AS SELECT nextval('${DENIED}')`,
    `DECLARE c CURSOR FOR SELECT nextval('${DENIED}')`,
    `COPY (SELECT nextval('${DENIED}')) TO STDOUT`,
  )
  .map((text) => step(`Q! ${text}`, encodeQuery(text), encodeQuery(NO_STATEMENT)))
const refusedParse = statementName.map((name) =>
  step(
    `P! ${name}`,
    encodeParse(name, `SELECT nextval('${DENIED}')`),
    encodeParse(name === '' ? '' : NO_STATEMENT, NO_STATEMENT),
  ),
)
const refusedExecute = portalName.map((portal) =>
  step(
    `P/B/E! ${portal}`,
    Buffer.concat([
      encodeParse('', `SELECT nextval('any'), '${DENIED_AT_EXECUTE}'`),
      bind(portal, ''),
      encodeExecute(portal),
    ]),
    Buffer.concat([encodeParse('', `SELECT nextval('any'), '${DENIED_AT_EXECUTE}'`), bind('', NO_STATEMENT)]),
  ),
)

const mixed = fc.oneof(
  { weight: 6, arbitrary: permitted },
  { weight: 1, arbitrary: refusedQuery },
  { weight: 1, arbitrary: refusedParse },
  { weight: 1, arbitrary: refusedExecute },
)

/** Where the agent's bytes are cut, in thousandths of them, and for how many turns it then waits. */
export interface Cut {
  readonly at: number
  readonly turns: number
}
const cuts = fc.array(
  fc.record({
    at: fc.nat(1000),
    turns: fc.constantFrom(0, 0, 1, 30),
  }),
  { maxLength: 6 },
)

export interface Script {
  readonly steps: readonly Step[]
  readonly cuts: readonly Cut[]
}
export const anyScript: fc.Arbitrary<Script> = fc.record({
  steps: fc.array(permitted, { minLength: 1, maxLength: 14, size: 'max' }),
  cuts,
})
export const refusedScript: fc.Arbitrary<Script> = fc.record({
  steps: fc.array(mixed, { minLength: 1, maxLength: 14, size: 'max' }),
  cuts,
})

/** Ends whatever the conversation left open, and then says a word that nothing before it says. */
const LAST_WORD = 'the last word'
const END = Buffer.concat([
  encodeCopyFail('the end'),
  encodeSync(),
  encodeQuery('ROLLBACK'),
  encodeQuery(`SELECT '${LAST_WORD}'`),
])

export const words = ({ steps, cuts: at }: Script): string =>
  `${steps.map((one) => one.words).join(' | ')} cut ${at.map((cut) => `${cut.at}+${cut.turns}`).join(' ')}`

/** Plays the conversation and gives all that was answered, up to the last word or the end of the connection. */
export async function play(
  client: WireClient,
  { steps, cuts: places }: Script,
  { alone = false }: { alone?: boolean } = {},
): Promise<readonly Answer[]> {
  const bytes = Buffer.concat([...steps.map((one) => (alone ? (one.failing ?? one.bytes) : one.bytes)), END])
  let from = 0
  for (const { at, turns } of places.toSorted((a, b) => a.at - b.at)) {
    const to = Math.floor((at * bytes.length) / 1000)
    client.send(bytes.subarray(from, to))
    from = to
    for (let turn = 0; turn < turns && !client.ended; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  client.send(bytes.subarray(from))
  let last = false
  return await client.until((answer) => {
    last ||= answer.values?.[0] === LAST_WORD
    return last && answer.type === 'Z'
  })
}

/** An account of answers without what may rightly differ, one line each. */
export function account(answers: readonly Answer[]): string[] {
  // The server tells twice that a message may not come within COPY data, and never that people are asked.
  const told = answers.filter(
    ({ fields }) => !/during COPY from stdin|waits for an approval/.test(fields?.get('M') ?? ''),
  )
  return told.map((answer) => {
    const { type, fields, raw } = answer
    if (type === 'E' && fields !== undefined) return `E ${error(fields)}`
    // The process that notified.
    if (type === 'A') return `A ${raw.subarray(9).toString('latin1')}`
    // Tables are made anew in each database, and have other numbers.
    if (type === 'T') {
      const described = decodeRowDescription(raw, 0, raw.length).map((field) => ({ ...field, table: 0 }))
      return `T ${JSON.stringify(described)}`
    }
    return `${type} ${raw.subarray(5).toString('latin1')}`
  })
}

/**
 * What fails because of what was before it is one error here. Sidegate answers by itself for names that nobody knows, where a
 * failed transaction would have been the server's reason; a failed Query leaves a portal without a name behind, which
 * can only be asked whether it is there (and which PostgreSQL trips over, XX000); and asking for the types of parameters
 * fails before their number does. What is no SQL has the server's code, in words of Sidegate's own.
 */
const UNFIT = /^(26000|34000|25P02)|^08P01 bind message supplies|^XX000 StartTransactionCommand/

function error(fields: ReadonlyMap<string, string>): string {
  const code = fields.get('C') ?? ''
  const message = fields.get('M') ?? ''
  if (/^(refused by|.*sidegate_denied)/.test(message)) return 'refused'
  if (UNFIT.test(`${code} ${message}`)) return 'not fit to run'
  if (code === '42601') return code
  if (fields.get('V') === 'FATAL') return `FATAL ${code}`
  return JSON.stringify([...fields].filter(([letter]) => letter !== 'p' && letter !== 'q'))
}
