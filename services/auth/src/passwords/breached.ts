import { createHash } from 'node:crypto'

const timeoutMs = 1_000

/** A range of Have I Been Pwned has about 40 KiB, with padding. */
const maxBytes = 262_144

/** A line of a range: the rest of a SHA-1 hash, and how often its password was seen. */
const linePattern = /^([0-9A-F]{35}):(\d{1,15})$/

/**
 * Whether a service with the range API of Have I Been Pwned knows a password. It learns the first
 * five characters of the SHA-1 hash, which about a thousand known passwords share.
 *
 * @param url the base URL of the service
 * @throws Error when there is no valid answer within a second
 */
export async function isBreached(url: string, password: string): Promise<boolean> {
  const hash = createHash('sha1').update(password).digest('hex').toUpperCase()
  const response = await fetch(`${url.replace(/\/+$/, '')}/range/${hash.slice(0, 5)}`, {
    // Entries with the count 0 hide from an observer of the traffic how long the range is.
    headers: { 'add-padding': 'true' },
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  })
  const text = await readBody(response)
  if (response.status !== 200) throw new Error(`the server answered ${response.status}`)
  return parseRange(text).some(({ suffix, count }) => suffix === hash.slice(5) && count > 0)
}

/** Reads every line, so that a page in place of a range is not taken for a range without the hash. */
function parseRange(text: string) {
  return text
    .toUpperCase()
    .trim()
    .split(/\r?\n/)
    .map((line) => {
      const [, suffix, count] = linePattern.exec(line) ?? []
      if (suffix === undefined) throw new Error('the answer is not a range of hashes')
      return { suffix, count: Number(count) }
    })
}

async function readBody({ body }: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`)
  }
  return text
}
