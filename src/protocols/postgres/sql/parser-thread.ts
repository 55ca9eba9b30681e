/** The parsing thread itself: text in, trees out. It knows no catalogue and no policy. */
import { parentPort, workerData } from 'node:worker_threads'
import type { ParseLimits } from './limits.ts'
import { loadParser, parse } from './parse.ts'
import { Refused } from './refused.ts'
import type { ThreadAnswer } from './thread.ts'

const limits = workerData as ParseLimits
const port = parentPort
if (port === null) throw new Error('parser-thread.ts is started by thread.ts')

await loadParser()

port.on('message', (text: string) => {
  port.postMessage(answer(text))
})

function answer(text: string): ThreadAnswer {
  try {
    return { parsed: parse(text, limits) }
  } catch (error) {
    if (error instanceof Refused) return { refused: { ...error.refusal, code: codeOf(error) } }
    if (error instanceof RangeError) {
      return { refused: { code: 'command.too-large', message: 'the text is nested too deeply', remedy: 'simplify it' } }
    }
    throw error
  }
}

function codeOf(error: Refused): 'command.too-large' | 'command.unparsable' {
  return error.refusal.code === 'command.too-large' ? 'command.too-large' : 'command.unparsable'
}
