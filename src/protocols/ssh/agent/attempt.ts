/** Reads what an agent offers out of what ssh2 makes of its request. */
import type { AuthContext, KeyboardAuthContext } from 'ssh2'
import type { Attempt, Authenticator } from './judgement.ts'
import { askForToken } from './prompts.ts'

/** RFC 4252 sets no bound; no system has longer names. */
const LONGEST_NAME = 256

/** Null: nothing that is taken here. Withdrawn: the agent went on to something else while it was asked. */
export function attemptOf(
  context: AuthContext,
  methods: Authenticator['methods'],
): Attempt | null | Promise<Attempt | 'withdrawn'> {
  const user = context.username
  // Nothing is asked for where nothing has to be proven.
  if (methods.length === 0 && context.method !== 'publickey') return { method: 'none', user }
  switch (context.method) {
    case 'password':
      // A request to change the password has another form.
      return typeof context.password === 'string' ? { method: 'password', user, password: context.password } : null
    case 'keyboard-interactive':
      return methods.includes('keyboard-interactive') ? asked(context, user) : null
    case 'publickey': {
      const { key, hashAlgo: hash, blob, signature } = context
      const proof = blob === undefined || signature === undefined ? null : { signed: blob, signature }
      return { method: 'publickey', user, key: { algorithm: key.algo, hash, blob: key.data, proof } }
    }
    default:
      return null
  }
}

async function asked(context: KeyboardAuthContext, user: string): Promise<Attempt | 'withdrawn'> {
  const password = await askForToken(context)
  return password === null ? 'withdrawn' : { method: 'password', user, password }
}

/** ssh2 decodes names as UTF-8, and puts U+FFFD where they are none: two names could become one. */
export function isLoginName(name: string): boolean {
  return name !== '' && name.length <= LONGEST_NAME && !/[\p{Cc}\uFFFD]/u.test(name)
}
