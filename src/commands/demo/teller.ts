/** Whoever tells the demo: headings, what the agent does, and what came of it in two panels. */
import type { Paint } from '../../config/printout.ts'
import { sideBySide, wrap } from './panels.ts'
import { describeRecord, type Recorded } from './recorded.ts'

export class Teller {
  readonly paint: Paint
  readonly #width: number
  readonly #write: (text: string) => void
  #scene = 0

  constructor(paint: Paint, width: number, write: (text: string) => void) {
    this.paint = paint
    this.#width = width
    this.#write = write
  }

  say(...lines: readonly string[]): void {
    this.#write(`${lines.join('\n')}\n`)
  }

  /** A line across the page. */
  title(text: string): void {
    const rule = '─'.repeat(Math.max(0, this.#width - text.length - 1))
    this.say('', '', `${this.paint.bold(`${text} `)}${this.paint.dim(rule)}`)
  }

  /** The next scene begins. */
  scene({ title, about }: { readonly title: string; readonly about: string }): void {
    this.title(`${++this.#scene}  ${title}`)
    this.say(...wrap(`   ${about}`, this.#width))
  }

  /** What the agent does; `thought` is in its own words, as a comment of what it writes. */
  act(words: string, thought: string | undefined, comment: '#' | '--', after = ''): void {
    const { paint } = this
    const said = thought === undefined ? '' : paint.dim(`   ${comment} ${thought}`)
    this.say(`  ${paint.yellow('agent ▸')} ${paint.bold(words)}${after}${said}`)
  }

  result(seen: readonly string[], recorded: readonly Recorded[]): void {
    const { paint } = this
    const records = recorded.flatMap((one) => describeRecord(one, paint))
    const [left, right] = [
      { title: 'what the agent saw', lines: seen },
      { title: 'what was recorded', lines: records },
    ]
    this.say(...sideBySide(left, right, this.#width, paint))
  }
}
