import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { callSafely, checkCallbacks } from '../options/call-safely.ts'
import { checkNames } from '../options/check-names.ts'
import { parseKeySet } from './key-set.ts'
import { type Keyring, KeyringError, type KeySet } from './keyring.ts'

const POLL_MS = 1000

const warn = (message: string) => process.emitWarning(message)

/**
 * Options of `openKeyring`.
 * @example
 * ```ts
 * import type { KeyringFileOptions } from '@latchkey/verify'
 * const options: KeyringFileOptions = { onReload: ({ signing }) => console.log(signing.kid) }
 * ```
 */
export interface KeyringFileOptions {
  /** Called when a changed file cannot be used; the old keys stay. Default: a process warning. */
  onError?: (err: KeyringError) => void
  /** Called after new keys have been loaded. */
  onReload?: (set: KeySet) => void
}

/**
 * Opens a JWK Set file (RFC 7517) and follows its changes.
 *
 * The file is read every second, regardless of its timestamp, and loaded when its text differs.
 * That covers an in-place write, an atomic rename and the swap of a symbolic link. A file is
 * checked completely before it is loaded. While it is unreadable or invalid, the old keys stay in
 * use, and `onError` is called once for each error. The timer does not keep the process alive.
 *
 * @throws TypeError when `file` is not a path, or an option is unknown or not a function
 * @throws KeyringError when the file cannot be used now
 * @example
 * ```ts
 * import { createVerifier, openKeyring } from '@latchkey/verify'
 * const keys = openKeyring('keys.json', { onError: (err) => console.error(err.message) })
 * const verifier = createVerifier({ keys, issuer, audience: 'orders' })
 * ```
 */
export function openKeyring(file: string, options: KeyringFileOptions = {}): Keyring {
  if (typeof file !== 'string' || file === '') {
    throw new TypeError(`the key file must be a path; it is ${file === '' ? 'empty' : typeof file}`)
  }
  checkNames(options, 'option', ['onError', 'onReload'])
  checkCallbacks(options, 'onError', 'onReload')
  return new KeyringFile(file, options)
}

class KeyringFile implements Keyring {
  readonly #file: string
  readonly #options: KeyringFileOptions
  readonly #listeners = new Set<(set: KeySet) => void>()
  #current: KeySet
  /** The result of the last read: the text, which contains secrets, or the message of an error. */
  #seen: string
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(file: string, options: KeyringFileOptions) {
    this.#file = file
    this.#options = options
    try {
      this.#seen = readFileSync(file, 'utf8')
    } catch (err) {
      throw unreadable(file, err)
    }
    this.#current = parseFile(file, this.#seen)
    this.#schedule()
  }

  get current(): KeySet {
    return this.#current
  }

  subscribe(listener: (set: KeySet) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#reload().finally(() => this.#schedule()), POLL_MS).unref()
    if (this.#isClosed) clearTimeout(this.#timer)
  }

  async #reload(): Promise<void> {
    const read = await readFile(this.#file, 'utf8').catch((err) => unreadable(this.#file, err))
    const seen = typeof read === 'string' ? read : read.message
    if (seen === this.#seen || this.#isClosed) return
    this.#seen = seen
    try {
      if (typeof read !== 'string') throw read
      this.#current = parseFile(this.#file, read)
    } catch (err) {
      const { onError = (err: KeyringError) => process.emitWarning(err) } = this.#options
      callSafely('onError of a keyring', onError, err as KeyringError, warn)
      return
    }
    callSafely('onReload of a keyring', this.#options.onReload, this.#current, warn)
    for (const listener of this.#listeners) {
      callSafely('a listener of a keyring', listener, this.#current, warn)
    }
  }
}

function parseFile(file: string, text: string): KeySet {
  try {
    return parseKeySet(text)
  } catch (err) {
    const { code, message } = err as KeyringError
    throw new KeyringError(code, `key file ${file}: ${message}`)
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a folder of its path is a file',
  EACCES: 'this user may not read it',
}

function unreadable(file: string, err: unknown): KeyringError {
  const { code = 'unknown error' } = err as NodeJS.ErrnoException
  const reason = REASONS[code] ? `${REASONS[code]} (${code})` : code
  const message = `key file ${file} cannot be read: ${reason}`
  return new KeyringError('keyring_unreadable', message, { cause: err })
}
