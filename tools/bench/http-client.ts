import { connect, type Socket } from 'node:net'

const CONNECTIONS = 50
const END_OF_BODY = '{"hello":"world"}'

/**
 * Sends requests over connections that are kept alive, each connection one at a time, and counts the answers. It
 * writes requests made beforehand and hardly looks at what comes back, so that the server is what is measured.
 *
 * @param requests sent in turn
 * @returns answers a second
 * @throws Error when an answer is not the one expected
 */
export async function load(
  port: number,
  requests: readonly Buffer[],
  seconds: number,
): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => open(port)))
  let next = 0
  let answers = 0
  let isOver = false
  const started = performance.now()
  const done = sockets.map(
    (socket) =>
      new Promise<void>((resolve, reject) => {
        const send = () => {
          socket.write(requests[next++ % requests.length] as Buffer)
        }
        socket.on('error', reject)
        socket.on('data', (data) => {
          const isExpected =
            data.toString('latin1', data.length - END_OF_BODY.length) === END_OF_BODY
          if (!isExpected) return reject(new Error(`unexpected: ${data}`))
          answers++
          if (isOver) resolve()
          else send()
        })
        send()
      }),
  )
  setTimeout(() => {
    isOver = true
  }, seconds * 1000)
  await Promise.all(done)
  const elapsedSeconds = (performance.now() - started) / 1000
  for (const socket of sockets) socket.destroy()
  return answers / elapsedSeconds
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.setNoDelay().once('error', reject)
  })
}
