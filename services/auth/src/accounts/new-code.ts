import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import type { NewEvent } from '../audit/store.ts'
import type { CodeMail } from '../mail/mailer.ts'
import type { NewMail } from '../mail/outbox-store.ts'
import { type CodeHashes, createVerification, type VerificationReply } from './verification.ts'

/** Lifetimes of mailed codes, in seconds. */
export const codeTtl = {
  /** Of a code that somebody has just asked for. */
  requested: 3_600,
  /** Of a code that arrives unasked: to restore an address, or to set the first password. */
  unasked: 7 * 86_400,
}

/** A code to store, and the mail that it goes into. */
export interface NewCode {
  hashes: CodeHashes
  ttlSeconds: number
  /** `undefined`: the code is stored, but the address has got too much mail. */
  mail: NewMail | undefined
  /** `undefined`: it is part of a change that is recorded. */
  event: NewEvent | undefined
}

interface CodeRequest extends Pick<CodeMail, 'recipient' | 'page' | 'query' | 'ttlSeconds'> {
  event?: NewEvent
}

/**
 * Creates a code, and the mail that contains it.
 *
 * @returns the code to store, and the answer to the client that asked for it
 * @throws ProblemError 501 `mail_not_configured`
 */
export async function createCode(
  app: FastifyInstance,
  { recipient, ttlSeconds, event, ...where }: CodeRequest,
): Promise<{ code: NewCode; reply: Static<typeof VerificationReply> }> {
  const { verificationId, code, hashes } = createVerification()
  const isLimited = ttlSeconds === codeTtl.requested
  const secret = { verificationId, code }
  const mail = await app.mail.compose({ recipient, ttlSeconds, isLimited, ...where, ...secret })
  return {
    code: { hashes, ttlSeconds, mail, event },
    reply: { verification_id: verificationId, expires_in: ttlSeconds },
  }
}
