/** Host certificates, which ssh2's client neither asks for nor understands. */
import { type Exchange, KexInit, type Protocol } from './inside.ts'

/** What follows the algorithm's name where a certificate stands for the key (OpenSSH, PROTOCOL.certkeys). */
export const CERTIFICATE_SUFFIX = '-cert-v01@openssh.com'

/** ssh2 takes no names of certificates, so the offer that it has made is replaced before it is sent. */
export function offerHostKeys(protocol: Protocol, algorithms: readonly string[]): void {
  const { kex, cs, sc } = protocol._offer.lists
  const direction = ({ cipher, mac, compress, lang }: typeof cs) => ({
    cipher: cipher.array,
    mac: mac.array,
    compress: compress.array,
    lang: lang.array,
  })
  protocol._offer = new KexInit({
    kex: kex.array,
    serverHostKey: algorithms,
    cs: direction(cs),
    sc: direction(sc),
  })
}

/**
 * Key exchanges with a host certificate. Of ssh2's own steps three would fail: it compares the negotiated algorithm with the
 * type of what is shown, which differ for RSA; it compares it with the type of the signature, which is the plain one; and it
 * verifies the signature by what was shown. So each of the three finds what it should compare at its time: the exchange's
 * hash is made over the whole certificate, and the signature is verified by the certified key. Where these steps came in
 * another order, the exchange would fail.
 */
export class CertificateExchanges {
  #exchange: Exchange | undefined
  #signature: string | null = null
  #key: Buffer | null = null

  constructor(protocol: Protocol) {
    this.#exchange = protocol._kex
    Object.defineProperty(protocol, '_kex', {
      get: () => this.#exchange,
      set: (exchange: Exchange | undefined) => {
        this.#begin(exchange)
      },
    })
  }

  #begin(exchange: Exchange | undefined): void {
    this.#exchange = exchange
    this.#signature = null
    this.#key = null
    const algorithm = exchange?.negotiated.serverHostKey ?? ''
    if (exchange === undefined || !algorithm.endsWith(CERTIFICATE_SUFFIX)) return
    this.#signature = algorithm.slice(0, -CERTIFICATE_SUFFIX.length)
    // The certificate's type, for the comparison with what is shown.
    exchange.negotiated.serverHostKey = this.#signature.replace(/^rsa-sha2-\d+$/, 'ssh-rsa') + CERTIFICATE_SUFFIX
    // Called a second time right after the hash took what was shown, and before the signature is looked at.
    const publicKey = exchange.getPublicKey.bind(exchange)
    exchange.getPublicKey = () => {
      if (this.#key !== null) exchange._hostKey = this.#key
      return publicKey()
    }
  }

  /** What the host showed was accepted: from now on the signature is what counts. */
  judged(key: Buffer): void {
    if (this.#exchange === undefined || this.#signature === null) return
    this.#exchange.negotiated.serverHostKey = this.#signature
    this.#key = key
  }
}
