import type { Shell, ShellHost, ShellSettings } from './host.ts'

/** See {@link Shell} and {@link ShellHost}. */
export type LineGatedShellConstructor = new (host: ShellHost, settings: ShellSettings) => Shell
