/**
 * What both legs offer, most wanted first. ssh2's own lists still hold SHA-1, zlib and chacha20, so nothing of them is taken.
 *
 * Terrapin (CVE-2023-48795) works on ChaCha20-Poly1305 and on CBC with encrypt-then-MAC, where the peer does not know strict
 * key exchange. Neither is offered to anybody: AES-GCM counts for itself, and CTR that has lost a packet decrypts nothing
 * after it. With a peer that does know it, ssh2 is strict by itself.
 */
import type { Algorithms } from 'ssh2'

/** Signatures that prove a host or a user. RSA is meant with SHA-2 only. */
export const SIGNATURES = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const

export const ALGORITHMS = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group14-sha256',
  ],
  serverHostKey: [...SIGNATURES],
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes192-ctr', 'aes256-ctr'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
} satisfies Algorithms
