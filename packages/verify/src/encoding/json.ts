import type { DecodedSegment } from './base64url.ts'

/** Deeper nesting is refused, so that no token can exhaust the stack. */
const MAX_DEPTH = 64

const SPACE = /[ \t\n\r]*/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 section 7 forbids them
const STRING = /"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"/y
const SCALAR = /true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

/**
 * Parses JSON (RFC 8259) with the restrictions of RFC 7493: no duplicate member names and no
 * unpaired surrogates. A member named `__proto__` is refused too. Never throws: malformed text is
 * `undefined`.
 */
export function parseJson(text: string): unknown {
  const value = new Parser(text).document()
  return value === MALFORMED ? undefined : value
}

/**
 * Parses a segment that must be a JSON object, like `parseJson`, and freezes it in depth.
 *
 * The fast path uses `JSON.parse`. In text without a backslash every quotation mark delimits a
 * string, so each member name and each string value accounts for two. `JSON.parse` drops a
 * duplicate member, and its result then accounts for fewer marks than the text contains.
 */
export function parseJsonObject(
  segment: DecodedSegment,
): Readonly<Record<string, unknown>> | undefined {
  const { text } = segment
  if (text.includes('\\') || text.includes('__proto__')) {
    const value = parseJson(text)
    if (!isObject(value)) return undefined
    freeze(value, 1)
    return value
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return isObject(value) && freeze(value, 1) === countQuotes(segment) ? value : undefined
}

/** Whether a parsed value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Counts quotation marks, four bytes at a time: three times as fast as one at a time. */
function countQuotes({ words, length }: DecodedSegment): number {
  let quotes = 0
  for (let i = 0; i << 2 < length; i++) {
    // A quotation mark is a zero byte in `differences` and sets the high bit of a byte in `zeros`.
    const differences = (words[i] as number) ^ 0x22222222
    const zeros = ~(((differences & 0x7f7f7f7f) + 0x7f7f7f7f) | differences | 0x7f7f7f7f)
    quotes += Math.imul(zeros >>> 7, 0x01010101) >>> 24
  }
  return quotes
}

/**
 * Freezes a result of `JSON.parse`, in depth.
 *
 * @returns the number of quotation marks in its text, or NaN when it is nested too deeply
 */
function freeze(value: object, depth: number): number {
  if (depth > MAX_DEPTH) return Number.NaN
  const isArray = Array.isArray(value)
  const members: unknown[] = isArray ? value : Object.values(value)
  let quotes = isArray ? 0 : 2 * members.length
  for (const member of members) {
    if (typeof member === 'string') quotes += 2
    else if (typeof member === 'object' && member !== null) quotes += freeze(member, depth + 1)
  }
  Object.freeze(value)
  return quotes
}

const MALFORMED = Symbol('malformed')

/** A recursive-descent parser that reports errors as a value: refusing must be cheap. */
class Parser {
  readonly #text: string
  #position = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): unknown {
    if (!this.#text.isWellFormed()) return MALFORMED
    const value = this.#value(1)
    this.#match(SPACE)
    return this.#position === this.#text.length ? value : MALFORMED
  }

  #value(depth: number): unknown {
    this.#match(SPACE)
    switch (this.#text[this.#position]) {
      case '{':
        return depth > MAX_DEPTH ? MALFORMED : this.#object(depth)
      case '[':
        return depth > MAX_DEPTH ? MALFORMED : this.#array(depth)
      case '"':
        return this.#string()
      default: {
        const scalar = this.#match(SCALAR)
        return scalar === undefined ? MALFORMED : JSON.parse(scalar)
      }
    }
  }

  #object(depth: number): unknown {
    const object: Record<string, unknown> = {}
    this.#position++
    if (this.#accept('}')) return object
    do {
      this.#match(SPACE)
      const name = this.#string()
      if (typeof name !== 'string' || name === '__proto__' || Object.hasOwn(object, name)) {
        return MALFORMED
      }
      if (!this.#accept(':')) return MALFORMED
      const value = this.#value(depth + 1)
      if (value === MALFORMED) return MALFORMED
      object[name] = value
    } while (this.#accept(','))
    return this.#accept('}') ? object : MALFORMED
  }

  #array(depth: number): unknown {
    const array: unknown[] = []
    this.#position++
    if (this.#accept(']')) return array
    do {
      const value = this.#value(depth + 1)
      if (value === MALFORMED) return MALFORMED
      array.push(value)
    } while (this.#accept(','))
    return this.#accept(']') ? array : MALFORMED
  }

  #string(): string | typeof MALFORMED {
    const literal = this.#match(STRING)
    if (literal === undefined) return MALFORMED
    const value: string = literal.includes('\\') ? JSON.parse(literal) : literal.slice(1, -1)
    return value.isWellFormed() ? value : MALFORMED
  }

  #accept(character: string): boolean {
    this.#match(SPACE)
    if (this.#text[this.#position] !== character) return false
    this.#position++
    return true
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position
    const match = pattern.exec(this.#text)?.[0]
    this.#position += match?.length ?? 0
    return match
  }
}
