import { join } from 'node:path'
import t from 'tap'
import { auditCommand } from '../../src/commands/audit.ts'
import { run } from '../support/process.ts'
import { temporary, written } from '../record/support.ts'

const PROGRAM = `
import { auditCommand } from ${JSON.stringify(join(import.meta.dirname, '../../src/commands/audit.ts'))}
await auditCommand().parseAsync(process.argv)
`
const audit = (...args: string[]) =>
  run(process.execPath, ['--input-type=module-typescript', '-e', PROGRAM, '--', 'sidegate', ...args], { ms: 20_000 })

t.test('records go to a pipe without colours, and as JSON one a line', async (t) => {
  const directory = temporary()
  await written(directory, 3)
  const lines = await audit('tail', '--journal', directory, '--no-follow')
  t.equal(lines.code, 0, lines.stderr)
  t.match(lines.stdout, /allowed +do +SELECT 2\n/)
  t.notOk(lines.stdout.includes('\u001b'))
  const json = await audit('tail', '--journal', directory, '--no-follow', '--json', '--lines', '2')
  t.same(
    json.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type),
    ['decision', 'instance-stop'],
  )
})

t.test('whoever reads only the beginning ends it', async (t) => {
  const directory = temporary()
  await written(directory, 500)
  const tailing = `"${process.execPath}" --input-type=module-typescript -e "$0" -- sidegate tail --journal "${directory}" --json -n 1000`
  const { stdout, stderr, code } = await run('bash', ['-c', `${tailing} | head -1`, PROGRAM], { ms: 20_000 })
  t.match(stdout, /instance-start/)
  t.equal(stderr, '')
  t.equal(code, 0)
})

t.test('a directory without a journal is told', async (t) => {
  const { code, stderr } = await audit('tail', '--journal', temporary(), '--no-follow')
  t.not(code, 0)
  t.match(stderr, /record\.foreign/)
})

t.test('the help says how, with examples', (t) => {
  const command = auditCommand().commands.find((one) => one.name() === 'tail')
  let help = ''
  command?.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
  for (const option of [
    '--config',
    '--journal',
    '--redis',
    '--no-follow',
    '--since',
    '--session',
    '--json',
    '--lines',
  ]) {
    t.match(help, new RegExp(option))
  }
  t.match(help, /Examples:/)
  t.end()
})
