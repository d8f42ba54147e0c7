import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { parseKeySet } from './key-set.ts'
import { type Keyring, KeyringError, type KeySet } from './keyring.ts'

const POLL_MS = 1000

/** Options of `openKeyring`. */
export interface KeyringFileOptions {
  /** Called when the changed file cannot be used; the keys before stay in use. Default: a process warning. */
  onError?: (err: KeyringError) => void
  /** Called after other keys were taken from the file. */
  onReload?: (set: KeySet) => void
}

/**
 * Opens a JWK Set file (RFC 7517) and follows its changes.
 *
 * The file is read again every second, whatever its time stamp says, and taken when its text differs: that notices
 * an in-place write, an atomic rename and the swap of a symbolic link alike. A text is checked whole before it
 * is taken. While it is unreadable or wrong, the keys before stay in use and `onError` is called once
 * for each kind of error. The timer does not keep the process alive.
 *
 * @throws KeyringError when the file cannot be used now
 */
export function openKeyring(file: string, options: KeyringFileOptions = {}): Keyring {
  if (typeof file !== 'string' || file === '') throw new TypeError('file must be a path')
  return new KeyringFile(file, options)
}

class KeyringFile implements Keyring {
  readonly #file: string
  readonly #options: KeyringFileOptions
  readonly #listeners = new Set<(set: KeySet) => void>()
  #current: KeySet
  /** The text last looked at, good or bad. A string, as the parsed keys are; it is never shown. */
  #text: string | undefined
  #lastReadError: string | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(file: string, options: KeyringFileOptions) {
    this.#file = file
    this.#options = options
    try {
      this.#text = readFileSync(file, 'utf8')
    } catch (err) {
      throw unreadable(file, err)
    }
    this.#current = parseFile(file, this.#text)
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
    let text: string
    try {
      text = await readFile(this.#file, 'utf8')
    } catch (err) {
      this.#text = undefined
      const error = unreadable(this.#file, err)
      if (error.message !== this.#lastReadError) this.#report(error)
      this.#lastReadError = error.message
      return
    }
    this.#lastReadError = undefined
    if (text === this.#text || this.#isClosed) return
    this.#text = text
    let set: KeySet
    try {
      set = parseFile(this.#file, text)
    } catch (err) {
      this.#report(err as KeyringError)
      return
    }
    this.#current = set
    this.#options.onReload?.(set)
    for (const listener of this.#listeners) listener(set)
  }

  #report(error: KeyringError): void {
    if (this.#isClosed) return
    if (this.#options.onError) this.#options.onError(error)
    else process.emitWarning(error)
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

function unreadable(file: string, err: unknown): KeyringError {
  const { code = 'unknown error' } = err as NodeJS.ErrnoException
  return new KeyringError('keyring_unreadable', `key file ${file} cannot be read: ${code}`)
}
