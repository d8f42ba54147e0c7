import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/**
 * Opens a connection and refreshes over it, one request at a time. The client does as little as it
 * can, because it shares the processors with the service that is measured.
 *
 * @returns a function that exchanges a refresh token for the next one; it throws unless the answer
 *   is 200 with another token
 */
export async function connectClient(url: string) {
  const { hostname, port, host } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  await once(socket, 'connect')
  const readAnswer = readAnswers(socket)
  const refresh = async (token: string): Promise<string> => {
    const body = `{"refresh_token":"${token}"}`
    socket.write(
      `POST /v1/refresh HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    )
    const answer = await readAnswer()
    const [, next] = /"refresh_token":"(lkr_[\w-]{70})"/.exec(answer) ?? []
    if (!answer.startsWith('HTTP/1.1 200 ') || next === undefined || next === token) {
      throw new Error(`A refresh was answered with ${answer}`)
    }
    return next
  }
  return { refresh, close: () => socket.destroy() }
}

/** @returns a function that waits for the next complete answer */
function readAnswers(socket: Socket): () => Promise<string> {
  let received = ''
  let waiting: PromiseWithResolvers<string> | undefined
  socket.setEncoding('latin1')
  socket.on('data', (chunk) => {
    received += chunk
    const end = received.indexOf('\r\n\r\n') + 4
    const [, length] = /\r\ncontent-length: (\d+)/i.exec(received) ?? []
    if (end < 4 || length === undefined || received.length < end + Number(length)) return
    waiting?.resolve(received)
    received = ''
  })
  socket.on('close', () => waiting?.reject(new Error('The service closed a connection.')))
  return () => {
    waiting = Promise.withResolvers()
    return waiting.promise
  }
}
