import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Teardown {
  teardown(undo: () => void): void
}

/** A folder with everything that {@link GOOD} names, good in every way. */
export function folderOf(t: Teardown): string {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-config-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'journal'))
  certificateIn(folder, 'agent')
  const secret = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    chmodSync(join(folder, name), 0o600)
  }
  secret('admin-token', 'a-token-of-some-length\n')
  secret('token', 'a-token\n')
  secret('password', 'a-password\n')
  writeFileSync(join(folder, 'bundle.tar.gz'), 'not looked into here')
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', join(folder, 'signer.pem')], { stdio: 'ignore' })
  const publish = ['pkey', '-in', join(folder, 'signer.pem'), '-pubout', '-out', join(folder, 'bundle.pub')]
  execFileSync('openssl', publish, { stdio: 'ignore' })
  return folder
}

/** `NAME.pem` and `NAME.key`: a certificate for localhost and its private key. */
export function certificateIn(folder: string, name: string): void {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  execFileSync('openssl', [...make, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  chmodSync(key, 0o600)
}

export const GOOD = `version: 1
admin: { listen: "127.0.0.1:15020", tokenFile: admin-token }
probes: { listen: "0.0.0.0:15090" }
policy:
  bundle: { file: bundle.tar.gz, key: bundle.pub }
record:
  journal: { directory: journal }
  redis: { url: "rediss://redis:6379", passwordFile: password, ca: agent.pem }
targets:
  orders-db:
    protocol: postgres
    listen: "127.0.0.1:6432"
    upstream: { host: orders.db.internal, ca: agent.pem }
    agent: { authenticate: password, users: { reporting: { passwordFile: password } }, tls: { cert: agent.pem, key: agent.key } }
    databases: [ orders ]
    limits: { message: 8MiB, idle: 10m }
    credential: { user: reporting, passwordFile: password }
`

/** Writes a configuration into the folder and returns its name. */
export function write(folder: string, text: string): string {
  const file = join(folder, 'sidegate.yaml')
  writeFileSync(file, text)
  return file
}

/** A folder with everything that {@link GOOD_SSH} names beside what {@link folderOf} makes. */
export function sshFolderOf(t: Teardown): string {
  const folder = folderOf(t)
  for (const name of ['host', 'agent-host', 'deploy', 'someone', 'authority', 'other']) sshKeyIn(folder, name)
  writeFileSync(join(folder, 'known_hosts'), `build.internal ${publicKeyIn(folder, 'host')}\n`)
  return folder
}

/** `NAME` and `NAME.pub`; the comment is `NAME key`. */
export function sshKeyIn(folder: string, name: string, passphrase = ''): void {
  const file = join(folder, name)
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', `${name} key`, '-f', file])
}

export function publicKeyIn(folder: string, name: string): string {
  return readFileSync(join(folder, `${name}.pub`), 'utf8').trim()
}

/** As ssh-keygen prints it. */
export function fingerprintIn(folder: string, name: string): string {
  const printed = execFileSync('ssh-keygen', ['-l', '-f', join(folder, `${name}.pub`)], { encoding: 'utf8' })
  return printed.split(' ')[1] ?? ''
}

/** Beside {@link GOOD}'s target; `${file:…}` gives public keys. */
export const GOOD_SSH = `${GOOD}  build-host:
    protocol: ssh
    listen: "127.0.0.1:2222"
    upstream: { host: build.internal, knownHostsFile: known_hosts }
    agent: { authenticate: key, users: { ann: { keys: [ "\${file:someone.pub}" ] } }, hostKeyFile: agent-host }
    shell: line-gated
    limits: { idle: 10m }
    credential: { user: deploy, privateKeyFile: deploy }
`
