import { ConnectionRefused } from '../connection-refused.ts'

/**
 * The start-up parameter `options`: command-line switches of the server, separated by spaces, a backslash keeps the next
 * character. Only settings are understood (`-c name=value`, `-cname=value`, `--name=value`), in the server's own reading.
 */
export function splitOptions(options: string): [string, string][] {
  const settings: [string, string][] = []
  const words = wordsOf(options)
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string
    let setting: string | undefined
    if (word === '-c' || word === '--') setting = word === '-c' ? words[++at] : undefined
    else if (word.startsWith('-c') || word.startsWith('--')) setting = word.slice(2)
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_.-]*)=(.*)$/s.exec(setting ?? '') ?? []
    if (name === undefined || value === undefined) {
      throw new ConnectionRefused('target.forbidden', '42501', 'only settings may stand in "options"', {
        remedy: 'write options as -c name=value',
      })
    }
    settings.push([name.replaceAll('-', '_'), value])
  }
  return settings
}

/** As the server's pg_split_opts does it. */
function wordsOf(options: string): string[] {
  const words: string[] = []
  let word: string | null = null
  for (let at = 0; at < options.length; at++) {
    const char = options[at] as string
    if (/[ \t\n\v\f\r]/.test(char)) {
      if (word !== null) words.push(word)
      word = null
    } else {
      if (char === '\\') at++
      word = (word ?? '') + (options[at] ?? '')
    }
  }
  if (word !== null) words.push(word)
  return words
}
