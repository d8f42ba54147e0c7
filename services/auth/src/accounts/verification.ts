import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import { ProblemError, type Queryable } from '@latchkey/service-kit'
import { type Static, Type } from 'typebox'
import { insertEvent, type NewEvent } from '../audit/store.ts'
import { admitGuess } from '../passwords/authenticate.ts'
import { settleFailures } from '../passwords/store.ts'

/**
 * A proof that somebody reads the mail of an address: an ID, which the client that asked gets, and a
 * code, which only the mail contains. A code is of no use to the client of another request, and the
 * database, which has only the hash of both, is of no use for guessing the code.
 */
export interface Verification {
  verificationId: string
  /** Eight digits. */
  code: string
  hashes: CodeHashes
}

/** What the database stores of a verification, in its form for `decode`. */
export interface CodeHashes {
  idHash: Buffer
  codeHash: Buffer
}

export function createVerification(): Verification {
  const verificationId = randomBytes(16).toString('base64url')
  const code = String(randomInt(10 ** 8)).padStart(8, '0')
  return { verificationId, code, hashes: hashCode({ verificationId, code }) }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest()

function hashCode({ verificationId, code }: Omit<Verification, 'hashes'>): CodeHashes {
  return { idHash: sha256(verificationId), codeHash: sha256(`${verificationId} ${code}`) }
}

/** The answer to a request that mails a code. It is the same for every address. */
export const VerificationReply = Type.Object(
  {
    verification_id: Type.String({ description: 'Send it with the code from the mail.' }),
    expires_in: Type.Integer({ description: 'How long the code is valid, in seconds.' }),
  },
  {
    title: 'Verification',
    examples: [{ verification_id: 'kX2lUq8PZ0mB7dT4wN1c9A', expires_in: 3_600 }],
  },
)

/** A code that was typed, or taken from a link. */
export const MailedCode = {
  verification_id: Type.String({
    pattern: '^[\\w-]{22}$',
    description: 'a verification_id of 22 characters',
    examples: ['kX2lUq8PZ0mB7dT4wN1c9A'],
  }),
  code: Type.String({
    // People type the code as the mail shows it, in two groups.
    pattern: '^ *\\d{4}[ -]?\\d{4} *$',
    description: 'the eight digits of the code',
    examples: ['12345678'],
  }),
}

/** The body of a request that only needs a code. */
export const ConfirmedCode = Type.Object(MailedCode, { additionalProperties: false })

/** What is stored with a code. */
interface GuessedCode {
  /** The address that guesses count for. */
  email: string
  /** `null`: nobody can use the code. */
  codeHash: Buffer | null
  userId?: string | null
}

/**
 * Checks a code, as a guess that counts with those at the password of the same address. The code is
 * not used up: that is for the statement that also does what it allows, once.
 *
 * @param guess.find reads what was stored with the ID, unless it has expired
 * @throws ProblemError 400 `code_invalid`, 429 `too_many_failures`
 */
export async function checkCode<T extends GuessedCode>(
  db: Queryable,
  guess: {
    body: Static<typeof ConfirmedCode>
    network: string
    find: (idHash: Buffer) => Promise<T | undefined>
    /** Recorded as refused, if the code is wrong. */
    event: NewEvent
  },
): Promise<T & CodeHashes> {
  const { verification_id: verificationId, code } = guess.body
  const hashes = hashCode({ verificationId, code: code.replaceAll(/[ -]/g, '') })
  const found = await guess.find(hashes.idHash)
  // Guesses at unknown IDs count for the network, and for the ID in place of an address.
  const email = found?.email ?? verificationId
  const { failureKeys } = await admitGuess(db, { email, network: guess.network })
  if (!found?.codeHash || !timingSafeEqual(found.codeHash, hashes.codeHash)) {
    await insertEvent(db, { ...guess.event, result: 'refused' }, found?.userId ?? null)
    throw invalidCode()
  }
  await settleFailures(db, failureKeys)
  return { ...found, ...hashes }
}

export const invalidCode = () =>
  new ProblemError(
    400,
    'code_invalid',
    'The code is wrong, was used before, or has expired. Check it, or ask for a new one.',
  )
