const always = {
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'SAMEORIGIN',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
}

const contentSecurityPolicy =
  "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';" +
  "frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';" +
  "script-src-attr 'none';style-src 'self' https: 'unsafe-inline'"

/**
 * The headers of every response that does not set its own: helmet's defaults, and `no-store`,
 * because most responses contain personal data.
 *
 * The two that make browsers use https are only sent where the issuer uses it. With an http issuer,
 * no page could load its own scripts.
 */
export function createSecurityHeaders(issuer: string): Readonly<Record<string, string>> {
  if (!issuer.startsWith('https:')) {
    return { ...always, 'content-security-policy': contentSecurityPolicy }
  }
  return {
    ...always,
    'content-security-policy': `${contentSecurityPolicy};upgrade-insecure-requests`,
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
  }
}
