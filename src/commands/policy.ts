/** `sidegate policy`: writing, checking, testing and building what the sidecar rules by. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { TemplateName } from '../policy/authoring/templates.ts'

const BUILD_EXAMPLE = `
Examples:
  sidegate policy build bundles/starter --output starter.tar.gz
  sidegate policy build policy --output policy.tar.gz --sign key.pem --key-id ci --revision "$(git rev-parse HEAD)"

A key for signing:
  openssl ecparam -genkey -name prime256v1 -noout -out key.pem && openssl ec -in key.pem -pubout -out key.pub`

const EXPLAIN_EXAMPLE = `
Examples:
  sidegate policy explain starter.tar.gz input.json
  sidegate policy explain policy.tar.gz input.json --key key.pub --json`

const PROTOCOLS: TemplateName[] = ['postgres', 'ssh', 'kubernetes']

interface Json {
  readonly json?: boolean
}

interface BuildFlags extends Json {
  readonly output: string
  readonly sign?: string
  readonly keyId: string
  readonly revision: string
  readonly serial?: number
}

/** Each subcommand sets the exit code: 0 done, 1 refused or failed. What they throw is for the caller to explain. */
export function policyCommand(): Command {
  const command = new Command('policy').description('write, check, test and build policies')
  command
    .command('new')
    .description('write a policy to begin with, and its tests')
    .argument('<dir>', 'a folder that is empty or not there yet; its name becomes the package')
    .addOption(new Option('--protocol <name>', 'what it is about').choices(PROTOCOLS).default('postgres'))
    .addHelpText(
      'after',
      '\nExample:\n  sidegate policy new reporting\n  sidegate policy new cluster --protocol kubernetes',
    )
    .action(async (folder: string, { protocol }: { readonly protocol: TemplateName }) =>
      (await import('./policy/author.ts')).create(folder, protocol),
    )
  command
    .command('check')
    .description('find what would be silent, or would deny everything')
    .argument('<dir>', 'the folder of the policy')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', '\nExample:\n  sidegate policy check bundles/starter')
    .action(async (folder: string, { json }: Json) => (await import('./policy/author.ts')).check(folder, json === true))
  command
    .command('test')
    .description('run its tests in OPA, and again in the engine of the sidecar')
    .argument('<dir>', 'the folder of the policy')
    .option('--json', 'print the results as JSON')
    .addHelpText('after', '\nExample:\n  sidegate policy test bundles/starter')
    .action(async (folder: string, { json }: Json) => (await import('./policy/author.ts')).test(folder, json === true))
  command
    .command('build')
    .description('compile it into a bundle that the sidecar loads')
    .argument('<dir>', 'the folder of the policy')
    .requiredOption('-o, --output <file>', 'the bundle to write')
    .option('--sign <key.pem>', 'sign with this private key: EC P-256 (ES256), Ed25519 or RSA')
    .option('--key-id <name>', 'what verifiers call the key', '')
    .option('--revision <text>', 'what the bundle calls itself, such as a commit', '')
    .option('--serial <number>', 'grows with every signed release, so that an old one is told from a new one', serial)
    .option('--json', 'print what was built as JSON')
    .addHelpText('after', BUILD_EXAMPLE)
    .action(async (folder: string, flags: BuildFlags) => (await import('./policy/build.ts')).build(folder, flags))
  command
    .command('explain')
    .description('print what a bundle says of one input, and which rules spoke')
    .argument('<bundle>', 'the bundle')
    .argument('<input.json>', 'a policy input, as rego/schemas/input.json describes it')
    .option('--key <key.pub>', 'verify the bundle with this public key')
    .option('--json', 'print the decision as JSON')
    .addHelpText('after', EXPLAIN_EXAMPLE)
    .action(async (bundle: string, input: string, flags: Json & { readonly key?: string }) =>
      (await import('./policy/explain.ts')).explain(bundle, input, flags),
    )
  return command
}

function serial(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a whole number.')
}
