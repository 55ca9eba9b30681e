/** The protocols that Sidegate speaks: a new one adds its line here. */
import { kubernetes } from './kubernetes/index.ts'
import { postgres } from './postgres/index.ts'
import type { Protocol } from './protocol.ts'
import { ssh } from './ssh/index.ts'

export const PROTOCOLS: readonly Protocol[] = [postgres, ssh, kubernetes]
