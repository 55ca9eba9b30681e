/** `sidegate demo`: a database, a host, a cluster, the sidecar and an agent, before your eyes. */
import { Command } from 'commander'
import { DemoError } from './demo/database.ts'

interface Options {
  readonly port: string
}

const EXAMPLE = `
Examples:
  sidegate demo
  sidegate demo --port 7432
  sidegate demo < /dev/null     # ends after the scenes

Everything lives in a folder of its own below the system's temporary one, and goes with it.`

export function demoCommand(): Command {
  return new Command('demo')
    .description('watch an agent work through the gate, then try it yourself')
    .option('-p, --port <port>', 'where the sidecar listens; the next free one where it is taken', '6432')
    .addHelpText('after', EXAMPLE)
    .action(async (options: Options) => {
      const port = Number(options.port)
      if (!Number.isInteger(port) || port < 1 || port > 65_535)
        throw new DemoError('--port takes a number from 1 to 65535')
      const { demonstrate } = await import('./demo/narration.ts')
      await demonstrate(port)
    })
}
