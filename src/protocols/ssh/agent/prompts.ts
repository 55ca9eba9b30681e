/** keyboard-interactive (RFC 4256), by which a token of any length comes through clients that cut passwords off. */
import type { KeyboardAuthContext } from 'ssh2'
import { LONGEST_TYPED } from './token.ts'

/** What a verifier takes at most; more parts are not asked for. */
const LONGEST_TOKEN = 65_535

/**
 * Asks for the token, and for the rest of it as long as answers come that are as long as a client lets them be. Who answers a
 * prompt by program (SSH_ASKPASS) finds in it from which character on. Null when the agent goes on to something else.
 */
export async function askForToken(context: KeyboardAuthContext): Promise<string | null> {
  let token = ''
  for (;;) {
    // "assword:" is what sshpass waits for, once.
    const prompt = token === '' ? 'Token as password: ' : `The token from character ${token.length + 1} on: `
    const part = await answer(context, prompt)
    if (part === null) return null
    token += part
    if (part.length !== LONGEST_TYPED || token.length > LONGEST_TOKEN) return token
  }
}

async function answer(context: KeyboardAuthContext, prompt: string): Promise<string | null> {
  return await new Promise((resolve) => {
    context.prompt([{ prompt, echo: false }], (answers: readonly string[] | Error) => {
      resolve(answers instanceof Error ? null : (answers[0] ?? ''))
    })
  })
}
