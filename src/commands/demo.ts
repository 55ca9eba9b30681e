/** `sidegate demo`: a database, a host, a cluster, the sidecar and an agent, before your eyes. */
import { Command, InvalidArgumentError } from 'commander'

interface Options {
  readonly port: number
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
    .option('-p, --port <port>', 'where the sidecar listens; the next free one where it is taken', portOf, 6432)
    .addHelpText('after', EXAMPLE)
    .action(async ({ port }: Options) => {
      const { demonstrate } = await import('./demo/narration.ts')
      await demonstrate(port)
    })
}

function portOf(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port
  throw new InvalidArgumentError('It is a number from 1 to 65535.')
}
