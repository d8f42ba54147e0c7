import { connect } from 'node:net'
import type { Plan } from './draft.ts'

/** What a server answered; status 0 means nothing. */
export interface Answer {
  readonly status: number
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
  /** All that arrived, as text. */
  readonly text: string
}

/** Longest time until a complete answer, in milliseconds. A server that needs longer hangs. */
const patienceMs = 20_000

/**
 * Sends a request as bytes on a connection of its own.
 *
 * @param fill replaces the placeholders of a text
 */
export async function sendPlan(
  url: string,
  { method, target, headers, body, lengthError }: Plan,
  fill: (text: string) => string,
): Promise<Answer> {
  const { host } = new URL(url)
  const content = body === undefined ? '' : fill(body)
  const length = Math.max(0, content.length + lengthError)
  const lines = [
    `${method} ${fill(target)} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: close',
    ...headers.map(fill),
    ...(length > 0 || body !== undefined ? [`Content-Length: ${length}`] : []),
  ]
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${content}`, 'latin1')
  // A server that does not wait for the whole of a request resets the connection, which may discard
  // the answer.
  for (let tries = 3; ; tries -= 1) {
    const answer = readAnswer(await exchange(url, bytes, lengthError > 1))
    if (answer.status !== 0 || tries === 1) return answer
  }
}

async function exchange(url: string, bytes: Buffer, isHalfClosed: boolean): Promise<Buffer> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', () => {})
  socket.on('end', () => socket.end())
  socket.setTimeout(patienceMs, () => socket.destroy())
  socket.write(bytes)
  if (isHalfClosed) socket.end()
  await new Promise((closed) => socket.once('close', closed))
  return Buffer.concat(chunks)
}

function readAnswer(bytes: Buffer): Answer {
  const text = bytes.toString()
  // Interim answers, such as `100 Continue`, come first.
  const [, final = ''] = /^(?:HTTP\/1\.1 1\d\d [^\r]*\r\n\r\n)*(.*)$/s.exec(text) ?? []
  const end = final.indexOf('\r\n\r\n')
  const [first = '', ...lines] = final.slice(0, Math.max(0, end)).split('\r\n')
  const [, status = 0] = /^HTTP\/1\.1 (\d{3}) /.exec(first) ?? []
  const headers = new Map(
    lines.map((line) => {
      const [, name = '', value = ''] = /^([^:]*): ?(.*)$/s.exec(line) ?? []
      return [name.toLowerCase(), value]
    }),
  )
  return { status: Number(status), headers, body: final.slice(end + 4), text }
}
