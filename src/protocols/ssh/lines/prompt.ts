/** What the shell itself says: from facts that the sidecar knows, and with nothing in it but what prints. */
import { visible } from './cells.ts'
import type { ShellSettings } from './host.ts'

/** Of the directory, as its last part. Longer ones leave no room for the line. */
const SHOWN = 40

export function promptOf({ user, target }: ShellSettings, directory: string | null): string {
  const shown = [...visible(directory ?? '~')]
  const end = shown.length <= SHOWN ? shown : ['...', ...shown.slice(-SHOWN)]
  return `${visible(user)}@${visible(target)}:${end.join('')}$ `
}

export function greetingOf({ target }: ShellSettings): string[] {
  return [
    `sidegate: a line-gated shell on ${visible(target)}. Each line is judged before it runs, by itself and without a terminal:`,
    'sidegate: no full-screen programs, no job control, no command of several lines, no $? and no !!. See: help',
  ]
}

export const HELP: readonly string[] = [
  'Each line is judged and recorded as one command before it runs, in a shell of its own and without a terminal.',
  'Kept between lines, and judged with each of them:',
  '  cd [DIRECTORY | - | ~]   the working directory; the host is asked whether it is there',
  '  export NAME=VALUE ...    variables; `export` lists them, `unset NAME ...` forgets them',
  'Words of cd and export are literal: nothing in them is expanded. Elsewhere in a longer line, both hold for that line.',
  'Also here: pwd, history, exit [STATUS], help.',
  'While a command runs, what you type is its input and is shown; ^D ends that input, ^C interrupts. For the next line,',
  'wait for the prompt, or send it together with the line before.',
  'Not kept: functions, aliases, options of the shell, variables that are not exported, background jobs, $?.',
]
