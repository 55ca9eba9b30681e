/** `every` over nothing is true. */
import t from 'tap'
import { brief, check, SSH_HEADER } from './fixture.ts'

const allow = (...body: string[]) =>
  `${SSH_HEADER}allow contains {"code": "x"} if {\n\tssh.asks_only_for({"exec"})\n\t${body.join('\n\t')}\n}\n`

const COMMANDS = 'input.command.detail.commands'
const KNOWN = 'every command in input.command.detail.commands { command.name in {"ls", "cat"} }'

t.test('an allow that would be true of a line without commands is an error', async (t) => {
  t.match(await check(allow(KNOWN)), [{ code: 'policy.every', line: 7 }])
  const hidden: readonly (readonly [where: string, rules: string])[] = [
    ['behind a name', allow(`commands := ${COMMANDS}`, KNOWN.replace(COMMANDS, 'commands'))],
    ['in another rule', `${allow('_known')}\n_known if {\n\t${KNOWN}\n}\n`],
    ['in an else', `${allow('_known')}\n_known if {\n\tssh.literal\n} else if {\n\t${KNOWN}\n}\n`],
    [
      'in a function',
      `${allow(`_known(${COMMANDS})`)}\n_known(commands) if {\n\t${KNOWN.replace(COMMANDS, 'commands')}\n}\n`,
    ],
    [
      'within another',
      allow(`count(${COMMANDS}) > 0`, `every command in ${COMMANDS} { every word in command.argv { word == "ls" } }`),
    ],
    ['in a comprehension', allow(`count([1 | ${KNOWN}]) == 1`)],
    ['beside its negation', allow(`not count(${COMMANDS}) == 7`, KNOWN)],
  ]
  for (const [where, rules] of hidden) {
    t.ok(
      brief(await check(rules)).some((each) => each.endsWith(':policy.every')),
      where,
    )
  }
})

t.test('whoever says what holds of nothing is believed, and a deny may hold of nothing', async (t) => {
  const deny = `${SSH_HEADER}deny contains {"code": "x"} if {\n\tssh.asks_for({"exec"})\n\t${KNOWN}\n}\n`
  const own = `${allow('every name in _names { name != "rm" }')}\n_names := {"ls"}\n`
  for (const rules of [allow(`count(${COMMANDS}) > 0`, KNOWN), allow(`some _ in ${COMMANDS}`, KNOWN), deny, own]) {
    t.notOk(
      brief(await check(rules)).some((each) => each.endsWith(':policy.every')),
      rules,
    )
  }
})
