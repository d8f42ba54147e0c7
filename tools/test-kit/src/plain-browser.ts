import { once } from 'node:events'
import http from 'node:http'
import { text as readText } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

/** An answer, with where it came from. */
export interface Answer {
  readonly url: URL
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** A request of a browser. */
export interface Sent {
  readonly method?: string
  /** Fields of a form. */
  readonly form?: Record<string, string>
  readonly headers?: Record<string, string>
}

/** Headers of what a page fetches, and of what a person navigates to. */
const fetching = { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin', accept: '*/*' }
const navigating = { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'none', accept: 'text/html' }

/** A browser without scripts, over real connections: a jar of cookies per origin. */
export class Browser {
  readonly #hosts: Readonly<Record<string, readonly string[]>>
  readonly #jars = new Map<string, Map<string, string>>()
  #sent = 0

  /** @param hosts the addresses of each origin's instances, which get requests in turn */
  constructor(hosts: Readonly<Record<string, readonly string[]>>) {
    this.#hosts = hosts
  }

  /** The cookies of an origin. */
  jar(origin: string): Map<string, string> {
    const jar = this.#jars.get(origin) ?? new Map<string, string>()
    this.#jars.set(origin, jar)
    return jar
  }

  /** Navigates, without following a redirect. */
  open = (url: string | URL, sent: Sent = {}): Promise<Answer> =>
    this.#send(url, { ...sent, headers: { ...navigating, ...sent.headers } })

  /** Requests something as a script of the app does. */
  fetch = (url: string | URL, sent: Sent = {}): Promise<Answer> =>
    this.#send(url, { ...sent, headers: { ...fetching, ...sent.headers } })

  /** Sends a form of the same origin. */
  submit = (url: string | URL, form: Record<string, string>): Promise<Answer> =>
    this.open(url, { method: 'POST', form, headers: { 'sec-fetch-site': 'same-origin' } })

  /** Navigates, and follows redirects to the end. */
  async visit(url: string | URL): Promise<Answer> {
    return this.follow(await this.open(url))
  }

  /** Follows the redirects of an answer to the end. */
  async follow(first: Answer): Promise<Answer> {
    let answer = first
    for (let hops = 0; hops < 10; hops += 1) {
      const location = answer.headers.get('location')
      if (location === null) return answer
      answer = await this.open(new URL(location, answer.url))
    }
    throw new Error(`redirected in circles: ${answer.url}`)
  }

  async #send(to: string | URL, { method = 'GET', form, headers }: Sent): Promise<Answer> {
    const url = new URL(to)
    const instances = this.#hosts[url.origin] ?? []
    const instance = instances[this.#sent++ % instances.length]
    if (instance === undefined) throw new Error(`nobody answers for ${url.origin}`)
    const jar = this.jar(url.origin)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const { status, fields, text } = await request(instance + url.pathname + url.search, {
      method,
      headers: {
        host: url.host,
        ...(cookie && { cookie }),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...headers,
      },
      body: new URLSearchParams(form).toString(),
    })
    for (const line of fields.getSetCookie()) keepCookie(jar, line)
    return { url, status, headers: fields, text }
  }
}

/** Sends a request. The function `fetch` would set `Sec-Fetch-Mode` itself. */
export async function request(
  url: string,
  {
    method = 'GET',
    headers = {},
    body = '',
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<{ status: number; fields: Headers; text: string }> {
  const sent = http.request(url, { method, headers }).end(body)
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage]
  const fields = new Headers()
  for (const [name, values = []] of Object.entries(response.headersDistinct)) {
    for (const value of values) fields.append(name, value)
  }
  return { status: response.statusCode ?? 0, fields, text: await readText(response) }
}

function keepCookie(jar: Map<string, string>, line: string): void {
  const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
  jar.delete(name)
  if (value !== '') jar.set(name, value)
}

/** Repeats a check until it is true. */
export async function waitUntil(check: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await check()) return
    await sleep(50)
  }
  throw new Error('it has not become true within thirty seconds')
}
