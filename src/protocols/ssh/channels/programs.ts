/** Which program a request begins. */
import type { Command } from '../../../gate/command.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { shellCommand, subsystemCommand, unreadableLine } from '../commands.ts'
import type { Channel } from './channel.ts'
import { LineGatedProgram } from './line-gated-program.ts'
import { Reader, type Request } from './messages.ts'
import type { Prepared, Program, Setting } from './program.ts'
import { RefusedProgram } from './refused-program.ts'
import { SftpProgram } from './sftp-program.ts'
import { textOf } from './text.ts'
import { channelEnd } from './agent-end.ts'
import { UpstreamProgram } from './upstream-program.ts'

type Beginning = Request & { readonly name: 'exec' | 'shell' | 'subsystem' }

/** The program on the channel, not yet started; null where the request itself is to fail. */
export function programOf(request: Beginning, setting: Setting, channel: Channel, prepared: Prepared): Program | null {
  const refused = (command: Command, because: Refusal): Program =>
    new RefusedProgram(setting, channel, prepared, { command, because })
  const { forcedCommand } = setting
  if (forcedCommand !== null) return exec(Buffer.from(forcedCommand), setting, channel, prepared, refused)
  switch (request.name) {
    case 'exec':
      return exec(new Reader(request.body).string(), setting, channel, prepared, refused)
    case 'shell':
      return shell(setting, channel, prepared, refused)
    case 'subsystem':
      return subsystem(new Reader(request.body).string(), setting, channel, prepared)
  }
}

type Refused = (command: Command, because: Refusal) => Program

function exec(bytes: Buffer, setting: Setting, channel: Channel, prepared: Prepared, refused: Refused): Program {
  const { user, commands } = setting
  const tty = prepared.terminal !== null
  const text = textOf(bytes)
  if (text === null) {
    const because = refusal('command.unparsable', 'the command line is no text', 'write it in UTF-8, without NUL')
    return refused(unreadableLine(bytes, user, tty), because)
  }
  const line = commands.line(text, user, { tty, mode: null })
  if ('refusal' in line) return refused(line.command, line.refusal)
  const asked = { request: 'exec', command: line.command, bytes: line.bytes } as const
  const end = channelEnd(channel, tty, tty ? 'everything' : 'beginning')
  return new UpstreamProgram(setting, end, prepared, asked)
}

function shell(setting: Setting, channel: Channel, prepared: Prepared, refused: Refused): Program {
  const { user, config } = setting
  const tty = prepared.terminal !== null
  if (config.shell === 'none') {
    const because = refusal('target.forbidden', 'this target gives no shell', 'send each command by itself')
    return refused(shellCommand(user, 'recorded', tty), because)
  }
  const command = shellCommand(user, config.shell, tty)
  if (config.shell === 'line-gated') return new LineGatedProgram(setting, channel, prepared, command)
  const asked = { request: 'shell', command, bytes: Buffer.alloc(0) } as const
  return new UpstreamProgram(setting, channelEnd(channel, tty, 'everything'), prepared, asked)
}

/** `sftp` is judged by its operations; any other is opaque. */
function subsystem(bytes: Buffer, setting: Setting, channel: Channel, prepared: Prepared): Program | null {
  const name = textOf(bytes)
  if (name === 'sftp') return new SftpProgram(setting, channel)
  const { user, gate, session } = setting
  const command = subsystemCommand(user, name ?? bytes.toString('utf8'), prepared.terminal !== null)
  if (name === null) {
    gate.refuse(session, command, refusal('command.unparsable', 'the name of the subsystem is no text'))
    return null
  }
  const end = channelEnd(channel, prepared.terminal !== null, 'beginning')
  return new UpstreamProgram(setting, end, prepared, { request: 'subsystem', command, bytes })
}
