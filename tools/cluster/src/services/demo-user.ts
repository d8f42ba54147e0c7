import { ClusterError } from '../errors/cluster-error.ts'

/** Somebody to try things as. */
export interface DemoUser {
  readonly email: string
  readonly password: string
}

const email = 'demo@example.com'

/** Registers the demo user the way everybody registers; one that is there already is fine. */
export async function registerDemoUser(edgeUrl: string, password: string): Promise<DemoUser> {
  const response = await fetch(`${edgeUrl}/auth/v1/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
    signal: AbortSignal.timeout(10_000),
  })
  const text = await response.text()
  if (response.status !== 201 && response.status !== 409) {
    throw new ClusterError(`The demo user could not be registered: ${response.status} ${text}`)
  }
  return { email, password }
}
