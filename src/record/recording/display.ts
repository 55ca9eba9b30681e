/**
 * What of a terminal's output may be shown to who looks at a recording: text, and the sequences that move the cursor, colour and
 * erase. All else could act on the reader's own terminal: set the clipboard or the title, print, or make the terminal answer, which the
 * reader's shell would then read as if it was typed. The recording keeps every byte; this is about showing it.
 *
 * What is not listed is left out, as ECMA-48 delimits it. Nothing is ever given out in parts, so that it does not matter where the
 * text was cut.
 */

/** No sequence that is shown is longer. */
const SEQUENCE_LENGTH = 128
/** A string (title, clipboard, image) that does not end by then is shown as text: otherwise it would hide all that follows. */
const STRING_LENGTH = 64 * 1024

const ESC = '\x1b'
const BELL = '\x07'
/** Carriage return, line feed, tabs, backspace, and the shifts between character sets. */
const SHOWN_CONTROLS = '\b\t\n\v\f\r\x0e\x0f'
/** CAN and SUB end a sequence before its time. */
const CANCELS = '\x18\x1a'
/** Anything but controls, and what turns the direction of writing around. */
// oxlint-disable-next-line no-control-regex -- they are what is left out
const TEXT = /[^\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+/y
const NUMBERS = /^(?:\d{0,4}(?:;\d{0,4})*)?$/
const COLOURS = /^[\d;:]*$/
const LONG_NUMBER = /\d{5}/
/** Character sets: line drawing, British, ASCII; double-width and double-height lines, the alignment test. */
const DESIGNATIONS = /^(?:[()*+][0AB]|#[34568])$/
/** Save and restore the cursor, index, next line, tab stop, reverse index. */
const ESCAPES = '78DEHM'
/** A full reset would also empty the reader's scrollback. */
const SOFT_RESET = `${ESC}[!p${ESC}[H${ESC}[2J`
/** Finals of CSI that move, insert, delete, erase, repeat, clear tab stops, set margins. */
const MOVING = '@ABCDEFGHIJKLMPXZ`abdefgr'
const SCROLLING = 'ST'
/** Insert mode, and line feeds that return. */
const MODES = new Set(['4', '20'])
/** Reverse video, origin, wrapping, blinking and visible cursor, the second screen, updates that belong together. */
const PRIVATE_MODES = new Set(['5', '6', '7', '12', '25', '47', '1047', '1048', '1049', '2026'])

type State = 'text' | 'escape' | 'sequence' | 'title' | 'string'

export class DisplayFilter {
  #state: State = 'text'
  /** What came after the escape so far; of a string, how much. */
  #body = ''
  #length = 0

  /** What may be shown of the text, and of what was kept back before it. */
  write(text: string): string {
    let shown = ''
    for (let at = 0; at < text.length;) {
      if (this.#state === 'text') {
        TEXT.lastIndex = at
        const run = TEXT.exec(text)?.[0] ?? ''
        shown += run
        at += run.length
        if (at === text.length) return shown
      }
      shown += this.#next(text.charAt(at++))
    }
    return shown
  }

  #next(character: string): string {
    const control = character < ' ' || (character >= '\x7f' && character <= '\x9f')
    if (this.#state === 'title' || this.#state === 'string') return this.#inString(character)
    if (character === ESC) return this.#begin('escape')
    // The same controls in one code: terminals that read UTF-8 take them too.
    if (character >= '\x80' && character <= '\x9f') {
      this.#begin('escape')
      return this.#inEscape(String.fromCharCode(character.charCodeAt(0) - 0x40))
    }
    if (CANCELS.includes(character)) return this.#begin('text')
    if (control) return SHOWN_CONTROLS.includes(character) ? character : ''
    if (this.#state === 'escape') return this.#inEscape(character)
    if (this.#state === 'sequence') return this.#inSequence(character)
    return ''
  }

  #begin(state: State): '' {
    this.#state = state
    this.#body = ''
    this.#length = 0
    return ''
  }

  #inEscape(character: string): string {
    if (character > '~') return this.#abort(character)
    if (this.#body === '') {
      if (character === '[') return this.#begin('sequence')
      if (character === ']') return this.#begin('title')
      if ('PX^_'.includes(character)) return this.#begin('string')
    }
    this.#collect(character)
    if (character < '0') return ''
    const body = this.#body
    this.#begin('text')
    if (body === 'c') return SOFT_RESET
    return (body.length === 1 && ESCAPES.includes(body)) || DESIGNATIONS.test(body) ? ESC + body : ''
  }

  #inSequence(character: string): string {
    if (character > '~') return this.#abort(character)
    if (character < '@') return this.#collect(character)
    const body = this.#length > SEQUENCE_LENGTH ? null : shownSequence(this.#body, character)
    this.#begin('text')
    return body === null ? '' : `${ESC}[${body}`
  }

  #inString(character: string): string {
    this.#length++
    if (character === ESC) return this.#begin('escape')
    const over = character === '\x9c' || CANCELS.includes(character) || (character === BELL && this.#state === 'title')
    if (over || this.#length > STRING_LENGTH) return this.#begin('text')
    return ''
  }

  #collect(character: string): '' {
    if (this.#length++ < SEQUENCE_LENGTH) this.#body += character
    return ''
  }

  /** Text in the middle of a sequence: there was none. */
  #abort(character: string): string {
    this.#begin('text')
    TEXT.lastIndex = 0
    return TEXT.test(character) ? character : ''
  }
}

/** A control sequence as it is shown, without `ESC [`; null where it is not. */
function shownSequence(body: string, final: string): string | null {
  if (LONG_NUMBER.test(body)) return null
  if (final === 'm') return COLOURS.test(body) ? body + final : null
  if (final === 'h' || final === 'l') return shownModes(body, final)
  if (final === 'q') return /^[0-6]? $/.test(body) ? body + final : null
  if (final === 'p') return body === '!' ? body + final : null
  if (final === 's' || final === 'u') return body === '' ? final : null
  if (SCROLLING.includes(final)) return /^\d*$/.test(body) ? body + final : null
  if ((final === 'J' || final === 'K') && body.startsWith('?')) return /^\?[0-3]?$/.test(body) ? body + final : null
  return MOVING.includes(final) && NUMBERS.test(body) ? body + final : null
}

function shownModes(body: string, final: string): string | null {
  const own = body.startsWith('?')
  const modes = (own ? body.slice(1) : body).split(';').filter((mode) => (own ? PRIVATE_MODES : MODES).has(mode))
  return modes.length === 0 ? null : `${own ? '?' : ''}${modes.join(';')}${final}`
}
