/** What happens when a part fails: design section 7 for whoever has to know it at night. */
export interface FailureRow {
  readonly failure: string
  readonly result: string
  readonly code: string
}

export interface FailureTraits {
  readonly redis: boolean
  readonly observe: boolean
  /** Some target is one of SSH. */
  readonly ssh: boolean
  /** Some target is one of Kubernetes. */
  readonly kubernetes: boolean
}

/** What can fail on the way of SSH only. */
const SSH: readonly FailureRow[] = [
  {
    failure: 'an SSH host shows a key that is not known',
    result: 'no session: nothing is trusted on first use',
    code: 'upstream.untrusted',
  },
  {
    failure: 'an SSH command is refused',
    result: 'a message on standard error, exit status 126; the connection lives on',
    code: '',
  },
  {
    failure: 'a channel reaches its limit of bytes or time',
    result: 'it is ended, and that recorded',
    code: 'obligation.limit',
  },
]

/** What can fail on the way of Kubernetes only. */
const KUBERNETES: readonly FailureRow[] = [
  {
    failure: 'a request to a Kubernetes API is refused',
    result: 'a Status that kubectl prints; the connection lives on',
    code: '',
  },
  {
    failure: "the API server rejects the sidecar's credential",
    result: 'it is read again and tried once more, then refused',
    code: 'upstream.rejected',
  },
  {
    failure: 'what a mask is asked for cannot be inspected',
    result: 'it is refused, or cut off where it began',
    code: 'obligation.unsupported',
  },
  {
    failure: "an agent's token expires",
    result: 'its session ends, with the watches and streams in it',
    code: 'identity.expired',
  },
]

export function failureTable({ redis, observe, ssh, kubernetes }: FailureTraits): readonly FailureRow[] {
  const rows: FailureRow[] = [
    { failure: 'no bundle is active', result: 'not ready; every command is refused', code: 'policy.unavailable' },
    { failure: 'a new bundle does not prove itself', result: 'the active one stays', code: 'bundle.*' },
    { failure: 'the policy fails on a command', result: 'that command is refused', code: 'policy.error' },
    { failure: 'a command is not understood, or too large', result: 'it is refused', code: 'command.*' },
    { failure: 'a mask or limit cannot be kept', result: 'the command is refused', code: 'obligation.unsupported' },
    { failure: 'people must approve', result: 'the command is refused', code: 'approval.unavailable' },
    {
      failure: 'the journal cannot be written',
      result: 'not ready; every command is refused',
      code: 'record.unavailable',
    },
    redis
      ? { failure: 'Redis is away', result: 'the journal keeps what is unsent, and goes on', code: '' }
      : { failure: 'the journal is full', result: 'its oldest segment is removed, and that recorded', code: '' },
    { failure: 'the target is away or not itself', result: 'a native connection error', code: 'upstream.*' },
    { failure: 'an agent does not prove itself', result: 'its session is refused', code: 'identity.*' },
    {
      failure: 'the policy changes',
      result: 'what runs on and is no longer permitted is ended',
      code: 'policy.revoked',
    },
    { failure: 'an operator ends a session', result: 'it is over, and the reason on record', code: 'session.ended' },
    ...(ssh ? SSH : []),
    ...(kubernetes ? KUBERNETES : []),
    { failure: 'the sidecar dies', result: 'nothing reaches the target', code: '' },
  ]
  if (redis)
    rows.splice(8, 0, {
      failure: 'the journal is full of unsent records',
      result: 'every command is refused',
      code: 'record.spool-full',
    })
  if (observe)
    rows.push({ failure: 'the policy denies', result: 'recorded, and NOT enforced (mode: observe)', code: '' })
  return rows
}
