import type { Clock } from './clocks.ts'
import { error, type Finding, ok, warning } from './finding.ts'

const timeoutMs = 5_000

/** Whether a host is this machine. */
export const isLoopback = (host: string): boolean =>
  /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(host) || host.endsWith('.localhost')

/**
 * Asks `/livez` of auth, and checks that tokens travel encrypted if the issuer is https.
 *
 * @returns `clock`, of this machine, if the answer has a date
 */
export async function checkAuth(
  auth: string,
  issuer: string | undefined,
): Promise<{ findings: Finding[]; isReached: boolean; clock?: Clock }> {
  const findings: Finding[] = []
  const url = URL.parse(auth)
  if (issuer?.startsWith('https:') && url?.protocol === 'http:' && !isLoopback(url.hostname)) {
    const text = `The issuer is https, but ${auth} is not encrypted: tokens can be read on the way.`
    findings.push(warning('auth_unencrypted', `${text} Use TLS, or keep that network private.`))
  }
  try {
    const response = await fetch(`${auth.replace(/\/+$/, '')}/livez`, {
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    await response.body?.cancel()
    if (response.status !== 200) throw new Error(`status ${response.status}`)
    findings.push(ok('auth_answers', `${auth} answers.`))
    const clock = compareClock(response.headers.get('date') ?? '')
    return { findings, isReached: true, ...(clock && { clock }) }
  } catch (err) {
    const { message, cause } = err as Error & { cause?: NodeJS.ErrnoException }
    const text = `Auth does not answer at ${auth} (${cause?.code ?? cause?.message ?? message}). Check --auth.`
    return { findings: [...findings, error('auth_unreachable', text)], isReached: false }
  }
}

/** Compares this machine's clock with the `date` of an answer, which has whole seconds. */
function compareClock(date: string): Clock | undefined {
  const seconds = Date.parse(date) / 1_000 + 0.5
  if (Number.isNaN(seconds)) return undefined
  return {
    name: 'this machine',
    comparedWith: 'auth',
    aheadSeconds: Date.now() / 1_000 - seconds,
  }
}

/** Checks which address the limits of logins count. */
export function checkTrustProxy(trusted: string | undefined, issuer: string): Finding[] {
  if (trusted === undefined) {
    if (!issuer.startsWith('https:')) return []
    const text = 'LATCHKEY_TRUST_PROXY is not set, but the issuer is https: if a proxy ends TLS,'
    const then =
      'all clients share its address and its limits. Set it to the addresses of the proxy.'
    return [warning('trust_proxy_unset', `${text} ${then}`)]
  }
  if (!/^[1-9]\d*$/.test(trusted)) return [ok('trust_proxy', `Trusted proxies: ${trusted}.`)]
  const text =
    `LATCHKEY_TRUST_PROXY trusts ${trusted} hops: a client that reaches auth through fewer ` +
    'proxies can forge its address. Name the addresses of the proxies instead.'
  return [warning('trust_proxy_hops', text)]
}
