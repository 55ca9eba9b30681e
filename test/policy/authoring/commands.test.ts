import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

function sidegate(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['src/main.ts', 'policy', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

t.test('check exits with 0 for a good policy, and with 1 and every mistake for a bad one', async (t) => {
  t.match(sidegate('check', 'bundles/starter'), { status: 0, stdout: /^ok/ })
  const rules = 'package policy.p\n\nallow contains {"code": "x"} if input.command.action == "select"\n'
  const bad = t.testdir({ 'p.rego': rules })
  t.match(sidegate('check', bad), { status: 1, stdout: /p\.rego:3: policy\.unbound[^\n]*\n {2}→ / })
  t.match(JSON.parse(sidegate('check', bad, '--json').stdout), [{ file: 'p.rego', line: 3, code: 'policy.unbound' }])
})

t.test('build writes a bundle and says that it is not signed; a bad policy writes nothing', async (t) => {
  const folder = t.testdir({ bad: { 'p.rego': 'package p\n' } })
  const output = join(folder, 'out', 'starter.tar.gz')
  t.match(sidegate('build', 'bundles/starter', '--output', output), { status: 0, stdout: /not signed/ })
  t.ok(existsSync(output))
  const refused = join(folder, 'refused.tar.gz')
  t.match(sidegate('build', join(folder, 'bad'), '-o', refused), { status: 1, stderr: /policy\.package/ })
  t.notOk(existsSync(refused))
  t.match(sidegate('build', 'bundles/starter', '-o', refused, '--serial', '3'), { status: 1, stderr: /--sign/ })
})

t.test('a command that is used wrongly exits with 2', async (t) => {
  t.match(sidegate('build', 'bundles/starter'), { status: 2, stderr: /--output/ })
  t.match(sidegate('build', 'bundles/starter', '-o', 'x', '--serial', 'abc'), { status: 2, stderr: /whole number/ })
})
