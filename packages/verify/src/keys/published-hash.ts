/**
 * A short hash of text, regardless of case and of base64's alphabet and padding: 36 bits, so that
 * one random secret in ten million is refused. WebCrypto's hashes are asynchronous.
 */
export function hashPublished(text: string): string {
  const plain = text.toLowerCase().replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
  let [low, high] = [0x811c9dc5, 0x01000193]
  for (let i = 0; i < plain.length; i++) {
    low = Math.imul(low ^ plain.charCodeAt(i), 0x01000193)
    high = Math.imul(high ^ plain.charCodeAt(i), 0x85ebca6b) + low
  }
  high = Math.imul(high ^ (high >>> 15), 0xc2b2ae35)
  return (((low >>> 0) * 256 + (high >>> 24)) % 36 ** 7).toString(36).padStart(7, '0')
}
