import t from 'tap'
import { createVerifier as createFetchVerifier } from '../src/fetch.ts'
import { createVerifier } from '../src/index.ts'
import { claims, header, key, policy, sign, signSegments } from './tokens.ts'

/** U+014A and U+0141 end in the byte of an ASCII letter; the last two are surrogates. */
const characters = ['\u014a', '\u0141', '\u00e9', '\u0100', '\u2028', '\ud800', '\u{1f511}']
const malformed = { ok: false, error: { code: 'token_malformed', status: 401 } }
const maxTokenBytes = 1024
const options = { ...policy, keys: [key], maxTokenBytes }
const verifiers = {
  node: createVerifier(options),
  'node without cache': createVerifier({ ...options, cache: false }),
  'node, one key': createVerifier({ ...options, keys: key.secret }),
  fetch: createFetchVerifier(options),
}

/** Replaces the character at `at`. */
const replace = (text: string, at: number, character: string) =>
  text.slice(0, at) + character + text.slice(at + 1)

for (const [name, verifier] of Object.entries(verifiers)) {
  const refuses = async (token: string) => {
    const result = await verifier.check(token)
    return !result.ok && result.error.code === 'token_malformed' && !result.error.claim
  }

  t.test(`${name}: a character that is not ASCII, anywhere in a token, is malformed`, async (t) => {
    const token = sign()
    const wrong: [at: number, character: string][] = []
    for (let at = 0; at < token.length; at++) {
      for (const character of characters) {
        if (!(await refuses(replace(token, at, character)))) wrong.push([at, character])
      }
    }
    t.strictSame(wrong, [])
  })

  t.test(`${name}: a character that is not ASCII in a signed segment is malformed`, async (t) => {
    const [head = '', body = ''] = sign().split('.')
    for (const character of characters) {
      for (const at of [0, 5, head.length - 1]) {
        t.match(await verifier.check(signSegments(replace(head, at, character), body)), malformed)
      }
      for (let at = 0; at < body.length; at += 7) {
        t.match(await verifier.check(signSegments(head, replace(body, at, character))), malformed)
      }
    }
    // Decoded by its last byte, U+014A is the J with which the claims of a token begin.
    t.match(await verifier.check(signSegments(head, body.replace('J', '\u014a'))), malformed)
  })

  t.test(
    `${name}: a character that is not ASCII at the limit of the length is malformed`,
    async (t) => {
      const filled = (count: number) => sign(header, claims({ x: 'x'.repeat(count) }))
      let count = 0
      while (filled(count + 1).length <= maxTokenBytes - 1) count++
      const token = filled(count)
      for (const padded of [token, `${token}A`, `${token}AA`, `${token}AAA`]) {
        for (const character of characters) {
          for (let at = padded.length - 60; at < padded.length; at++) {
            if (!(await refuses(replace(padded, at, character)))) t.fail(`${padded.length} ${at}`)
          }
          t.match(await verifier.check(replace(padded, 3, character)), malformed)
        }
      }
    },
  )
}
