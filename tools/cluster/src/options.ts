/** The key files of a cluster. */
export interface KeyFiles {
  /** The key file of auth. */
  readonly keysFile: string
  /** The folder with the key files of the other services: `<service>/keys.json`. */
  readonly serviceKeys: string
}

/** Who may register, as in LATCHKEY_REGISTRATION. */
export const registrations = ['verified', 'open', 'closed'] as const
export type Registration = (typeof registrations)[number]

export interface ClusterOptions {
  /** Port of the edge; 0 picks any free port. */
  readonly port: number
  /** Address on which the edge listens; default `127.0.0.1`, which only this machine reaches. */
  readonly host?: string
  /** Audiences of tokens besides the services of the cluster. */
  readonly audiences?: readonly string[]
  /** Default `open`, so that an address needs no mail to be used. */
  readonly registration?: Registration
  /** Number of instances of each service. */
  readonly instances: number
  /** Uses a fresh temporary folder, which is removed when the cluster stops. */
  readonly ephemeral: boolean
  /** URI of a server to use instead of the embedded one; needs CREATEDB and CREATEROLE. */
  readonly databaseUrl?: string | undefined
  /** Default: `.latchkey` in the repository. */
  readonly dataFolder?: string | undefined
  /** Environment variables for every service instance; they override the cluster's own. */
  readonly env?: NodeJS.ProcessEnv
  /** Called when a part is ready, with a detail to display. */
  readonly onReady?: (part: string, detail: string) => void
  /** Called with a sentence to display: a process died and came back, something was cleaned up. */
  readonly onEvent?: (sentence: string) => void
  /** Called with a line to display for each mail that was caught. */
  readonly onMail?: (line: string) => void
  /** Aborts the start. The promise rejects when everything has stopped. */
  readonly signal?: AbortSignal
}
