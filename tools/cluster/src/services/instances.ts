import type { EdgeProcess } from '../edge/edge-process.ts'
import type { UpstreamAddress } from '../edge/upstreams.ts'
import { Supervised } from '../processes/supervised-process.ts'
import {
  type ServiceEnvironment,
  type ServiceName,
  serviceNames,
  serviceProgram,
} from './services.ts'

/** One process of a service. */
export interface Instance {
  /** As `orders-2`, the same in `x-served-by`. */
  readonly name: string
  readonly service: ServiceName
  /** Where it answers, past the edge, while it is up. */
  readonly url: string | undefined
}

interface Member {
  readonly name: string
  readonly service: ServiceName
  readonly process: Supervised<string>
  /** Resolves when its code is loaded for the first time. */
  readonly loaded: Promise<void>
  url: string | undefined
  /** Whether the edge may send it requests. */
  leaving: boolean
}

/** All instances of all services; keeps the edge told of who is up. */
export class Fleet {
  readonly #edge: EdgeProcess
  readonly #members: Member[]
  /** The edge opens when all are up: whoever sees one service ready finds every instance. */
  #open = false

  constructor(
    edge: EdgeProcess,
    instances: number,
    programs: Readonly<Record<ServiceName, string>>,
    logFile: (name: string) => string,
    environment: Promise<ServiceEnvironment>,
    say: (sentence: string) => void,
  ) {
    this.#edge = edge
    this.#members = serviceNames.flatMap((service) =>
      Array.from({ length: instances }, (_, index) => {
        const name = `${service}-${index + 1}`
        const loaded = Promise.withResolvers<void>()
        const program = serviceProgram({
          service,
          name,
          file: programs[service],
          logFile: logFile(name),
          environment,
          onLoaded: loaded.resolve,
        })
        const member: Member = {
          name,
          service,
          url: undefined,
          leaving: false,
          loaded: loaded.promise,
          process: new Supervised(program, {
            up: (url) => {
              member.url = url
              void this.#route()
            },
            down: () => {
              member.url = undefined
              void this.#route()
            },
            say,
          }),
        }
        return member
      }),
    )
  }

  get instances(): readonly Instance[] {
    return this.#members.map(({ name, service, url }) => ({ name, service, url }))
  }

  /** The processes by name. */
  get processes(): readonly Supervised<string>[] {
    return this.#members.map((member) => member.process)
  }

  /**
   * Starts all instances; `onReady` hears of each service whose instances all serve.
   *
   * Each loads its code when the one before it has: all at once they would keep the processors from Postgres, which
   * all of them need to go on.
   */
  async start(onReady: (service: ServiceName, names: string[]) => void): Promise<void> {
    const starts = new Map<Member, Promise<string>>()
    for (const member of this.#members) {
      const start = member.process.start()
      starts.set(member, start)
      await Promise.race([member.loaded, start])
    }
    await Promise.all(
      serviceNames.map(async (service) => {
        const members = this.#members.filter((member) => member.service === service)
        await Promise.all(members.map((member) => starts.get(member)))
        onReady(
          service,
          members.map((member) => member.name),
        )
      }),
    )
    this.#open = true
    await this.#route()
  }

  /** Takes an instance from the edge, waits until it has answered what it had, and stops it; others are stopped. */
  async stopOne(process: Supervised<unknown>): Promise<number | null> {
    const member = this.#members.find((one) => one.process === process)
    if (!member) return process.stop()
    member.leaving = true
    await this.#route()
    const exitCode = await process.stop()
    member.leaving = false
    return exitCode
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.process.stop()))
  }

  async #route(): Promise<void> {
    if (!this.#open) return
    const upstreams = (service: ServiceName): UpstreamAddress[] =>
      this.#members.flatMap(({ name, url, leaving, ...member }) =>
        member.service === service && url !== undefined && !leaving ? [{ name, origin: url }] : [],
      )
    await this.#edge.route(
      Object.fromEntries(serviceNames.map((service) => [service, upstreams(service)])),
    )
  }
}
