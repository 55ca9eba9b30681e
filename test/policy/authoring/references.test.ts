import t from 'tap'
import { brief, check, HEADER, KUBERNETES_HEADER, SSH_HEADER } from './fixture.ts'

const found = async (body: string, files: Readonly<Record<string, string>> = {}) =>
  brief(await check(`${HEADER}allow contains {"code": "x"} if {\n\tsql.reads\n\t${body}\n}\n`, files)).filter(
    (each) => !each.includes(':opa.'),
  )

t.test('a path that the input does not have is an error', async (t) => {
  for (const path of [
    'input.comand.action',
    'input.command.detail.efects',
    'input.command.detail.relations[_].colums',
    'input.principal.group',
    'input.session.usage.row',
    'input.approval.who',
    'input.command.action.name',
    'input.command.detail.effects.first',
  ]) {
    t.strictSame(await found(`${path} == "x"`), ['7:policy.input'], path)
  }
})

t.test('paths that the input has, and may have, are no mistakes', async (t) => {
  for (const path of [
    'input.command.detail.relations[_].columns[_]',
    'input.principal.claims.team.name',
    'input.workload.labels.app',
    'input.target.labels["a-b"]',
    'input.approval.by[_]',
    'input.session.usage.rows',
  ]) {
    t.strictSame(await found(`${path} == "x"`), [], path)
  }
})

t.test('a helper or rule that is not there is an error, since undefined would be its silence', async (t) => {
  t.strictSame(await found('not sql.write'), ['7:policy.reference'])
  t.strictSame(await found('not sql._opaque'), ['7:policy.reference'])
  t.strictSame(await found('not data.sidegate.decision'), ['7:policy.reference'])
  t.strictSame(await found('not data.policy.other.thing'), ['7:policy.reference'])
  t.strictSame(await found('not data.lists.denied'), ['7:policy.reference'])
  t.strictSame(await found('not data.lists.denied', { 'lists/data.json': '{"denied": true}' }), [])
})

t.test('words that helpers do not know are errors', async (t) => {
  for (const call of [
    'sql.does("inserts")',
    'sql.calls_class("slow")',
    'sql.touches("orders")',
    'sql.touches("public.Orders")',
    'sql.reads_only({"public.orders", "customers"})',
    'sql.touches_column("public.orders")',
  ]) {
    t.strictSame(await found(call), ['7:policy.argument'], call)
  }
})

const foundInSsh = async (call: string) =>
  brief(await check(`${SSH_HEADER}deny contains {"code": "x"} if ${call}\n`)).filter((each) => !each.includes(':opa.'))

t.test('words that helpers of SSH do not know are errors, since they would never be true', async (t) => {
  for (const call of [
    'ssh.asks_for("exce")',
    'ssh.asks_only_for({"pty", "tun"})',
    'ssh.shell_is("gated")',
    'ssh.transfers("push")',
    'ssh.reads_under({"srv/data"})',
    'ssh.writes_under({"/srv/../etc"})',
    'ssh.links_under({"/srv//data"})',
    'ssh.sftp_touches({"~/.ssh"})',
    'ssh.uploads_under({"/srv/."})',
    'ssh.downloads_under({""})',
    'ssh.forwards_to({"db.internal"})',
    'ssh.forwards_to({"::1:80"})',
    'ssh.forwards_to({"run/x.sock"})',
    'ssh.forwards_to({"/run/../x.sock"})',
    'ssh.forwards_to({"db.internal:http"})',
    'ssh.forwards_to({"localhost:0"})',
    'ssh.listens_on({":8080"})',
    'ssh.listens_on({"localhost"})',
    'ssh.listens_on({"run/x.sock"})',
  ]) {
    t.strictSame(await foundInSsh(call), ['5:policy.argument'], call)
  }
  for (const call of [
    'ssh.asks_for("agent-forward")',
    'ssh.shell_is("line-gated")',
    'ssh.transfers("upload")',
    'ssh.reads_under({"/", "/srv/data", "/srv/data/", "/srv/..data", "/srv/.ssh"})',
    'ssh.forwards_to({"db.internal:5432", "10.0.0.1:80", "[::1]:80", "/run/app.sock"})',
    'ssh.listens_on({"localhost:0", "*:8080", "[::1]:0", "/run/app.sock"})',
    'ssh.runs("rm")',
  ]) {
    t.strictSame(await foundInSsh(call), [], call)
  }
})

const foundInKubernetes = async (call: string) =>
  brief(await check(`${KUBERNETES_HEADER}deny contains {"code": "x"} if ${call}\n`)).filter(
    (each) => !each.includes(':opa.'),
  )

t.test('words that helpers of Kubernetes do not know are errors, since they would never be true', async (t) => {
  for (const call of [
    'kubernetes.does("exec")',
    'kubernetes.verbs_only({"get", "proxy"})',
    'kubernetes.on_resources({"Pods"})',
    'kubernetes.on_resources({"*"})',
    'kubernetes.on_resources({"apps/deployments/scale"})',
    'kubernetes.touches("pods/")',
    'kubernetes.touches("deployments.")',
    'kubernetes.in_namespaces({"*"})',
    'kubernetes.reads_only_in({"default", ""})',
    'kubernetes.touches_namespace("Kube_System")',
    'kubernetes.changes_only({"spec.replicas"})',
    'kubernetes.changes_only({"/"})',
    'kubernetes.changes("/metadata/annotations/a~b")',
    'kubernetes.uses_images({"registry.example/"})',
    'kubernetes.uses_images({"nginx:1"})',
  ]) {
    t.strictSame(await foundInKubernetes(call), ['5:policy.argument'], call)
  }
  for (const call of [
    'kubernetes.does("connect")',
    'kubernetes.verbs_only({"get", "deletecollection"})',
    'kubernetes.on_resources({"pods", "pods/log", "*.apps/scale", "clusterroles.rbac.authorization.k8s.io", "nodes/*"})',
    'kubernetes.in_namespaces({"default", "team-1"})',
    'kubernetes.changes_only({"/spec/containers/*/image", "/metadata/annotations/a.b~1c"})',
    'kubernetes.uses_images({"nginx", "registry.example:5000/team", "localhost/x"})',
    'input.command.detail.exec.command[_] == "a"',
    'input.command.detail.pod.baseline[_] == "a"',
  ]) {
    t.strictSame(await foundInKubernetes(call), [], call)
  }
  t.strictSame(await foundInKubernetes('input.command.detail.exec.argv[_] == "a"'), ['5:policy.input'])
})

t.test('paths of every protocol are known, and those of none are errors', async (t) => {
  t.strictSame(await foundInSsh('input.command.detail.destination.host == "a"'), [])
  t.strictSame(await foundInSsh('input.command.detail.commands[_].argv[_] == "a"'), [])
  t.strictSame(await foundInSsh('input.command.detail.destination.hostname == "a"'), ['5:policy.input'])
})

t.test('a builtin that can fail is refused in favour of its total form', async (t) => {
  for (const call of [
    'to_number(input.command.text) > 10',
    'regex.match("x", input.command.text)',
    'glob.match("x", [], input.command.text)',
    'json.unmarshal(input.command.text) == {}',
    'net.cidr_contains("10.0.0.0/8", input.target.host)',
    'input.target.port / 2 == 1',
    'input.target.port % 2 == 1',
    'max([1]) == 1',
    'count([x | x := to_number("1")]) == 1',
    'x := {"a": to_number("1")}\n\tx.a == 1',
  ]) {
    t.match(await found(call), ['7:policy.builtin'], call)
  }
  t.strictSame(await found('startswith(input.command.text, "x")\n\tcount(input.principal.groups) == 1'), [])
})

t.test('`with` outside of tests is an error', async (t) => {
  t.strictSame(await found('not sql.writes with input as {}'), ['7:policy.with'])
})
