import { once } from 'node:events'
import { request as sendHttp } from 'node:http'
import { request as sendHttps } from 'node:https'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { type Load, startLoad } from './load.ts'

/** A public path behind an edge, such as `https://localhost:8443/auth/livez`. */
export interface Target {
  readonly url: URL
  /** The authority of the edge's certificate. */
  readonly ca?: string | undefined
}

interface BadRequest {
  readonly method?: 'GET' | 'POST'
  readonly headers: string
  /** Parts of the body, sent one after another with pauses. */
  readonly body?: readonly string[]
  /** The client closes its half of the connection afterwards, and still reads. */
  readonly isHalfClosed?: true
}

const chunked = 'Transfer-Encoding: chunked'
const length = 'Content-Length: 100'

/** What broken and hostile clients send. Every connection is reset in the end. */
const badRequests: Readonly<Record<string, BadRequest>> = {
  'bad chunk': { headers: chunked, body: ['zz\r\n'] },
  'bad chunk in a POST': { method: 'POST', headers: chunked, body: ['zz\r\n'] },
  'bad second chunk': { method: 'POST', headers: chunked, body: ['2\r\n{}\r\n', '2\r\nabcd\r\n'] },
  'body cut short': { method: 'POST', headers: length, body: ['{}'] },
  'body of a GET cut short': { headers: length, body: ['{}'] },
  'half-closed': { headers: '', isHalfClosed: true },
  'half-closed in the body': { method: 'POST', headers: length, body: ['{}'], isHalfClosed: true },
  'slow body': { method: 'POST', headers: length, body: Array(50).fill(' ') },
  'large body': { method: 'POST', headers: chunked, body: [chunksOf(2_000_000), '0\r\n\r\n'] },
  'large body of a GET': { headers: chunked, body: [chunksOf(2_000_000), '0\r\n\r\n'] },
  'header of 16 KB': { headers: `X-Filler: ${'y'.repeat(15_900)}` },
  'header of 100 KB': { headers: `X-Filler: ${'y'.repeat(100_000)}` },
  'Expect without a body': { method: 'POST', headers: `${length}\r\nExpect: 100-continue` },
  'unknown expectation': { method: 'POST', headers: `${length}\r\nExpect: more` },
  'invalid length': { method: 'POST', headers: 'Content-Length: ten' },
  'two Host headers': { headers: 'Host: another' },
}

/** A client that left earlier would end a chain of repetitions in the edge. */
const defaultPatienceMs = 3_000

export const badRequestKinds = Object.keys(badRequests)

/**
 * Sends a bad request, waits until the edge closes the connection or patience ends, and resets it.
 *
 * @returns what was answered
 */
export async function sendBadRequest(
  { url, ca }: Target,
  kind: string,
  patienceMs = defaultPatienceMs,
): Promise<string> {
  const { method = 'GET', headers, body = [], isHalfClosed } = badRequests[kind] ?? { headers: '' }
  const { hostname, protocol } = url
  const isTls = protocol === 'https:'
  const raw = connect(Number(url.port || (isTls ? 443 : 80)), hostname)
  const socket = isTls ? connectTls({ socket: raw, servername: hostname, ca }) : raw
  let answer = ''
  const failed = (err: Error) => {
    answer += err.message
  }
  raw.on('error', failed)
  socket.on('error', failed)
  socket.on('data', (chunk) => {
    answer += chunk
  })
  // Not `once` of node:events, which rejects when the edge resets the connection.
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const [first = '', ...rest] = body
  const lines = [`${method} ${url.pathname} HTTP/1.1`, `Host: ${hostname}`, headers]
  const head = `${lines.filter(Boolean).join('\r\n')}\r\n\r\n`
  // In one packet: the edge sees the fault before it has passed anything on.
  socket.write(head + first)
  const sending = async () => {
    for (const part of rest) {
      socket.write(part)
      await sleep(20)
    }
    if (isHalfClosed) socket.end()
  }
  await Promise.race([sending().then(() => sleep(patienceMs)), closed])
  raw.resetAndDestroy()
  return answer
}

function chunksOf(bytes: number): string {
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
  return chunk.repeat(Math.ceil(bytes / 0x10000))
}

/** Other clients of the same edge: four that read, ten times a second each. Status 0: no answer. */
export function startReaders({ url, ca }: Target): Load<{ status: number }> {
  const options = { ca, timeout: 40_000 }
  const read = async () => {
    const request = url.protocol === 'https:' ? sendHttps(url, options) : sendHttp(url, options)
    request.end()
    try {
      const [response] = await once(request, 'response')
      response.resume()
      await once(response, 'end')
      return { status: response.statusCode as number }
    } catch {
      return { status: 0 }
    }
  }
  return startLoad([read, read, read, read], { pauseMs: 100 })
}

/** Reads while bad clients send a bad chunk twice a second, and each other kind in turn. */
export async function readAmongBadClients(target: Target, seconds: number) {
  const { answers, stop } = startReaders(target)
  const sent: Promise<string>[] = []
  const end = performance.now() + seconds * 1_000
  while (performance.now() < end) {
    const kind = badRequestKinds[(sent.length / 2) % badRequestKinds.length] ?? ''
    sent.push(sendBadRequest(target, 'bad chunk'), sendBadRequest(target, kind))
    await sleep(500)
  }
  await Promise.all(sent)
  await stop()
  return { answers, badRequests: sent.length }
}
