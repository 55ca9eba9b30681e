/** The protocols that Sidegate speaks: a new one adds its line here. */
import { postgres } from './postgres/index.ts'
import type { Protocol } from './protocol.ts'

export const PROTOCOLS: readonly Protocol[] = [postgres]
