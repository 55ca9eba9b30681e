import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { matchesPattern, matchesPatterns } from '../../src/config/host-patterns.ts'
import { lookupName, parseKnownHosts } from '../../src/config/known-hosts.ts'
import { removeAtExit } from '../support/process.ts'
import { makeSshKey } from '../support/ssh-keys.ts'

const directory = mkdtempSync(join(tmpdir(), 'sidegate-known-hosts-'))
removeAtExit(directory)
const file = join(directory, 'known_hosts')
const { line: KEY } = await makeSshKey(join(directory, 'key'))
const { line: RSA } = await makeSshKey(join(directory, 'rsa'), { type: 'rsa', bits: 1024 })

const NAMES = [
  'a',
  'b',
  'ab',
  'a.b',
  'a.b.c',
  '10.0.0.1',
  '::1',
  '[a]:2222',
  '[a.b]:22',
  '[10.0.0.1]:2222',
  '[::1]:2222',
]
const WORDS = { '': 'key', CA: 'authority', REVOKED: 'revoked' } as const

/** The lines that OpenSSH finds for a name, and what it says of each. */
function found(name: string): string[] {
  let output = ''
  try {
    output = execFileSync('ssh-keygen', ['-F', name, '-f', file]).toString()
  } catch {
    // Nothing was found.
  }
  return [...output.matchAll(/^# Host .* found: line (\d+) ?(CA|REVOKED)?/gm)].map(
    ([, line, word]) => `${line} ${WORDS[(word ?? '') as keyof typeof WORDS]}`,
  )
}

/** The same by us. A line that is no comment is one entry. */
function foundByUs(name: string): string[] {
  const text = readFileSync(file, 'utf8')
  const numbers = text.split('\n').flatMap((line, index) => (/^[ \t]*(#|$)/.test(line) ? [] : [index + 1]))
  return parseKnownHosts(text).flatMap(({ marker, matches }, index) =>
    matches(name) ? [`${numbers[index]} ${marker}`] : [],
  )
}

const plain = fc.constantFrom(...NAMES)
const pattern = fc
  .tuple(
    fc.constantFrom('', '', '', '!'),
    fc.array(fc.constantFrom('*', '?', 'a', 'b', 'A', '.', 'a.b', '10.0.0.', '1', '[', ']:', '2222', '::1'), {
      minLength: 1,
      maxLength: 6,
    }),
  )
  .map(([negated, parts]) => negated + parts.join(''))
const marker = fc.constantFrom('', '', '', '@cert-authority ', '@revoked ')
const line = fc
  .tuple(
    marker,
    fc.array(fc.oneof(plain, pattern), { minLength: 1, maxLength: 4 }),
    fc.constantFrom(KEY, `${RSA} words`),
  )
  .map(([mark, names, key]) => `${mark}${names.join(',')} ${key}`)
const other = fc.constantFrom('', '# comment', '   # comment', '\t')
const text = fc
  .array(fc.oneof({ arbitrary: line, weight: 5 }, other), { minLength: 1, maxLength: 8 })
  .map((lines) => `${lines.join('\n')}\n`)

t.test('What a file says of a host is what OpenSSH finds in it', (t) => {
  fc.assert(
    fc.property(text, fc.shuffledSubarray(NAMES, { minLength: 2, maxLength: 2 }), (lines, names) => {
      writeFileSync(file, lines)
      return names.every((name) => String(foundByUs(name)) === String(found(name)))
    }),
    { numRuns: 150 },
  )
  t.pass('in 150 generated files')
  t.end()
})

t.test('Hashed names are found as OpenSSH hashes them', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(plain, { minLength: 1 }), (names) => {
      writeFileSync(file, names.map((name) => `${name} ${KEY}\n`).join(''))
      execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' })
      t.match(readFileSync(file, 'utf8'), /^\|1\|/)
      return NAMES.every((name) => String(foundByUs(name)) === String(found(name)))
    }),
    { numRuns: 5 },
  )
  t.end()
})

t.test('A pattern matches as the regular expression does that says the same', (t) => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 })
  const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 8 })
  fc.assert(
    fc.property(letters, patterns, (name, pattern) => {
      const source = pattern.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')
      return matchesPattern(name, pattern) === new RegExp(`^${source}$`).test(name)
    }),
    { numRuns: 2_000 },
  )
  t.equal(matchesPatterns('a', ['!b']), false, 'what is only not another is nobody')
  t.end()
})

t.test('A pattern full of stars takes no time', (t) => {
  const begin = performance.now()
  t.equal(matchesPattern('a'.repeat(5_000), `${'*a'.repeat(2_000)}b`), false)
  t.ok(performance.now() - begin < 1_000)
  t.end()
})

t.test('A host at another port than 22 has a name of its own', (t) => {
  t.equal(lookupName('Build.Internal', 22), 'build.internal')
  t.equal(lookupName('Build.Internal', 2222), '[build.internal]:2222')
  t.end()
})

const [type = '', base64 = ''] = KEY.split(' ')
for (const [what, bad, message] of [
  ['a marker that is not known', `@trusted a ${KEY}`, /line 2: its marker/],
  ['two markers', `@revoked @cert-authority a ${KEY}`, /line 2: /],
  ['no key', `a ${type}`, /line 2: it is not names, algorithm and key/],
  ['a key of another algorithm', `a ecdsa-sha2-nistp256 ${base64}`, /line 2: it holds no whole key/],
  ['a key that is cut off', `@revoked a ${type} ${base64.slice(0, -8)}`, /line 2: it holds no whole key/],
  ['a key with more after it', `a ${type} ${base64}AAAA`, /line 2: it holds no whole key/],
  ['a key that is not in base64', `a ${type} ${base64.replace('A', '-')}`, /line 2: it holds no whole key/],
  ['a hash that is cut off', `|1|AAAA|AAAA ${KEY}`, /line 2: its hashed name/],
  ['a hash among names', `a,|1|AAAA|AAAA ${KEY}`, /line 2: one of its names/],
  ['an empty name', `a,,b ${KEY}`, /line 2: one of its names/],
  ['a key of the first version of the protocol', 'a 1024 35 1234567890', /line 2: it holds no whole key/],
] as const) {
  t.test(`A file with ${what} is refused, by its line`, (t) => {
    t.throws(() => parseKnownHosts(`b ${KEY}\n${bad}\n`), { name: 'KnownHostsError', line: 2, message })
    t.end()
  })
}

t.test('A line whose marker ends in a tab revokes, though OpenSSH passes over it', (t) => {
  t.match(parseKnownHosts(`@revoked\ta\t${KEY}`), [{ marker: 'revoked' }])
  t.end()
})

t.test('Whatever a file holds, it is read or refused by a line', (t) => {
  const junk = fc.string({
    unit: fc.constantFrom('@', '|', '1', ',', ' ', '\t', '\n', '\r', '*', '!', 'a', 'A', '=', '\0'),
  })
  fc.assert(
    fc.property(fc.array(fc.oneof(junk, fc.constantFrom(KEY, '@revoked', '@cert-authority', 'a'))), (parts) => {
      try {
        parseKnownHosts(parts.join(' '))
      } catch (error) {
        if ((error as Error).name !== 'KnownHostsError') throw error
      }
    }),
    { numRuns: 2_000 },
  )
  t.pass('in 2,000 generated files')
  t.end()
})
