import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { createVerifier, parseKeySet } from '../src/index.ts'
import { policy } from './tokens.ts'

const weak = { code: 'keyring_weak_secret' }
const inFile = (secret: Uint8Array) => {
  const k = Buffer.from(secret).toString('base64url')
  return JSON.stringify({ keys: [{ kty: 'oct', kid: 'a', alg: 'HS256', k }] })
}

/** Checks that a secret is refused wherever one can be given. */
function refuses(t: Test, secret: Uint8Array, message: RegExp, what: string) {
  const expected = { ...weak, message }
  t.throws(() => createVerifier({ ...policy, keys: secret }), expected, what)
  t.throws(() => createVerifier({ ...policy, keys: [{ kid: 'a', secret }] }), expected, what)
  t.throws(() => parseKeySet(inFile(secret)), expected, what)
}

const openssh = (der: Buffer) =>
  `ssh-ed25519 ${Buffer.concat([
    Buffer.from([0, 0, 0, 11]),
    Buffer.from('ssh-ed25519'),
    Buffer.from([0, 0, 0, 32]),
    der.subarray(-32),
  ]).toString('base64')} ada@example.com`

const CERT =
  'MIIBLDCB36ADAgECAhQwALqjVP6cVE/iz6GHE9R6XTFNoTAFBgMrZXAwDDEKMAgGA1UEAwwBeDAeFw0yNjExMjYx' +
  'NTIwNDBaFw0yNjExMjcxNTIwNDBaMAwxCjAIBgNVBAMMAXgwKjAFBgMrZXADIQDoiFppOQwoH7r4nlolmdjOi/vl' +
  'T6Skznn0WGEWqB5R0aNTMFEwHQYDVR0OBBYEFAEUSNWqqTRtDjrqjs36ldFTrzIxMB8GA1UdIwQYMBaAFAEUSNWq' +
  'qTRtDjrqjs36ldFTrzIxMA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EA5tHnE58NzJLvDXbr1OHtag0GOHeR0uJ8' +
  'ISjPcNoYSvFRmKU9DuUF2JYdOQPMOPtLbu0xXVgsWS7XIf8bInlRAQ=='

/** A certificate for one day and one name, made with openssl. */
const certificate = Buffer.from(CERT, 'base64')

t.test('refuses keys of other kinds and certificates, however they are encoded', async (t) => {
  const pairs = {
    RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    P256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    Ed25519: generateKeyPairSync('ed25519'),
  }
  const forms: [what: string, bytes: Buffer][] = []
  const add = (what: string, form: string | Buffer) =>
    forms.push([what, Buffer.from(form as string)])
  for (const [name, { publicKey, privateKey }] of Object.entries(pairs)) {
    const exported = (key: KeyObject, type: string, format: string) =>
      key.export({ type, format } as never) as unknown as Buffer
    const types: [KeyObject, string][] = [
      [publicKey, 'spki'],
      [privateKey, 'pkcs8'],
    ]
    if (name === 'RSA') types.push([publicKey, 'pkcs1'], [privateKey, 'pkcs1'])
    if (name === 'P256') types.push([privateKey, 'sec1'])
    for (const [key, type] of types) {
      const der = exported(key, type, 'der')
      add(`${name} ${type} PEM`, exported(key, type, 'pem'))
      add(`${name} ${type} DER`, der)
      add(`${name} ${type} base64`, der.toString('base64'))
    }
    add(`${name} JWK`, JSON.stringify(publicKey.export({ format: 'jwk' }), null, 2))
    add(`${name} JWK Set`, JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }))
  }
  add('certificate DER', certificate)
  add('certificate PEM', `-----BEGIN CERTIFICATE-----\n${CERT}\n-----END CERTIFICATE-----\n`)
  const ssh = openssh(pairs.Ed25519.publicKey.export({ type: 'spki', format: 'der' }))
  add('OpenSSH', ssh)
  add('OpenSSH blob', Buffer.from(ssh.split(' ')[1] ?? '', 'base64'))
  for (const [what, bytes] of forms) {
    refuses(t, bytes, /another kind or a certificate/, what)
    const text = bytes.toString('latin1')
    const lines = bytes.toString('base64').replace(/.{64}/g, '$&\r\n')
    const variants = {
      'a byte order mark': Buffer.concat([Buffer.from('\ufeff'), bytes]),
      'CRLF and spaces': Buffer.from(`\r\n ${text.replaceAll('\n', '\r\n')} \n`, 'latin1'),
      'UTF-16': Buffer.from(`\ufeff${text}`, 'utf16le'),
      'UTF-16 without a mark': Buffer.from(text, 'utf16le'),
      'UTF-16, big endian': Buffer.from(`\ufeff${text}`, 'utf16le').swap16(),
      base64: Buffer.from(lines),
      base64url: Buffer.from(bytes.toString('base64url')),
      'base64 twice': Buffer.from(Buffer.from(lines).toString('base64')),
      hexadecimal: Buffer.from(bytes.toString('hex')),
    }
    const isText = !/DER|blob/.test(what)
    for (const [how, variant] of Object.entries(variants)) {
      if (!isText && !/base64|hex/.test(how)) continue
      refuses(t, variant, /another kind or a certificate/, `${what} with ${how}`)
    }
  }
})

t.test('refuses published samples and simple variants of them', async (t) => {
  const published = [
    '872e4e50ce9990d8b041330c47c9ddd11bec6b503ae9386a99da8584e9bb12c4', // jwt_tool
    'R9MyWaEoyiMYViVWo8Fk4TUGWiSoaW6U1nOqXri8_XU',
    'oygNsNl1i2FgpfReDI95jWZSAaxhXjElxhKHFAST0bRRJ1cjvV8ZS0syJMZXUaN5', // wallarm/jwt-secrets
    'JI6uVyIx4T9z2gWd5ArG8xed7ijOqVGf1pnaOKEm9XSjq8KPzKtqLReZ3LEcSoBR',
    'hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg', // RFC 7520
  ]
  for (const text of published) {
    for (const variant of [
      text,
      `${text}\n`,
      ` ${text}\r\n`,
      text.toUpperCase(),
      Buffer.from(text).toString('base64'),
      Buffer.from(text).toString('hex'),
    ]) {
      refuses(t, Buffer.from(variant), /published sample/, variant)
    }
  }
  const encoded = published[1] ?? ''
  refuses(t, Buffer.from(encoded, 'base64url'), /published sample/, 'its bytes')
  const loose = 'NICE_TRY_WANNABE_HACKER_THIS_PASSWORD_HAS_TO_BE_LONGER'
  refuses(t, Buffer.from(loose, 'base64'), /published sample/, 'as a lenient decoder reads it')
})

t.test('names what is wrong with a short secret', async (t) => {
  refuses(t, randomBytes(31), /has 31 bytes; HS256 needs at least 32/, '31 bytes')
  const hex = Buffer.from('3b7e15092c8f4ad6e1057c9b2f83d46a\n')
  refuses(t, hex, /is 32 hexadecimal digits, which have 128 bits/, 'hexadecimal digits')
  const base64 = Buffer.from(randomBytes(24).toString('base64'))
  refuses(t, base64, /is 32 characters of base64, which have 192 bits/, 'base64')
})
