/** A deny must not vanish because of what it says, or because one word that an agent wrote is not known. */
import t from 'tap'
import { brief, check, HEADER, KUBERNETES_HEADER, SSH_HEADER } from './fixture.ts'

const VALUES = (header: string) =>
  header.replace('\n\n', '\n\nimport data.sidegate.values\n').replace('values\n\n', 'values\n')

t.test('a word that is not known takes no condition over all the words with it', async (t) => {
  const conditions = [
    'contains(concat(" ", command.argv), "--force")',
    'strings.any_prefix_match(command.argv, ["--force"])',
    'strings.any_suffix_match(command.argv, ["force"])',
    'contains(concat("/", [command.directory, "x"]), "etc")',
  ]
  for (const condition of conditions) {
    const body = `some command in input.command.detail.commands\n\t${condition}\n`
    const rules = `${SSH_HEADER}deny contains {"code": "x"} if {\n\tssh.asks_for({"exec"})\n\t${body}}\n`
    t.match(brief(await check(rules)), ['8:policy.builtin'], condition)
  }
})

t.test('it is found through variables, comprehensions, other rules, functions and other packages', async (t) => {
  const ways = [
    ['words := [word | some word in input.command.detail.commands[_].argv]', 'concat(" ", words) == "x"', ''],
    ['some i', 'concat(" ", input.command.detail.commands[i].argv) == "x"', ''],
    ['concat(" ", _words) == "x"', '', '_words := [word | some word in input.command.detail.commands[_].argv]'],
    [
      '_forced(input.command.detail.commands[0].argv)',
      '',
      '_forced(words) if strings.any_prefix_match(words, ["--f"])',
    ],
    ['every command in input.command.detail.commands { concat(" ", command.argv) == "x" }', '', ''],
    ['sum([limit | some limit in input.command.detail.limits]) > 3', '', ''],
  ] as const
  for (const [first, second, rule] of ways) {
    const rules = `${SSH_HEADER}deny contains {"code": "x"} if {\n\tssh.asks_for({"exec"})\n\t${first}\n\t${second}\n}\n\n${rule}\n`
    t.ok(
      brief(await check(rules)).some((each) => each.endsWith(':policy.builtin')),
      first,
    )
  }
})

t.test('words of the author’s own are put together as before', async (t) => {
  const rules = `${HEADER}_tables := {"public.orders", "public.customers"}

_names := {"a": 1, "b": 2}

allow contains {"code": "x"} if sql.reads_only(_tables)

deny contains {
	"code": "y",
	"remedy": concat("", ["only ", concat(" and ", sort(_tables)), concat(", ", [name | some name, _ in _names])]),
} if {
	sql.writes
}
`
  t.same(await check(rules), [])
})

t.test('a message that not every input can be put into takes no denial with it', async (t) => {
  const messages = [
    'sprintf("%s may not", [input.principal.claims.email])',
    'sprintf("not %s", [input.command.detail.body.metadata.name])',
    'sprintf("not %s", [input.command.detail.exec.command])',
    'sprintf("not %s", [input.command.detail.resources[_]])',
    'upper(input.command.detail.upgrade)',
    'sprintf("%d", [count(input.command.detail.exec)])',
    'object.get(input.command.detail.body, ["metadata", "name"], "?")',
  ]
  for (const message of messages) {
    const rules = `${KUBERNETES_HEADER}deny contains {"code": "x", "message": ${message}} if kubernetes.does("create")\n`
    const found = brief(await check(rules))
    t.ok(found.includes('5:policy.head'), `${message}: ${found.join(' ')}`)
  }
})

t.test('what is in every input may be said, and what is not with a fallback', async (t) => {
  const messages = [
    'input.command.text',
    'sprintf("%s %v", [input.command.detail.verb, input.command.detail.upgrade])',
    'object.get(input.principal.claims, "email", "somebody")',
    'values.field(input.command.detail.body, ["metadata", "name"], "?")',
    'sprintf("%s", [values.text(input.command.detail.upgrade, "?")])',
    'values.joined(" ", input.principal.groups, "?")',
    'sprintf("%d of %s", [input.target.port - 1, upper(input.command.action)])',
  ]
  for (const message of messages) {
    const head = `{"code": "x", "message": ${message}}`
    const rules = `${VALUES(KUBERNETES_HEADER)}deny contains ${head} if kubernetes.does("create")\n`
    t.same(
      (await check(rules)).filter(({ code }) => code !== 'policy.format' && !code.startsWith('opa.')),
      [],
      message,
    )
  }
})
