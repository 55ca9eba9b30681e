/**
 * A process that appends to a journal for as long as it lives, for the tests that kill it or fill its disk: `node writer.ts DIRECTORY DURABILITY`.
 * It prints each position that was confirmed to it, and each refusal's code, one a line.
 */
import { writeSync } from 'node:fs'
import { decision, frame, open, outcome, session, whenDurable } from './support.ts'

const [directory = '', durability = 'written', pause = '0'] = process.argv.slice(2)
const journal = open(directory, { durability: durability as 'written' | 'synced', segmentSize: 256 * 1024 })
const of = session()
journal.sessionStart(of)
const printed = Buffer.alloc(200, 'output')

for (;;) {
  try {
    const position = journal.decision(decision(of, `SELECT ${'x'.repeat(500)}`))
    const error = await whenDurable(journal)
    // Not console.log: what was printed must have left the process when it is killed.
    writeSync(1, error === null ? `${position}\n` : 'record.unavailable\n')
    // What a program prints meanwhile is on record too, in blocks of its own and with others.
    for (let index = position % 3; index > 0; index--)
      journal.frame(frame(of, 'output', printed.subarray(0, index * 100)))
    journal.outcome(outcome(of))
  } catch (error) {
    writeSync(1, `${error instanceof Error && 'code' in error ? String(error.code) : 'bug'}\n`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  if (pause !== '0') await new Promise((resolve) => setTimeout(resolve, Number(pause)))
}
