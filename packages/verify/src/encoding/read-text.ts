/**
 * Reads the body of a response as text.
 *
 * @throws Error when it is larger than `maxBytes`; the rest is not read
 */
export async function readText(response: Response, maxBytes: number): Promise<string> {
  const chunks: string[] = []
  const decoder = new TextDecoder()
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw new Error(`the response has more than ${maxBytes} bytes`)
    chunks.push(decoder.decode(chunk, { stream: true }))
  }
  return chunks.join('') + decoder.decode()
}
