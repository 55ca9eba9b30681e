import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { PLAIN } from '../../src/commands/terminal.ts'
import { loadConfiguration } from '../../src/config/load.ts'
import { postureOf } from '../../src/config/posture.ts'
import { type Paint, printPosture } from '../../src/config/printout.ts'
import { duration, formatDuration, formatSize, size } from '../../src/config/values.ts'
import { folderOf, GOOD, write } from './fixture.ts'

/** Marks what is red, so that it can be looked for. */
const MARKED: Paint = { ...PLAIN, red: (text) => `<red>${text}</red>` }

function posture(folder: string, text: string) {
  return postureOf(loadConfiguration(write(folder, text), {}))
}

const ACTIVE = { revision: 'r1', problem: null }

t.test('the posture says for every target who may connect how, and what holds', async (t) => {
  const folder = folderOf(t)
  const page = printPosture(posture(folder, GOOD), ACTIVE, MARKED)
  for (const expected of [
    'bundle.tar.gz, revision r1',
    /signed by +\S+bundle\.pub {2}SHA256:[\w-]{43}/,
    'Target orders-db (postgres)',
    '127.0.0.1:6432, TLS with',
    'reporting, each with a password of its own (SCRAM-SHA-256)',
    'orders.db.internal:5432, TLS, its name and authority verified',
    /credential +role reporting, password in \S+password/,
    /databases +orders/,
    /search path +public/,
    '100 connections, 8MiB a message',
    'rediss://redis:6379 as sidegate:*',
    /Redis is away +the journal keeps what is unsent/,
    'record.spool-full',
    'Nothing weakens it',
  ]) {
    t.match(page, expected)
  }
  t.notMatch(page, /<red>/)
})

t.test('no secret is in the posture, in whatever form it is printed', async (t) => {
  const folder = folderOf(t)
  const text = GOOD.replace(
    'rediss://redis:6379", passwordFile: password',
    'rediss://someone:s3cret-in-url@redis:6379"',
  )
  const found = posture(folder, text)
  for (const printed of [JSON.stringify(found), printPosture(found, ACTIVE, PLAIN)]) {
    for (const secret of ['s3cret-in-url', 'someone', 'a-password', 'a-token', 'PRIVATE KEY']) {
      t.notMatch(printed, secret)
    }
  }
})

t.test('what weakens it is red and says what would be right', async (t) => {
  const folder = folderOf(t)
  const text = GOOD.replace('key: bundle.pub', 'allowUnsigned: true')
    .replace('record:', '  mode: observe\nrecord:')
    .replace('[ orders ]', 'any')
  const page = printPosture(posture(folder, text), ACTIVE, MARKED)
  t.match(page, '<red>UNSIGNED: whoever can write it decides</red>')
  t.match(page, '<red>observe: nothing that the policy denies is stopped</red>')
  t.match(page, '<red>What weakens it (3)</red>')
  t.match(page, /<red>targets\.orders-db\.databases \(line 16\): every database .*<\/red>\n {4}list the databases/)
  t.match(page, 'NOT enforced (mode: observe)')
})

t.test('a bundle that cannot be activated is red', async (t) => {
  const folder = folderOf(t)
  const page = printPosture(
    posture(folder, GOOD),
    { revision: '', problem: 'it carries no signature (bundle.unsigned)' },
    MARKED,
  )
  t.match(page, /bundle\.tar\.gz<red>: it carries no signature \(bundle\.unsigned\)<\/red>/)
})

t.test('the fingerprint is that of the key that openssl names', async (t) => {
  const folder = folderOf(t)
  const der = execFileSync('openssl', ['pkey', '-pubin', '-in', join(folder, 'bundle.pub'), '-outform', 'DER'])
  writeFileSync(join(folder, 'key.der'), der)
  const hash = execFileSync('openssl', ['dgst', '-sha256', '-binary', join(folder, 'key.der')])
  t.equal(posture(folder, GOOD).policy.signer?.fingerprint, `SHA256:${hash.toString('base64url')}`)
})

t.test('times and sizes are printed as they may be written', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.nat({ max: 999_999_999 }), (amount) => {
        const [time, bytes] = [formatDuration(amount), formatSize(amount)]
        return duration.parse(time) === amount && size.parse(bytes) === amount
      }),
    ),
  )
  t.same(
    [formatDuration(90_000), formatDuration(0), formatSize(1024 ** 3), formatSize(1_000)],
    ['90s', '0ms', '1GiB', '1000B'],
  )
})
