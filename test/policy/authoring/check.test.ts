import t from 'tap'
import { checkPolicy } from '../../../src/policy/authoring/check.ts'
import { formatFinding } from '../../../src/policy/authoring/findings.ts'
import { brief, check, HEADER } from './fixture.ts'

const READ = 'allow contains {"code": "read"} if sql.reads\n'

t.test('the shipped bundles have no mistakes', async (t) => {
  for (const name of ['starter', 'starter-ssh', 'starter-kubernetes', 'permissive']) {
    t.strictSame(await checkPolicy(new URL(`../../../bundles/${name}`, import.meta.url).pathname), [], name)
  }
})

t.test('a package that nobody would compose is an error', async (t) => {
  for (const name of ['policy', 'policy.a.b', 'reporting', 'policy["A b"]']) {
    const rules = `package ${name}\n\nallow contains {"code": "x", "protocol": "*"}\n`
    t.match(brief(await check(rules)), ['1:policy.package'], name)
  }
  t.strictSame(brief(await check(`package policy.p_test\n\ntest_a := true\n`)).includes('1:policy.package'), true)
})

t.test('a misspelt kind of rule is an error that names the kind that was meant', async (t) => {
  const [found, ...more] = await check(`${HEADER}${READ}\ndenny contains {"code": "x"} if sql.writes\n`)
  t.match(found, { file: 'p.rego', line: 7, code: 'policy.unused', remedy: 'was `deny` meant?' })
  t.strictSame(more, [])
  t.match(found === undefined ? '' : formatFinding(found), 'p.rego:7: policy.unused: rule denny is none of allow, deny')
})

t.test('a helper that a rule uses, through others and other packages, is no mistake', async (t) => {
  const rules = `package policy.p

import data.policy.common
import data.sidegate.sql

allow contains {"code": "x"} if {
	sql.reads
	common.fine
}
`
  const common = 'package policy.common\n\nfine if _inner\n\n_inner if input.command.action == "select"\n'
  t.strictSame(await check(rules, { 'common.rego': common }), [])
  const unused = `${common}\n_left if input.version == 1\n`
  t.strictSame(brief(await check(rules, { 'common.rego': unused })), ['common.rego:7:policy.unused'])
})

t.test('a rule of the six that adds to no set is an error', async (t) => {
  for (const rule of [
    'deny := true if sql.writes',
    'deny["x"] := true if sql.writes',
    'default deny := false',
    'deny(_) := true',
  ]) {
    t.ok(brief(await check(`${HEADER}${READ}\n${rule}\n`)).includes('7:policy.form'), rule)
  }
})

t.test('what a rule yields is checked key by key', async (t) => {
  const wrong = [
    'allow contains "read" if sql.reads',
    'allow contains {"cod": "x"} if sql.reads',
    'deny contains {"code": 1} if sql.writes',
    'deny contains {"code": "x", "remedi": "y"} if sql.writes',
    'deny contains {"message": "x"} if sql.writes',
    'approve contains {"code": "x", "wait": "10 minutes"} if sql.writes',
    'approve contains {"code": "x", "count": 0} if sql.writes',
    'approve contains {"code": "x", "groups": "dba"} if sql.writes',
    'mask contains {"column": "ssn", "with": "redact"}',
    'mask contains {"column": "public.Customers.ssn", "with": "redact"}',
    'mask contains {"column": "public.customers.ssn", "with": "hide"}',
    'mask contains {"column": "public.customers.ssn", "path": "$.a", "with": "null"}',
    'mask contains {"path": "$.a[0]", "with": "null"}',
    'mask contains {"path": "data..a", "with": "null"}',
    'mask contains {"path": "metadata.annotations[a.b/c]", "with": "null"}',
    'limit contains {"rows": 1.5}',
    'limit contains {"rows": -1}',
    'limit contains {}',
    'record contains {"level": "none"}',
  ]
  for (const rule of wrong) t.ok(brief(await check(`${HEADER}${READ}\n${rule}\n`)).includes('7:policy.result'), rule)
})

t.test('what a rule yields is checked through variables and lists', async (t) => {
  const assigned = 'deny contains reason if {\n\tsql.writes\n\treason := {"code": "x", "remdy": "y"}\n}\n'
  t.strictSame(brief(await check(`${HEADER}${READ}\n${assigned}`)), ['9:policy.result'])
  const listed =
    '_columns := {"public.a.b", "public.B.c"}\n\nmask contains {"column": column, "with": "hash"} if some column in _columns\n'
  t.strictSame(brief(await check(`${HEADER}${READ}\n${listed}`)), ['7:policy.result'])
})

t.test('well-formed results of every kind are no mistakes', async (t) => {
  const rules = [
    'deny contains {"code": "d", "message": "m", "remedy": "r"} if sql.unbounded_write',
    'approve contains {"code": "a", "groups": ["dba"], "count": 2, "wait": "10m", "validFor": "2h"} if sql.changes_schema',
    'mask contains {"column": "public.\\"Odd name\\".ssn", "with": "redact"}',
    'mask contains {"detector": "email", "with": "hash"}',
    'mask contains {"path": "data.*", "with": "redact"}',
    'mask contains {"path": "metadata.annotations[\\"a.b/c\\"]", "with": "null"}',
    'limit contains {"rows": 0, "bytes": 1, "seconds": 60}',
    'record contains {"level": "full"}',
  ]
  t.strictSame(await check(`${HEADER}${READ}\n${rules.join('\n\n')}\n`), [])
})

t.test('data among the rules is refused, and so is data that is no object', async (t) => {
  const rules = `${HEADER}${READ}`
  for (const file of ['data.json', 'x/data.json']) {
    t.strictSame(brief(await check(rules, { [file]: '{"a": 1}' })), [], file)
  }
  t.match(brief(await check(rules, { 'data.json': '{"policy": {"p": {"allow": ["x"]}}}' })), [
    'data.json:0:policy.data',
  ])
  t.match(brief(await check(rules, { 'data.json': '{"sidegate": {}}' })), ['data.json:0:policy.data'])
  t.match(brief(await check(rules, { 'policy/q/data.json': '{"allow": []}' })), ['policy/q/data.json:0:policy.data'])
})

t.test("OPA's own errors come with their place", async (t) => {
  t.match(await check(`${HEADER}${READ}\ndeny contains {"code": "x"} if {\n\tx := 1\n\tsql.writes\n}\n`), [
    { file: 'p.rego', line: 8, code: /^opa\./, message: /x/ },
  ])
  await t.rejects(check('package policy.p\n\nallow contains {'), { code: 'policy.syntax', message: /p\.rego/ })
})

t.test('a file that is not formatted is an error', async (t) => {
  t.strictSame(brief(await check(`${HEADER}allow   contains {"code": "read"} if sql.reads\n`)), ['0:policy.format'])
})

t.test('a folder without rules is an error, and so is one that holds what no policy can', async (t) => {
  const empty = t.testdir({})
  t.strictSame(brief(await checkPolicy(empty)), [':0:policy.empty'])
  await t.rejects(checkPolicy(`${empty}/missing`), { code: 'policy.files' })
  await t.rejects(checkPolicy(t.testdir({ sidegate: { 'x.rego': 'package sidegate\n' } })), { code: 'policy.files' })
  await t.rejects(checkPolicy(t.testdir({ 'data.yaml': 'a: 1\n' })), { code: 'policy.files' })
  await t.rejects(checkPolicy(t.testdir({ 'x.rego': t.fixture('symlink', '/etc/passwd') })), { code: 'policy.files' })
})
