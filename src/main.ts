/** The CLI: one line per command. Each is loaded when it is called. */
import { Command } from 'commander'
import { explain } from './commands/errors.ts'
import { paintFor } from './commands/terminal.ts'
import { VERSION } from './commands/version.ts'

const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['run', async () => (await import('./commands/run.ts')).runCommand()],
  ['status', async () => (await import('./commands/status.ts')).statusCommand()],
  ['sessions', async () => (await import('./commands/sessions.ts')).sessionsCommand()],
  ['audit', async () => (await import('./commands/audit.ts')).auditCommand()],
  ['policy', async () => (await import('./commands/policy.ts')).policyCommand()],
  ['demo', async () => (await import('./commands/demo.ts')).demoCommand()],
])

// Whoever reads has read enough (`| head`), or cannot be written to any more: no reason for a stack trace.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? (process.exitCode ?? 0) : 1),
  )
}

const program = new Command('sidegate')
  .description(
    'The gate in the sidecar: every command of an agent is parsed, ruled by policy, recorded, and only then forwarded.',
  )
  .version(VERSION)
  .showHelpAfterError('(--help tells more)')

try {
  // Only what was called is loaded; the help, and a word that is no command, need them all.
  const called = COMMANDS.get(process.argv[2] ?? '')
  for (const load of called === undefined ? COMMANDS.values() : [called]) program.addCommand(await load())
  for (const command of withChildren(program)) command.exitOverride()
  await program.parseAsync()
} catch (error) {
  process.exitCode = explain(error, paintFor(process.stderr), (line) => process.stderr.write(`${line}\n`))
}

function withChildren(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withChildren)]
}
