/** How the sidecar proves itself to an SSH host: in one way for each login, and one login for each agent. */
import { type KeyPath, type Problem, problem } from '../problem.ts'
import type { SshLogin, SshTargetConfig } from '../schema.ts'

export function checkLogins({ agent, credential }: SshTargetConfig): Problem[] {
  if ('user' in credential) return checkLogin(credential, ['credential'])
  const users = Object.entries(credential.users)
  const found = users.flatMap(([name, login]) => checkLogin(login, ['credential', 'users', name]))
  if (users.length === 0) {
    found.push(problem('config.nobody', ['credential', 'users'], 'nobody could connect', 'name at least one user'))
  }
  if (agent.authenticate !== 'key') return found
  for (const name of Object.keys(agent.users)) {
    if (Object.hasOwn(credential.users, name)) continue
    const message = 'this agent has no login upstream and could never connect'
    found.push(problem('config.no-role', ['agent', 'users', name], message, `add credential.users.${name}`))
  }
  return found
}

const KINDS = ['privateKeyFile', 'passwordFile', 'certificate'] as const

function checkLogin(login: SshLogin, path: KeyPath): Problem[] {
  const given = KINDS.filter((kind) => login[kind] !== undefined)
  const [, second] = given
  if (given.length === 0) {
    const remedy = `give one of ${KINDS.join(', ')}`
    return [problem('config.missing', path, 'nothing proves to the host who the sidecar is', remedy)]
  }
  if (second !== undefined) {
    const message = `is given beside ${given[0]}: a login is proven in one way`
    return [problem('config.conflict', [...path, second], message, `keep one of ${given.join(', ')}`)]
  }
  return [...checkCompanions(login, path), ...checkCertificate(login, path)]
}

/** Keys that mean something beside another one only. */
function checkCompanions(login: SshLogin, path: KeyPath): Problem[] {
  const found: Problem[] = []
  const { privateKeyFile, certificate, certificateFile, passphraseFile } = login
  if (certificateFile !== undefined && privateKeyFile === undefined) {
    const remedy = 'give the privateKeyFile that it was signed for'
    found.push(problem('config.no-effect', [...path, 'certificateFile'], 'has no effect without its key', remedy))
  }
  const opens = privateKeyFile !== undefined || (certificate !== undefined && 'authorityFile' in certificate)
  if (passphraseFile !== undefined && !opens) {
    const message = 'has no effect without a private key that it opens'
    found.push(problem('config.no-effect', [...path, 'passphraseFile'], message, 'remove it'))
  }
  return found
}

/** Certificates that live longer are keys that nobody can take back. */
const LONGEST_VALIDITY = 24 * 3_600_000
/** Clocks differ, and the host must still be dialled. */
const SHORTEST_VALIDITY = 10_000

function checkCertificate({ certificate }: SshLogin, above: KeyPath): Problem[] {
  if (certificate === undefined || !('authorityFile' in certificate)) return []
  const path = [...above, 'certificate', 'validity']
  if (certificate.validity < SHORTEST_VALIDITY) {
    return [problem('config.value', path, 'is over before the host could look at it', 'at least 10s')]
  }
  if (certificate.validity <= LONGEST_VALIDITY) return []
  const message = 'a certificate that leaks is good for longer than a day'
  return [
    problem('config.long-certificate', path, message, 'write a few minutes: each connection gets its own', 'weakness'),
  ]
}
