import type { Service } from '@latchkey/service-kit'
import { readCode } from '../mail-support.ts'
import { as, password, post, type Tokens } from '../support.ts'
import type { Operation } from './operations.ts'

/** Who asks for a code. */
interface Person {
  email: string
  tokens: Tokens
}

/** Asks for the code of an operation. @returns the address that it is mailed to */
type Ask = (app: Service, person: Person) => Promise<string>

let addresses = 0

const askToRegister: Ask = async (app) => {
  const email = `new-${++addresses}@example.com`
  await post(app, '/v1/register', { email })
  return email
}

const askToReset: Ask = async (app, { email }) => {
  await post(app, '/v1/password-reset', { email })
  return email
}

const askToChangeEmail: Ask = async (app, { tokens }) => {
  const email = `new-${++addresses}@example.com`
  await as(app, tokens.access_token, 'POST', '/v1/me/email', { email, password })
  return email
}

const askToUndo: Ask = async (app, person) => {
  const email = await askToChangeEmail(app, person)
  await post(app, '/v1/me/email/confirm', await readCode(app, email))
  return person.email
}

const asks: Readonly<Record<string, Ask>> = {
  confirmRegistration: askToRegister,
  resetPassword: askToReset,
  changeEmail: askToChangeEmail,
  undoEmailChange: askToUndo,
}

/** Whether an operation needs a code that `mailCode` does not know how to ask for. */
export const lacksCode = ({ id, body }: Operation): boolean =>
  body?.required?.includes('code') === true && asks[id] === undefined

/** What confirms an operation, from the mail that was written for a person. */
export async function mailCode(
  app: Service,
  { id }: Operation,
  person: Person,
): Promise<Record<string, string>> {
  const recipient = await asks[id]?.(app, person)
  if (recipient === undefined) return {}
  return { ...(await readCode(app, recipient)), mailed_to: recipient }
}
