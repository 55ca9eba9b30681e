import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { publicLine, signSshKey, type SshCertificateOptions } from '../../../support/ssh-keys.ts'
import { startSshd } from '../../../support/sshd.ts'
import { connect, directory, end, file, refusalOf, run, targetOf } from './dialing.ts'
import { keyOf, login, REJECTED, server, UNUSABLE, upstream, user } from './logins.ts'

t.teardown(() => server.stop())

async function certified(options: SshCertificateOptions, authority = server.authority.file) {
  const key = await keyOf()
  return { privateKeyFile: key.file, certificateFile: await signSshKey(authority, key, options) }
}

t.test('A certificate that was signed elsewhere stands for its key', async (t) => {
  for (const type of ['ed25519', 'ecdsa', 'rsa'] as const) {
    const key = await keyOf({ type })
    const certificateFile = await signSshKey(server.authority.file, key, { principals: [user], identity: `by-${type}` })
    const leg = await connect(login({ privateKeyFile: key.file, certificateFile }))
    t.equal(await run(leg, 'echo it runs'), 'it runs\n')
    await end(leg)
    t.match(server.log(), new RegExp(`Accepted publickey .* ID by-${type} `))
  }
})

t.test('A certificate that has expired is not shown, and the log says so', async (t) => {
  const credential = await certified({ principals: [user], validity: '-2h:-1h' })
  t.match(await refusalOf(connect(login(credential))), { ...UNUSABLE, cause: /not valid now/ })
})

t.test('A certificate for another login, or of an authority that the host does not trust, is refused', async (t) => {
  const other = await certified({ principals: ['somebody-else'] })
  t.match(await refusalOf(connect(login(other))), REJECTED)
  const stranger = await certified({ principals: [user] }, (await keyOf()).file)
  t.match(await refusalOf(connect(login(stranger))), REJECTED)
})

t.test('An authority signs a new key for each connection, and the host’s log says for whom', async (t) => {
  const config = login({ certificate: { authorityFile: server.authority.file, validity: '2m' } })
  for (const session of ['first', 'second']) {
    const leg = await connect(config, { session })
    t.equal(await run(leg, 'echo it runs'), 'it runs\n')
    await end(leg)
  }
  const accepted = server.log().match(/Accepted publickey for .* ID sidegate:\S+ \(serial \d+\)/g) ?? []
  t.match(accepted[0], 'ID sidegate:session=first,target=box,workload=shop/agent-0 ')
  t.match(accepted[1], 'ID sidegate:session=second,target=box,workload=shop/agent-0 ')
  const shown = accepted.map((line) => /SHA256:\S+/.exec(line)?.[0])
  t.not(shown[0], shown[1], 'the keys differ')
})

t.test('An authority of RSA or ECDSA, and one with a passphrase, signs as well', async (t) => {
  for (const options of [{ type: 'rsa' }, { type: 'ecdsa', bits: 384 }, { passphrase: 'open sesame' }] as const) {
    const authority = await keyOf(options)
    const trusting = await startSshd({ settings: { TrustedUserCAKeys: `${authority.file}.pub` } })
    t.teardown(() => trusting.stop())
    const passphrase = 'passphrase' in options ? { passphraseFile: file(options.passphrase) } : {}
    const credential = { certificate: { authorityFile: authority.file }, ...passphrase }
    const target = login(credential, { port: trusting.port, hostKeys: trusting.hostKeys })
    await t.resolves(connect(target).then(end), JSON.stringify(options))
  }
})

t.test('The principals of an issued certificate are those of the configuration', async (t) => {
  const principals = file('role-deploy\n')
  const mapped = await startSshd({ settings: { AuthorizedPrincipalsFile: principals } })
  t.teardown(() => mapped.stop())
  const at = { port: mapped.port, hostKeys: mapped.hostKeys }
  const authorityFile = mapped.authority.file
  await end(await connect(login({ certificate: { authorityFile, principals: ['role-deploy'] } }, at)))
  t.match(await refusalOf(connect(login({ certificate: { authorityFile } }, at))), REJECTED)
})

let signers = 0
/** A signing service: a program that gets a public key, and answers with what ssh-keygen makes of it. */
function signer(principal: string, more = ''): string[] {
  const script = join(directory, `signer-${++signers}`)
  writeFileSync(
    script,
    `#!/bin/sh
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/key.pub"
${more}
ssh-keygen -q -s "$1" -I "$SIDEGATE_TARGET/$SIDEGATE_SESSION/$SIDEGATE_USER" -n ${principal} -V -1m:+5m \${options-} "$work/key.pub"
cat "$work/key-cert.pub"
`,
  )
  chmodSync(script, 0o755)
  return [script, server.authority.file]
}

t.test('A command signs a new key for each connection', async (t) => {
  const leg = await connect(login({ certificate: { command: signer(user) } }), { session: 'by-command' })
  t.equal(await run(leg, 'echo it runs'), 'it runs\n')
  await end(leg)
  t.match(server.log(), `ID box/by-command/${user} `)
})

t.test('A command’s certificate must be for the key and the login', async (t) => {
  const otherKey = publicLine(`${server.client.file}.pub`)
  for (const [command, cause] of [
    [signer('somebody-else'), /is not for the login/],
    [signer(user, `echo "${otherKey}" >"$work/key.pub"`), /is for another key/],
    [signer(user, "options='-O force-command=date'"), /has the host run a command of its own/],
    [['/bin/echo', 'nothing of the kind'], /not one of a -cert.pub file/],
    [['/bin/sh', '-c', 'echo some complaint >&2; exit 3'], /ended with status 3.*some complaint/],
    [['/bin/sh', '-c', 'kill -TERM $$'], /was ended by SIGTERM/],
    [['/bin/sh', '-c', 'yes'], /more than 65536 bytes/],
    [['/nonexistent'], /cannot be run/],
  ] as const) {
    const refusal = await refusalOf(connect(login({ certificate: { command } })))
    t.match(refusal, { ...UNUSABLE, cause }, command.join(' '))
  }
})

t.test('A command that does not answer is ended with all that it started', async (t) => {
  const mark = `31.${process.pid}`
  const command = ['/bin/sh', '-c', `sleep ${mark} & wait`]
  const config = targetOf({ upstream, credential: { user, certificate: { command } }, limits: { handshake: '300ms' } })
  t.match(await refusalOf(connect(config)), { ...UNUSABLE, cause: /did not answer in time/ })
  t.throws(() => execFileSync('pgrep', ['-f', `sleep ${mark}`]), 'nothing of it runs')
})
