/** What a command line may amount to. Each is a limit of the analysis; what goes beyond `depth` is opaque, not refused. */
export interface ShellLimits {
  /** Bytes of the line in UTF-8. */
  readonly bytes: number
  /** How deep commands within commands are followed. */
  readonly depth: number
  /** Simple commands in sight, nested ones included. */
  readonly commands: number
}

/** People type far less; scripts belong in files. Below what ssh2 takes in one packet (35,000 bytes). */
const LINE_BYTES = 16 * 1024
/** `sudo env nohup sh -c "$(…)"` is four; whoever nests deeper hides something. */
const NESTED_COMMANDS = 5
/** A policy evaluates every one of them, and a person who is asked to approve reads them. */
const COMMANDS = 256

export const SHELL_LIMITS: ShellLimits = Object.freeze({
  bytes: LINE_BYTES,
  depth: NESTED_COMMANDS,
  commands: COMMANDS,
})
