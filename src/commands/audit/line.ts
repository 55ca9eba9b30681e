/** A line for people: cells, and among them the agent's own text in what is left of the width. */
import type { Paint } from '../../config/printout.ts'
import { visible, widthOf } from './text.ts'

export interface Look {
  readonly paint: Paint
  /** Columns to keep to; null where lines may be as long as they are. */
  readonly width: number | null
}

export interface Cell {
  readonly text: string
  readonly paint?: (text: string) => string
}

/** Below this a command's text would say nothing: the line is longer than the terminal instead. */
const TEXT_WIDTH = 16

/** Cells, then the agent's own text (with `layout`, its spaces as they are), then what must not be cut off. */
export function lineOf(
  { width, paint }: Look,
  cells: readonly Cell[],
  text: string,
  colour: ((text: string) => string) | null,
  after: readonly Cell[],
  layout = false,
): string {
  const used = [...cells, ...after].reduce((sum, cell) => sum + widthOf(cell.text) + 2, 0)
  const room = width === null ? null : Math.max(TEXT_WIDTH, width - used)
  const pieces = visible(text, room, layout).map((piece) => {
    if (piece.escaped) return paint.yellow(piece.text)
    return colour === null ? piece.text : colour(piece.text)
  })
  const painted = (cell: Cell) => (cell.paint === undefined ? cell.text : cell.paint(cell.text))
  const own = pieces.length === 0 ? [] : [pieces.join('')]
  return [...cells.map(painted), ...own, ...after.map(painted)].join('  ')
}
