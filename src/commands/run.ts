/** `sidegate run`: the sidecar, and `--check`: what it would be. */
import { Command } from 'commander'
import { loadConfiguration, type Loaded } from '../config/load.ts'
import { postureOf } from '../config/posture.ts'
import { type BundleFacts, printPosture } from '../config/printout.ts'
import { plainly, safeJson } from './audit/text.ts'
import { paintFor } from './terminal.ts'

interface Options {
  readonly config: string
  readonly check?: boolean
  readonly json?: boolean
}

const EXAMPLE = `
Examples:
  sidegate run --config sidegate.yaml
  sidegate run --config sidegate.yaml --check
  sidegate run --config sidegate.yaml --check --json | jq .weaknesses`

export function runCommand(): Command {
  return new Command('run')
    .description('run the sidecar, or check what it would be')
    .option('-c, --config <file>', 'the configuration', 'sidegate.yaml')
    .option('--check', 'validate, print the effective posture of every target, and exit')
    .option('--json', 'with --check: print the posture as JSON')
    .addHelpText('after', EXAMPLE)
    .action(async (options: Options, command: Command) => {
      if (options.json === true && options.check !== true) command.error('error: --json goes with --check')
      const loaded = loadConfiguration(options.config)
      if (options.check === true) process.exitCode = await check(loaded, options.json === true)
      else await run(loaded)
    })
}

async function check(loaded: Loaded, asJson: boolean): Promise<number> {
  const { tryBundle } = await import('./run/policy.ts')
  const posture = postureOf(loaded)
  const bundle: BundleFacts = await tryBundle(loaded.configuration.policy)
  const text = asJson
    ? safeJson(JSON.stringify({ ...posture, bundle }, null, 2))
    : printPosture(plainly(posture), plainly(bundle), paintFor(process.stdout))
  process.stdout.write(`${text}\n`)
  return bundle.problem === null ? 0 : 1
}

async function run({ file, configuration }: Loaded): Promise<void> {
  const [{ startSidecar }, { createLog }] = await Promise.all([import('./run/sidecar.ts'), import('./run/log.ts')])
  const log = createLog(configuration.log.level)
  const ended = Promise.withResolvers<NodeJS.Signals>()
  let again = false
  const stop = (signal: NodeJS.Signals) => {
    // Who asks twice does not want to wait for sessions; what is recorded is recorded.
    if (again) process.exit(1)
    again = true
    ended.resolve(signal)
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
  // A defect: nothing that follows it can be trusted, and the journal holds what was permitted.
  const fatal = (error: unknown) => {
    log.fatal({ err: error }, 'a defect: stopping')
    process.exit(1)
  }
  process.on('uncaughtException', fatal).on('unhandledRejection', fatal)
  const sidecar = await startSidecar(configuration, { log })
  log.info({ file, ports: sidecar.ports, ready: sidecar.status().ready }, 'started')
  log.info({ signal: await ended.promise }, 'stopping')
  await sidecar.close()
  log.info('stopped')
  process.exit(0)
}
