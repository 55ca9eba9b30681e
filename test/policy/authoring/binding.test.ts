/** `allow … if not sql.writes` would be true of every SSH command. */
import t from 'tap'
import { brief, check, HEADER, KUBERNETES_HEADER, SSH_HEADER } from './fixture.ts'

const unbound = async (body: string, more = '') =>
  brief(await check(`${HEADER}allow contains {"code": "x"} if {\n\t${body}\n}\n${more}`)).includes('5:policy.unbound')

t.test('an allow that could be true for another protocol is refused', async (t) => {
  for (const body of [
    'not sql.writes',
    'not sql.changes_schema\n\tinput.principal.subject == "ci"',
    'x := sql.reads\n\tx == false',
    'sql.reads == false',
    'input.command.action == "select"',
    'input.command.protocol != "ssh"',
    'some x in [sql.reads]\n\tx == false',
    'every x in [] {\n\t\tx == sql.reads\n\t}',
    'sql.reads with input as {"command": {"protocol": "postgres"}}',
    'count([1 | sql.reads]) == 0',
    'is_boolean(sql.reads)',
  ]) {
    t.ok(await unbound(body), body)
  }
})

t.test('an allow that demands a helper, or names its protocol, is bound', async (t) => {
  for (const body of [
    'sql.reads',
    'sql.reads_only({"public.a"})',
    'not sql.writes\n\tsql.reads',
    'input.command.protocol == "postgres"\n\tnot sql.writes',
    '"postgres" == input.command.protocol\n\tnot sql.writes',
  ]) {
    t.notOk(await unbound(body), body)
  }
})

t.test('an allow that demands a helper of SSH is bound, and one that only denies it is not', async (t) => {
  const unboundSsh = async (body: string) =>
    brief(await check(`${SSH_HEADER}allow contains {"code": "x"} if {\n\t${body}\n}\n`)).includes('5:policy.unbound')
  for (const body of ['ssh.is_literal', 'ssh.only_runs({"ls"})', 'ssh.housekeeping\n\tnot ssh.opens_shell']) {
    t.notOk(await unboundSsh(body), body)
  }
  for (const body of ['not ssh.opens_shell', 'not ssh.runs("rm")', 'ssh.sftp_writes == false']) {
    t.ok(await unboundSsh(body), body)
  }
})

t.test('an allow that demands a helper of Kubernetes is bound, and one that only denies it is not', async (t) => {
  const rules = (body: string) => `${KUBERNETES_HEADER}allow contains {"code": "x"} if {\n\t${body}\n}\n`
  for (const body of ['kubernetes.reads_only', 'kubernetes.verbs_only({"get"})\n\tnot kubernetes.reads_secrets']) {
    t.strictSame(brief(await check(rules(body))), [], body)
  }
  for (const body of ['not kubernetes.writes', 'kubernetes.escalates == false', 'not kubernetes.touches("secrets")']) {
    t.ok(brief(await check(rules(body))).includes('5:policy.unbound'), body)
  }
})

t.test("an allow is bound through the author's own rules when every way to make them true is", async (t) => {
  t.notOk(await unbound('_fine', '\n_fine if sql.reads\n\n_fine if sql.housekeeping\n'))
  t.notOk(await unbound('_fine("public.a")', '\n_fine(name) if sql.reads_only({name})\n'))
  t.notOk(await unbound('_fine', '\ndefault _fine := false\n\n_fine if sql.reads\n'))
  t.ok(await unbound('_fine', '\n_fine if sql.reads\n\n_fine if not sql.writes\n'))
  t.ok(await unbound('_fine', '\ndefault _fine := true\n\n_fine := false if sql.writes\n'))
  t.ok(await unbound('_fine', '\n_fine if {\n\tsql.reads\n} else if {\n\tnot sql.writes\n}\n'))
  t.ok(await unbound('_fine', '\n_fine contains 1 if sql.reads\n'))
})

t.test('an allow may say which protocol it is for, in a word that is written out', async (t) => {
  const rules = (protocol: string) =>
    `${HEADER}allow contains {"code": "x", "protocol": ${protocol}} if not sql.writes\n`
  t.strictSame(brief(await check(rules('"ssh"'))), [])
  t.strictSame(brief(await check(rules('"*"'))), [])
  t.strictSame(brief(await check(rules('input.command.protocol'))), ['5:policy.unbound'])
})
