/** What a decision may demand of what an agent asks for on a connection, and which of it can be kept. */
import { honourStream } from '../../stream/obligations.ts'

export const honourProgram = honourStream({ content: 'what a program writes', subject: 'a program' })

/** Bytes and seconds are kept for each handle; other operations move no content and are over at once. */
export const honourFiles = honourStream({ content: 'files yet', subject: 'SFTP' })

export const honourForward = honourStream({ content: 'what is forwarded', subject: 'a forward' })

/** A variable, a terminal: nothing comes back that could hold what is to be masked or counted. */
export function honourSetting(): null {
  return null
}
